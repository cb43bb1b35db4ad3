package models_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/models"
	"github.com/ascood/ascood/onnx"
)

// adoptable is a canonical network of two convolutions with one kernel, and operands of
// all kinds.
func adoptable(t *testing.T, batch any) *onnx.GraphProto {
	t.Helper()
	b := onnx.NewBuilder("net")
	weights := func(name string, shape ...int) string {
		n := 1
		for _, d := range shape {
			n *= d
		}
		return b.Weights(name, make([]float32, n), shape...)
	}
	x := b.Input("x", "", onnx.TensorProto_FLOAT, batch, 3, 4, 4)
	b.Scope(onnx.Prefix)
	kernel := weights("tied", 3, 3, 1, 1)
	for range 2 {
		x = b.Op("Conv", []string{x, kernel})
	}
	x = b.Op("BatchNormalization", []string{x, weights("scale", 3), weights("shift", 3), weights("mean", 3), weights("variance", 3)})
	x = b.Op("Add", []string{x, b.Op("Transpose", []string{weights("table", 4, 4)})})
	x = b.Op("Add", []string{x, weights(onnx.Fixed("mask"), 4, 4)})
	x = b.Op("Mul", []string{x, weights("number")})
	x = b.Op("Sub", []string{x, weights("offset", 3, 1, 1)})
	x = b.Op("Flatten", []string{b.Op("GlobalAveragePool", []string{x})})
	b.Output(b.Op("Gemm", []string{x, weights("head.weight", 5, 3)}, onnx.Int("transB", 1)), "", onnx.TensorProto_FLOAT, batch, 5)
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func names(n *models.Network, of func(p models.Param) bool) []string {
	var list []string
	for _, p := range n.Params {
		if of(p) {
			list = append(list, p.Name)
		}
	}
	return list
}

// TestAdopt: parameters are told by the operands that they are. Tied ones are one, numbers
// and masks are none. The last layer is as it was or, for other classes, new.
func TestAdopt(t *testing.T) {
	known := models.Values{Feature: "net/Flatten", Linear: true, Taps: [][2]string{{"net/Conv_2", "layer3"}}}
	for _, test := range []struct {
		head    models.Head
		classes int
		trained []string
		others  []string // parameters that are not trained
		last    []string
	}{
		{models.HeadLinear, 5, []string{"tied", "scale", "shift", "table", "head.weight"}, []string{"mean", "variance"}, []string{"head.weight"}},
		{models.HeadASCOOD, 7, []string{"tied", "scale", "shift", "table", "head.weight", "head.bias"}, []string{"mean", "variance", "sigma"}, []string{"head.weight", "head.bias"}},
	} {
		a, err := models.Adopt(adoptable(t, "N"), known, test.classes, test.head)
		if err != nil {
			t.Fatal(err)
		}
		trained := names(a.Network, func(p models.Param) bool { return p.Trainable })
		others := names(a.Network, func(p models.Param) bool { return !p.Trainable })
		last := names(a.Network, func(p models.Param) bool { return p.Last })
		if !slices.Equal(trained, test.trained) || !slices.Equal(others, test.others) || !slices.Equal(last, test.last) {
			t.Errorf("trained %q, others %q, last %q; want %+v", trained, others, last, test)
		}
		if isNew := a.Weights["head.weight"] == nil; isNew != (test.classes != 5) || a.NewLast != isNew {
			t.Errorf("a last layer for %d classes is new: %v, %v", test.classes, isNew, a.NewLast)
		}
		if a.Spec.Head != test.head || a.Spec.Classes != test.classes || a.Spec.Arch != models.ArchONNX {
			t.Errorf("the network is %+v", a.Spec)
		}
		shapes := onnx.Shapes(a.Graph)
		for _, name := range []string{"feature", "layer3", "logits"} {
			if shapes[onnx.Tap(name)] == nil {
				t.Errorf("no value is named %s", name)
			}
		}
		// A checkpoint keeps it.
		file, err := onnx.Marshal(onnx.File(a.Graph))
		if err != nil {
			t.Fatal(err)
		}
		again, err := models.Parse(file)
		if err != nil {
			t.Fatal(err)
		}
		if again.Spec != a.Spec || !slices.EqualFunc(again.Params, a.Params, func(p, q models.Param) bool {
			return p.Name == q.Name && p.Trainable == q.Trainable && p.Last == q.Last
		}) {
			t.Errorf("read again it is %+v of %+v", again.Spec, again.Params)
		}
		weights := map[string][]float32{}
		for _, p := range again.Params {
			weights[p.Name] = make([]float32, p.Elements())
		}
		m, err := again.Model(weights)
		if err != nil {
			t.Fatal(err)
		}
		if err := onnx.Check(m); err != nil {
			t.Error(err)
		}
	}
}

// TestAdoptTied: a last layer that shares its weights with another goes on to, unless it is
// a new one.
func TestAdoptTied(t *testing.T) {
	b := onnx.NewBuilder("net")
	x := b.Input("x", "", onnx.TensorProto_FLOAT, "N", 3, 4, 4)
	b.Scope(onnx.Prefix)
	x = b.Op("Flatten", []string{b.Op("GlobalAveragePool", []string{x})})
	shared, bias := b.Weights("shared", make([]float32, 9), 3, 3), b.Weights("bias", make([]float32, 3), 3)
	feature := b.Op("Gemm", []string{x, shared, bias}, onnx.Int("transB", 1))
	b.Output(b.Op("Gemm", []string{feature, shared, bias}, onnx.Int("transB", 1)), "", onnx.TensorProto_FLOAT, "N", 3)
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	for classes, want := range map[int]string{3: "[shared bias]", 4: "[shared bias shared_2 bias_2]"} {
		for _, head := range []models.Head{models.HeadLinear, models.HeadASCOOD} {
			a, err := models.Adopt(g, models.Values{Feature: feature, Linear: true}, classes, head)
			if err != nil {
				t.Fatal(err)
			}
			if trained := names(a.Network, func(p models.Param) bool { return p.Trainable }); fmt.Sprint(trained) != want {
				t.Errorf("of %d classes, %s head: trained are %q, want %s", classes, head, trained, want)
			}
		}
	}
}

func TestAdoptWrong(t *testing.T) {
	known := models.Values{Feature: "net/Flatten", Linear: true}
	for want, refused := range map[string]func() error{
		"takes images one by one": func() error {
			_, err := models.Adopt(adoptable(t, 1), known, 5, models.HeadLinear)
			return err
		},
		"no last linear layer, before which": func() error {
			_, err := models.Adopt(adoptable(t, "N"), models.Values{}, 5, models.HeadASCOOD)
			return err
		},
		"it has 5 classes, and the images 4": func() error {
			_, err := models.Adopt(adoptable(t, "N"), models.Values{}, 4, models.HeadLinear)
			return err
		},
		"a weight of the name sigma": func() error {
			g := adoptable(t, "N")
			for _, c := range g.Initializer {
				if c.Name == "number" {
					c.Name = models.Sigma
				}
			}
			for _, n := range g.Node {
				for i, in := range n.Input {
					if in == "number" {
						n.Input[i] = models.Sigma
					}
				}
			}
			_, err := models.Adopt(g, known, 5, models.HeadASCOOD)
			return err
		},
	} {
		err := refused()
		wantError(t, err, want)
		if ascood.CodeOf(err) != ascood.Unsupported {
			t.Errorf("%v has the code %s", err, ascood.CodeOf(err))
		}
	}
	g := adoptable(t, "N")
	for _, c := range g.Initializer {
		if c.Name == onnx.Fixed("mask") {
			c.RawData = nil
		}
	}
	_, err := models.FromGraph(g)
	wantError(t, err, `the graph's constant "net/fixed/mask" has no values`)
	// What a damaged file may hold is an error, whatever it is.
	for want, damage := range map[string]func(g *onnx.GraphProto){
		"want one of each":                   func(g *onnx.GraphProto) { g.Input = nil },
		"is described without a shape":       func(g *onnx.GraphProto) { g.Output[0] = onnx.Shapeless("y", onnx.TensorProto_FLOAT) },
		"want logits, [N,C]":                 func(g *onnx.GraphProto) { g.Output[0] = onnx.Value("y", onnx.TensorProto_FLOAT, "N") },
		`nothing computes the output "gone"`: func(g *onnx.GraphProto) { g.Output[0].Name = "gone" },
		"which no tensor can have":           func(g *onnx.GraphProto) { g.Initializer[0].Dims = []int64{1 << 40, 1 << 40} },
		" ": func(g *onnx.GraphProto) { // in circles, for others to refuse, too
			turn := func(in, out string) *onnx.NodeProto {
				return &onnx.NodeProto{Name: out, OpType: "Transpose", Input: []string{in}, Output: []string{out}}
			}
			g.Node = append([]*onnx.NodeProto{turn("b", "a"), turn("a", "b")}, g.Node...)
			g.Node[2].Input = append(g.Node[2].Input, "a", "b")
		},
		"": func(g *onnx.GraphProto) { // nodes without operands are for others to refuse
			for _, n := range g.Node {
				n.Input = n.Input[:min(len(n.Input), 1)]
			}
		},
	} {
		a, err := models.Adopt(adoptable(t, "N"), known, 5, models.HeadLinear)
		if err != nil {
			t.Fatal(err)
		}
		damage(a.Graph)
		file, err := onnx.Marshal(onnx.File(a.Graph))
		if err != nil {
			t.Fatal(err)
		}
		if _, err = models.Parse(file); strings.TrimSpace(want) != "" {
			wantError(t, err, want)
		}
	}
	_, err = models.Parse([]byte("no network"))
	wantError(t, err, "the checkpoint's network is not an ONNX file")
}
