package importer

import (
	"slices"
	"strings"
	"testing"

	"github.com/ascood/ascood/onnx"
)

// TestWeights: what training may change keeps its name, and what is no weight is marked.
func TestWeights(t *testing.T) {
	f := newForeign()
	x := f.Input("image", "", onnx.TensorProto_FLOAT, "N", 3, 8, 8)
	x = f.Op("Conv", []string{x, f.noise("kernel", 4, 3, 1, 1)})
	// Weights that PRESERVE has merged bear the names of the state dict behind Identity.
	norm := func(x, name string) string {
		f.Rename(f.Op("Identity", []string{"shared"}), name+".scale")
		return f.Op("BatchNormalization", []string{x, name + ".scale", f.noise(name+".shift", 4), f.noise(name+".mean", 4), f.spread(name+".variance", 4)})
	}
	f.spread("shared", 4) // the constant
	x = norm(norm(x, "first"), "second")
	x = f.Op("Add", []string{x, f.noise("positions", 1, 4, 8, 8)})
	x = f.Op("Mul", []string{x, f.noise("scales", 4, 1, 1)})
	x = f.Op("Mul", []string{x, f.Scalar(0.5)})
	x = f.Op("Add", []string{x, f.Tensor(onnx.NewFloats("mask", append(make([]float32, 63), -100), 1, 1, 8, 8))})
	table := f.Op("Transpose", []string{f.noise("table", 8, 8)})
	x = f.Op("Add", []string{x, f.Op("Unsqueeze", []string{table, f.Int64s(0)})})
	x = f.Op("Add", []string{x, f.Op("Exp", []string{f.noise("logarithms", 8, 8)})})
	end(f, x, "N")
	net, err := Import(f.file(t, 17), normal(8))
	if err != nil {
		t.Fatal(err)
	}
	var weights, fixed []string
	for _, c := range net.Model.Graph.Initializer {
		switch name, marked := c.Name, onnx.IsFixed(c.Name); {
		case !c.IsFloat() || len(c.Dims) == 0:
		case marked:
			fixed = append(fixed, strings.TrimPrefix(name, onnx.Fixed("")))
		default:
			weights = append(weights, name)
		}
	}
	for _, name := range []string{"kernel", "first.scale", "second.scale", "first.mean", "positions", "scales"} {
		if !slices.Contains(weights, name) {
			t.Errorf("%s is not among the weights %q", name, weights)
		}
	}
	if !slices.Contains(fixed, "mask") || len(fixed) != 2 {
		t.Errorf("fixed are %q, want the mask and what is computed of logarithms", fixed)
	}
}
