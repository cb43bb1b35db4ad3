package models_test

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ascood/ascood/checkpoint"
	"github.com/ascood/ascood/internal/testmodel"
	"github.com/ascood/ascood/models"
	"github.com/ascood/ascood/onnx"
	"github.com/ascood/ascood/weights"
)

// TestParams: a network has the parameters of the reference's state dict, and the shapes
// of its values.
func TestParams(t *testing.T) {
	for _, c := range []struct {
		file string
		want models.Spec
		size int // of the image
		dim  int // of the feature
	}{
		{"resnet18_32x32", models.Spec{Arch: "resnet18_32x32", Width: 8, Classes: 10, Head: models.HeadLinear}, 32, 64},
		{"ascood-resnet18_32x32", models.Spec{Arch: "resnet18_32x32", Width: 8, Classes: 10, Head: models.HeadASCOOD}, 32, 64},
		{"ascood-resnet18_224x224", models.Spec{Arch: "resnet18_224x224", Width: 8, Classes: 2, Head: models.HeadASCOOD}, 224, 64},
		{"ascood-resnet50", models.Spec{Arch: "resnet50", Width: 8, Classes: 9, Head: models.HeadASCOOD}, 160, 256},
		{"lenet", models.Spec{Arch: "lenet", Width: 6, Classes: 10, Head: models.HeadLinear}, 28, 84},
	} {
		t.Run(c.file, func(t *testing.T) {
			state := stateOf(t, c.file)
			g, err := models.New(c.want, c.size)
			if err != nil {
				t.Fatal(err)
			}
			if err := g.Check(state); err != nil {
				t.Error(err)
			}
			names := map[string]bool{}
			for _, p := range g.Params {
				names[p.Name] = true
			}
			if got, want := slices.Sorted(maps.Keys(names)), slices.Sorted(maps.Keys(state)); !slices.Equal(got, want) {
				t.Errorf("parameters %v, want %v", got, want)
			}
			shapes := onnx.Shapes(g.Graph)
			if got := fmt.Sprint(shapes[onnx.Tap("feature")], shapes[onnx.Tap("logits")]); got != fmt.Sprintf("[N,%d] [N,%d]", c.dim, c.want.Classes) {
				t.Errorf("feature and logits have shapes %s", got)
			}
		})
	}
}

func TestCheckNamesFaults(t *testing.T) {
	state := stateOf(t, "resnet18_32x32")
	delete(state, "layer1.0.bn1.bias")
	delete(state, "bn1.num_batches_tracked") // may be missing
	state["layer2.0.conv1.weight"] = []int{16, 8, 1, 1}
	state["extra"] = []int{3}
	g, err := models.New(models.Spec{Arch: "resnet18_32x32", Width: 8, Classes: 10, Head: models.HeadLinear}, 0)
	if err != nil {
		t.Fatal(err)
	}
	err = g.Check(state)
	wantError(t, err, "missing layer1.0.bn1.bias [8]", "layer2.0.conv1.weight is [16 8 1 1], want [16 8 3 3]", "unexpected extra [3]")
	if strings.Contains(err.Error(), "num_batches_tracked") {
		t.Errorf("the error asks for a counter: %v", err)
	}
}

func TestNewWrongSpec(t *testing.T) {
	for _, c := range []struct {
		spec models.Spec
		want string
	}{
		{models.Spec{Arch: "vgg", Classes: 10, Head: models.HeadLinear}, "known are densenet121, efficientnet_b0, lenet"},
		{models.Spec{Arch: "lenet", Classes: 1, Head: models.HeadLinear}, "at least 2"},
		{models.Spec{Arch: "lenet", Classes: 10, Width: -1, Head: models.HeadLinear}, "at least 1"},
		{models.Spec{Arch: "lenet", Classes: 10, Head: "cosine"}, "known are ascood, conf_branch, godin, linear, projection, rotpred, t2fnorm, unit"},
	} {
		_, err := models.New(c.spec, 0)
		wantError(t, err, c.want)
	}
}

// TestUnsuitableWidth: heads of attention and groups of channels are whole.
func TestUnsuitableWidth(t *testing.T) {
	for arch, want := range map[string]string{
		"vit_b_16":        "width 40 is no multiple of 64",
		"swin_t":          "width 40 is no multiple of 32",
		"resnext50_32x4d": "80 channels do not make 32 groups",
	} {
		_, err := models.New(models.Spec{Arch: arch, Width: 40, Classes: 2, Head: models.HeadLinear}, 0)
		wantError(t, err, want)
	}
}

// TestWeightsOfOneSize: a vision transformer's positions are of one size of image.
func TestWeightsOfOneSize(t *testing.T) {
	small, err := models.New(models.Spec{Arch: "vit_b_16", Width: 64, Classes: 2, Head: models.HeadASCOOD}, 48)
	if err != nil {
		t.Fatal(err)
	}
	large, err := models.New(small.Spec, 0)
	if err != nil {
		t.Fatal(err)
	}
	shapes := map[string][]int{}
	for _, p := range small.Params {
		shapes[p.Name] = p.Shape
	}
	if err := small.Check(shapes); err != nil {
		t.Error(err)
	}
	wantError(t, large.Check(shapes), "the weights of vit_b_16 are for images of 48x48 pixels alone, not for 224x224")
}

func TestShapesOfUnsuitableImage(t *testing.T) {
	for size, want := range map[int]string{32: "classifier1", 4: "block2.0/Conv (Conv): a window [5 5] cannot slide over", -1: "at least 1"} {
		_, err := models.New(models.Spec{Arch: "lenet", Classes: 10, Head: models.HeadLinear}, size)
		if size > 0 {
			wantError(t, err, fmt.Sprintf("lenet cannot take %dx%d images", size, size))
		}
		wantError(t, err, want)
	}
}

func TestWidthScalesChannels(t *testing.T) {
	for _, arch := range models.Archs() {
		g, err := models.New(models.Spec{Arch: arch, Classes: 7, Head: models.HeadASCOOD, Width: 3 * testmodel.Narrow(arch)}, 0)
		if err != nil {
			t.Fatal(err)
		}
		state := checkpoint.StateDict{}
		for _, p := range g.Params {
			state[p.Name] = checkpoint.FromFloat32s(make([]float32, p.Elements()), p.Shape...)
		}
		again, err := weights.Find((&checkpoint.Checkpoint{Model: state}).File(), weights.Options{Arch: arch})
		if err != nil {
			t.Fatalf("%s: %v", arch, err)
		}
		if again.Spec != g.Spec {
			t.Errorf("found %+v of %+v", again.Spec, g.Spec)
		}
	}
}

// stateOf returns the shapes of a reference state dict.
func stateOf(t *testing.T, file string) map[string][]int {
	t.Helper()
	c, err := checkpoint.Load(filepath.Join("..", "testdata", "nets", file+".safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	return c.Model.Shapes()
}

func wantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one that says %q", parts)
	}
	for _, p := range parts {
		if !strings.Contains(err.Error(), p) {
			t.Errorf("the error %q does not say %q", err, p)
		}
	}
}

// TestCanonical: all networks are in the canonical form, on the images that they were
// made for and on others.
func TestCanonical(t *testing.T) {
	for _, arch := range models.Archs() {
		for _, head := range models.Heads() {
			for _, size := range []int{0, 64} {
				if arch == "lenet" && size != 0 {
					continue // its classifier takes maps of one size
				}
				n, err := models.New(models.Spec{Arch: arch, Width: testmodel.Narrow(arch), Classes: 3, Head: head}, size)
				if err != nil {
					t.Fatal(err)
				}
				weights := map[string][]float32{}
				for _, p := range n.Params {
					if !p.Integer {
						weights[p.Name] = make([]float32, p.Elements())
					}
				}
				m, err := n.Model(weights)
				if err != nil {
					t.Fatal(err)
				}
				if err := onnx.Check(m); err != nil {
					t.Errorf("%s, %s head: %v", arch, head, err)
				}
				last := lastOf(n)
				delete(weights, last.Name)
				_, err = n.Model(weights)
				wantError(t, err, "the weights lack "+last.Name)
				weights[last.Name] = make([]float32, last.Elements()+1)
				_, err = n.Model(weights)
				wantError(t, err, fmt.Sprintf("%s has %d values, want %d of the shape %v", last.Name, last.Elements()+1, last.Elements(), last.Shape))
			}
		}
	}
}

// lastOf is the last parameter of the last layer: its bias, if it has one.
func lastOf(n *models.Network) models.Param {
	var last models.Param
	for _, p := range n.Params {
		if strings.HasPrefix(p.Name, n.Last+".") {
			last = p
		}
	}
	return last
}

// TestHeads: what comes before and after the feature has the names of the published
// networks, and the further outputs have their shapes.
func TestHeads(t *testing.T) {
	for _, test := range []struct {
		head    models.Head
		names   []string // among the parameters
		outputs string
	}{
		{models.HeadLinear, []string{"conv1.weight", "fc.bias"}, "map[]"},
		{models.HeadASCOOD, []string{"backbone.conv1.weight", "backbone.fc.bias", "sigma"}, "map[]"},
		{models.HeadUnit, []string{"backbone.conv1.weight", "backbone.fc.bias"}, "map[]"},
		{models.HeadT2FNorm, []string{"backbone.conv1.weight", "backbone.fc.bias", "tau"}, "map[]"},
		{models.HeadConfidence, []string{"backbone.conv1.weight", "fc.bias", "confidence.weight"}, "map[confidence:[N,1]]"},
		{models.HeadRotation, []string{"backbone.conv1.weight", "fc.bias", "rot_fc.weight"}, "map[rotation:[N,4]]"},
		{models.HeadProjection, []string{"backbone.conv1.weight", "head.0.weight", "head.2.bias", "prototypes", "tau"}, "map[projection:[N,128]]"},
		{models.HeadGODIN, []string{"backbone.conv1.weight", "h.h.weight", "g.0.bias", "g.1.running_var"}, "map[cosines:[N,5]]"},
	} {
		n, err := models.New(models.Spec{Arch: "resnet18_32x32", Width: 8, Classes: 5, Head: test.head}, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range test.names {
			if !slices.ContainsFunc(n.Params, func(p models.Param) bool { return p.Name == name }) {
				t.Errorf("%s head: there is no %s", test.head, name)
			}
		}
		outputs, shapes := map[string]onnx.Shape{}, onnx.Shapes(n.Graph)
		for _, name := range test.head.Outputs() {
			outputs[name] = shapes[onnx.Tap(name)]
		}
		if got := fmt.Sprint(outputs); got != test.outputs {
			t.Errorf("%s head: further outputs %s, want %s", test.head, got, test.outputs)
		}
	}
}
