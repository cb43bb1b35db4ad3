package models_test

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ascood/ascood/checkpoint"
	"github.com/ascood/ascood/models"
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
			g, err := models.New(c.want)
			if err != nil {
				t.Fatal(err)
			}
			if err := g.Check(state); err != nil {
				t.Error(err)
			}
			names := map[string]bool{}
			for _, p := range g.Params() {
				names[p.Name] = true
			}
			if got, want := slices.Sorted(maps.Keys(names)), slices.Sorted(maps.Keys(state)); !slices.Equal(got, want) {
				t.Errorf("parameters %v, want %v", got, want)
			}
			shapes, err := g.Shapes(c.size, c.size)
			if err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprint(shapes[g.Feature], shapes[g.Logits]); got != fmt.Sprintf("[%d] [%d]", c.dim, c.want.Classes) {
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
	g, err := models.New(models.Spec{Arch: "resnet18_32x32", Width: 8, Classes: 10, Head: models.HeadLinear})
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
		{models.Spec{Arch: "vgg", Classes: 10, Head: models.HeadLinear}, "known are lenet"},
		{models.Spec{Arch: "lenet", Classes: 1, Head: models.HeadLinear}, "at least 2"},
		{models.Spec{Arch: "lenet", Classes: 10, Width: -1, Head: models.HeadLinear}, "at least 1"},
		{models.Spec{Arch: "lenet", Classes: 10, Head: "cosine"}, "known are [linear ascood]"},
	} {
		_, err := models.New(c.spec)
		wantError(t, err, c.want)
	}
}

func TestShapesOfUnsuitableImage(t *testing.T) {
	g, err := models.New(models.Spec{Arch: "lenet", Classes: 10, Head: models.HeadLinear})
	if err != nil {
		t.Fatal(err)
	}
	for size, want := range map[int]string{32: "classifier1", 4: "smaller than the 5x5 window"} {
		_, err := g.Shapes(size, size)
		wantError(t, err, "lenet cannot take", want)
	}
}

func TestWidthScalesChannels(t *testing.T) {
	for _, arch := range models.Archs() {
		g, err := models.New(models.Spec{Arch: arch, Classes: 7, Head: models.HeadASCOOD, Width: 12})
		if err != nil {
			t.Fatal(err)
		}
		state := checkpoint.StateDict{}
		for _, p := range g.Params() {
			n := 1
			for _, d := range p.Shape {
				n *= d
			}
			state[p.Name] = checkpoint.FromFloat32s(make([]float32, n), p.Shape...)
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
