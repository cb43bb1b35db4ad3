package importer

import (
	"slices"
	"strings"
	"testing"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/internal/ort"
	"github.com/ascood/ascood/onnx"
)

// headless ends in two layers of which the mean is taken: there is no last one.
func headless(t *testing.T) *onnx.ModelProto {
	f := newForeign()
	x := f.Op("Conv", []string{small(f, "N"), f.noise("conv2", 6, 4, 3, 3)}, onnx.Ints("pads", 1, 1, 1, 1), onnx.Ints("strides", 2, 2))
	f.Rename(x, "maps")
	x = f.Op("BatchNormalization", []string{"maps", f.spread("scale", 6), f.noise("shift", 6), f.noise("mean", 6), f.spread("variance", 6)})
	x = f.Rename(f.Op("Relu", []string{x}), "end")
	x = f.Rename(f.Op("Flatten", []string{f.Op("GlobalAveragePool", []string{x})}), "pooled")
	other := f.Op("LpNormalization", []string{x}, onnx.Int("axis", 1), onnx.Int("p", 2))
	x = f.Op("Add", []string{f.Op("MatMul", []string{x, f.noise("w1", 6, 5)}), f.Op("MatMul", []string{other, f.noise("w2", 6, 5)})})
	f.Output(f.Rename(f.Op("Mul", []string{x, f.Scalar(.5)}), "y"), "", onnx.TensorProto_FLOAT, "N", 5)
	return f.file(t, 17)
}

// TestValues: values of the file that are asked for are there afterwards, also where
// those after them would be computed in their place.
func TestValues(t *testing.T) {
	opt := normal(8)
	opt.Feature, opt.Taps = "pooled", map[string]string{"layer3": "maps", "layer4": "end"}
	net, err := Import(headless(t), opt)
	if err != nil {
		t.Fatal(err)
	}
	if net.Linear || net.Feature == "" || len(net.Taps) != 2 || !strings.Contains(strings.Join(net.Notes, ""), "methods that need its weights cannot be used") {
		t.Errorf("linear %v, feature %q, taps %v, notes %q", net.Linear, net.Feature, net.Taps, net.Notes)
	}
	for file, value := range map[string]string{"pooled": net.Feature, "maps": net.Taps[0][0], "end": net.Taps[1][0]} {
		got, want := evaluated(t, net.Model, value, net.Image), evaluated(t, headless(t), file, "x")
		if off := difference(got, want); len(got) != len(want) || off > 1e-5 {
			t.Errorf("%s is %v off, %d values for %d", file, off, len(got), len(want))
		}
	}
}

// evaluated computes a value inside a graph, of two images.
func evaluated(t *testing.T, m *onnx.ModelProto, value, input string) []float32 {
	t.Helper()
	m.Graph.Output = []*onnx.ValueInfoProto{onnx.Shapeless(value, onnx.TensorProto_FLOAT)}
	results, err := ort.Evaluate(m, map[string]*onnx.TensorProto{input: onnx.NewFloats("", sines(2, 8), 2, 3, 8, 8)})
	if err != nil {
		t.Fatal(err)
	}
	values, err := results[0][value].Floats()
	if err != nil {
		t.Fatal(err)
	}
	return values
}

// TestWrongValues: what cannot be had is refused with a list of what can.
func TestWrongValues(t *testing.T) {
	for name, c := range map[string]struct {
		file    *onnx.ModelProto
		feature string
		taps    map[string]string
		want    string
	}{
		"no such feature": {headless(t), "nothing", nil, "feature: \"nothing\" is not a vector of each image, [N,D], on the image's way to the logits; such are, from the end:\n" +
			"  Add [N,5]\n  LpNormalization [N,6]"},
		"maps as feature":   {headless(t), "maps", nil, `feature: "maps" is not a vector`},
		"logits as feature": {headless(t), "y", nil, `feature: "y" is not a vector`},
		"weights as maps":   {headless(t), "", map[string]string{"layer4": "conv2"}, "tap: \"conv2\" is not maps, [N,C,H,W], on the image's way to the logits; such are, from the end:\n  end [N,6,4,4]\n  Relu [N,4,8,8]"},
		"one for two":       {headless(t), "", map[string]string{"layer3": "end", "layer4": "end"}, "tap: layer3 and layer4 are the same value"},
		"other feature":     {sound(t), "GlobalAveragePool", nil, "is not a vector"},
		"before the layer":  {deep(t), "hidden", nil, `feature: "hidden" is not what the last linear layer takes, which is found without being named`},
	} {
		opt := normal(8)
		opt.Feature, opt.Taps = c.feature, c.taps
		if _, err := Import(c.file, opt); err == nil || !strings.Contains(err.Error(), c.want) || ascood.CodeOf(err) != ascood.Invalid {
			t.Errorf("%s: error %v, want one that says %q", name, err, c.want)
		}
	}
}

// deep ends in two linear layers.
func deep(t *testing.T) *onnx.ModelProto {
	f := newForeign()
	x := f.Op("Flatten", []string{f.Op("GlobalAveragePool", []string{small(f, "N")})})
	x = f.Rename(f.Op("Relu", []string{f.Op("MatMul", []string{x, f.noise("fc1", 4, 6)})}), "hidden")
	x = f.Op("Mul", []string{x, f.Scalar(2)})
	f.Output(f.Rename(f.Op("MatMul", []string{x, f.noise("fc2", 6, 5)}), "y"), "", onnx.TensorProto_FLOAT, "N", 5)
	return f.file(t, 17)
}

// TestLinear: heads of convolutions that are linear layers of a vector become such, and
// others do not.
func TestLinear(t *testing.T) {
	head := func(build func(f *foreign, x string) string) *onnx.ModelProto {
		f := newForeign()
		y := build(f, small(f, "N"))
		f.Output(f.Rename(y, "y"), "", onnx.TensorProto_FLOAT, slices.Repeat([]any{"d"}, 4)...)
		m := f.file(t, 17)
		m.Graph.Output[0] = onnx.Shapeless("y", onnx.TensorProto_FLOAT)
		return m
	}
	pointwise := func(f *foreign) []string { return []string{f.noise("w", 5, 4, 1, 1), f.noise("b", 5)} }
	conv := func(f *foreign, x string) string { return f.Op("Conv", append([]string{x}, pointwise(f)...)) }
	gap := func(f *foreign, x string) string { return f.Op("GlobalAveragePool", []string{x}) }
	for name, c := range map[string]struct {
		file *onnx.ModelProto
		dim  int // of the feature, 0 for none
	}{
		"convolution, mean": {head(func(f *foreign, x string) string { return f.Op("Flatten", []string{gap(f, conv(f, x))}) }), 4},
		"mean, convolution": {head(func(f *foreign, x string) string { return conv(f, gap(f, x)) }), 4},
		"convolution, mean by axes": {head(func(f *foreign, x string) string {
			return f.Op("ReduceMean", []string{conv(f, x)}, onnx.Ints("axes", -1, 2), onnx.Int("keepdims", 0))
		}), 4},
		"convolution, pool of all": {head(func(f *foreign, x string) string {
			return f.Op("AveragePool", []string{conv(f, x)}, onnx.Ints("kernel_shape", 8, 8))
		}), 4},
		"convolution of all": {head(func(f *foreign, x string) string {
			return f.Op("Conv", []string{x, f.noise("w", 5, 4, 8, 8)})
		}), 256},
		"channels last": {head(func(f *foreign, x string) string {
			return f.Op("Transpose", []string{conv(f, gap(f, x))}, onnx.Ints("perm", 0, 2, 3, 1))
		}), 4},
		"of rows": {head(func(f *foreign, x string) string {
			x = f.Op("Reshape", []string{gap(f, x), f.Int64s(-1, 1, 4)})
			return f.Op("Squeeze", []string{f.Op("MatMul", []string{x, f.noise("w", 4, 5)}), f.Int64s(1)})
		}), 4},
		"cosines, scaled": {head(func(f *foreign, x string) string {
			x = f.Op("LpNormalization", []string{f.Op("Flatten", []string{gap(f, x)})}, onnx.Int("axis", 1), onnx.Int("p", 2))
			return f.Op("Div", []string{f.Op("MatMul", []string{x, f.noise("w", 4, 5)}), f.Scalar(.1)})
		}), 4},
		"normalised afterwards": {head(func(f *foreign, x string) string {
			x = f.Op("Flatten", []string{conv(f, gap(f, x))})
			x = f.Op("BatchNormalization", []string{x, f.spread("scale", 5), f.noise("shift", 5), f.noise("mean", 5), f.spread("variance", 5)})
			return f.Op("Sub", []string{x, f.noise("prior", 5)})
		}), 4},
		"one for each of others": {head(func(f *foreign, x string) string {
			x = f.Op("Reshape", []string{f.Op("Gemm", []string{f.Op("Flatten", []string{gap(f, x)}), f.noise("w", 4, 1)}), f.Int64s(-1, 1)})
			return f.Op("Mul", []string{x, f.noise("all", 1, 5)})
		}), 0},
		"strided": {head(func(f *foreign, x string) string {
			return gap(f, f.Op("Conv", append([]string{x}, pointwise(f)...), onnx.Ints("strides", 2, 2)))
		}), 0},
		"in another order": {head(func(f *foreign, x string) string {
			x = f.Op("Gemm", []string{f.Op("Flatten", []string{gap(f, x)}), f.noise("w", 4, 6)})
			x = f.Op("Transpose", []string{f.Op("Reshape", []string{x, f.Int64s(-1, 2, 3)})}, onnx.Ints("perm", 0, 2, 1))
			return f.Op("Reshape", []string{x, f.Int64s(-1, 6)})
		}), 0},
		"Relu between": {head(func(f *foreign, x string) string { return gap(f, f.Op("Relu", []string{conv(f, x)})) }), 0},
		"wide kernel": {head(func(f *foreign, x string) string {
			return gap(f, f.Op("Conv", []string{x, f.noise("w", 5, 4, 3, 3)}))
		}), 0},
		"padded": {head(func(f *foreign, x string) string {
			return gap(f, f.Op("Conv", append([]string{x}, pointwise(f)...), onnx.Ints("pads", 1, 1, 1, 1)))
		}), 0},
		"pool of a part": {head(func(f *foreign, x string) string {
			return f.Op("Slice", []string{f.Op("AveragePool", []string{conv(f, x)}, onnx.Ints("kernel_shape", 7, 7)), f.Int64s(0, 0), f.Int64s(1, 1), f.Int64s(2, 3)})
		}), 0},
	} {
		net, err := Import(c.file, normal(8))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		dim := 0
		if net.Feature != "" {
			dim = onnx.Shapes(net.Model.Graph)[net.Feature][1].Size
		}
		if dim != c.dim || net.Linear != (c.dim > 0) || net.Single {
			t.Errorf("%s: a feature of %d values, want %d; single %v, notes %q", name, dim, c.dim, net.Single, net.Notes)
		}
	}
}
