package importer

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/ascood/ascood/onnx"
)

// foreign builds files as other programs write them.
type foreign struct {
	*onnx.Builder
	rng *rand.Rand
}

func newForeign() *foreign {
	return &foreign{onnx.NewBuilder("foreign"), rand.New(rand.NewPCG(7, 7))}
}

// noise adds weights that keep the scale of what they are multiplied with.
func (f *foreign) noise(name string, shape ...int) string {
	n := product(shape)
	values := make([]float32, n)
	fan := max(n/shape[0], 1)
	if len(shape) == 2 {
		fan = max(shape[0], shape[1])
	}
	for i := range values {
		values[i] = float32(f.rng.NormFloat64() / math.Sqrt(float64(fan)))
	}
	return f.Weights(name, values, shape...)
}

// ones are the statistics of a normalisation.
func (f *foreign) spread(name string, n int) string {
	values := make([]float32, n)
	for i := range values {
		values[i] = .5 + f.rng.Float32()
	}
	return f.Weights(name, values, n)
}

// file ends the building, of an opset.
func (f *foreign) file(t *testing.T, opset int) *onnx.ModelProto {
	t.Helper()
	m, err := f.Model("test", "1")
	if err != nil {
		t.Fatal(err)
	}
	m.OpsetImport[0].Version = int64(opset)
	return m
}

// small starts a network of one convolution, which leaves [N,4,8,8] of an image.
func small(f *foreign, batch any) string {
	x := f.Input("x", "", onnx.TensorProto_FLOAT, batch, 3, 8, 8)
	return f.Op("Relu", []string{f.Op("Conv", []string{x, f.noise("conv.weight", 4, 3, 3, 3)}, onnx.Ints("pads", 1, 1, 1, 1))})
}

// end is a linear layer on the mean of each map.
func end(f *foreign, maps string, batch any) {
	x := f.Op("Flatten", []string{f.Op("GlobalAveragePool", []string{maps})})
	y := f.Op("Gemm", []string{x, f.noise("fc.weight", 5, 4), f.noise("fc.bias", 5)}, onnx.Int("transB", 1))
	f.Output(f.Rename(y, "y"), "", onnx.TensorProto_FLOAT, batch, 5)
}

// keras is a network as tf2onnx writes it: channels last, transposed for each
// convolution, padding left to the runtime, a softmax at the end.
func keras(t *testing.T) *onnx.ModelProto {
	f := newForeign()
	x := f.Input("input_1", "", onnx.TensorProto_FLOAT, "unk__12", 16, 16, 3)
	x = f.Op("Transpose", []string{x}, onnx.Ints("perm", 0, 3, 1, 2))
	x = f.Op("Conv", []string{x, f.noise("conv/kernel", 8, 3, 3, 3), f.noise("conv/bias", 8)}, onnx.Ints("strides", 2, 2), onnx.String("auto_pad", "SAME_UPPER"))
	x = f.Op("BatchNormalization", []string{x, f.spread("bn/gamma", 8), f.noise("bn/beta", 8), f.noise("bn/mean", 8), f.spread("bn/variance", 8)}, onnx.Float("epsilon", 1e-3))
	x = f.Op("Clip", []string{x, f.Scalar(0), f.Scalar(6)})
	x = f.Op("MaxPool", []string{x}, onnx.Ints("kernel_shape", 3, 3), onnx.Ints("strides", 2, 2), onnx.String("auto_pad", "SAME_LOWER"))
	x = f.Op("Transpose", []string{x}, onnx.Ints("perm", 0, 2, 3, 1))
	x = f.Op("ReduceMean", []string{x}, onnx.Ints("axes", 1, 2), onnx.Int("keepdims", 0))
	x = f.Op("Add", []string{f.Op("MatMul", []string{x, f.noise("predictions/kernel", 8, 5)}), f.noise("predictions/bias", 5)})
	f.Output(f.Rename(f.Op("Softmax", []string{x}, onnx.Int("axis", -1)), "predictions"), "", onnx.TensorProto_FLOAT, "unk__13", 5)
	return f.file(t, 15)
}

// cntk is the classic MNIST network of the ONNX model zoo in small: one gray image,
// padding left to the runtime, weights that a Reshape makes a matrix.
func cntk(t *testing.T) *onnx.ModelProto {
	f := newForeign()
	x := f.Input("Input3", "", onnx.TensorProto_FLOAT, 1, 1, 28, 28)
	for i, channels := range []int{8, 16} {
		in := []int{1, 8}[i]
		x = f.Op("Conv", []string{x, f.noise("Parameter", channels, in, 5, 5)}, onnx.Ints("kernel_shape", 5, 5), onnx.String("auto_pad", "SAME_UPPER"), onnx.Ints("dilations", 1, 1))
		x = f.Op("Relu", []string{f.Op("Add", []string{x, f.noise("Plus", channels, 1, 1)})})
		k := 2 + i
		x = f.Op("MaxPool", []string{x}, onnx.Ints("kernel_shape", k, k), onnx.Ints("strides", k, k), onnx.Ints("pads", 0, 0, 0, 0), onnx.String("auto_pad", "NOTSET"))
	}
	x = f.Op("Reshape", []string{x, f.Int64s(1, 256)})
	w := f.Op("Reshape", []string{f.noise("Parameter193", 16, 4, 4, 10), f.Int64s(256, 10)})
	x = f.Op("Add", []string{f.Op("MatMul", []string{x, w}), f.noise("Parameter194", 1, 10)})
	f.Output(f.Rename(x, "Plus214_Output_0"), "", onnx.TensorProto_FLOAT, 1, 10)
	return f.file(t, 12)
}

// paddle is a network as Paddle2ONNX writes it: weights as Constant nodes, which take
// doubles apart into typed fields, and a softmax at the end.
func paddle(t *testing.T) *onnx.ModelProto {
	f := newForeign()
	x := f.Input("x", "", onnx.TensorProto_FLOAT, -1, 3, 16, 16)
	x = f.Op("Conv", []string{x, f.noise("conv1_weights", 4, 3, 3, 3)}, onnx.Ints("pads", 1, 1, 1, 1), onnx.Ints("strides", 2, 2))
	x = f.Op("Mul", []string{x, f.Op("HardSigmoid", []string{x}, onnx.Float("alpha", 1./6), onnx.Float("beta", .5))})
	x = f.Op("AveragePool", []string{x}, onnx.Ints("kernel_shape", 3, 3), onnx.Ints("strides", 2, 2), onnx.Ints("pads", 1, 1, 1, 1), onnx.Int("count_include_pad", 0))
	x = f.Op("Reshape", []string{x, f.Int64s(0, -1)})
	x = f.Op("Add", []string{f.Op("MatMul", []string{x, f.noise("fc_0.w_0", 64, 6)}), f.noise("fc_0.b_0", 6)})
	f.Output(f.Rename(f.Op("Softmax", []string{x}), "softmax_0.tmp_0"), "", onnx.TensorProto_FLOAT, -1, 6)
	m := f.file(t, 11)
	var constants []*onnx.NodeProto
	for _, w := range m.Graph.Initializer {
		value := &onnx.TensorProto{Dims: w.Dims, DataType: w.DataType, RawData: w.RawData}
		if values, err := w.Float32s(); err == nil {
			value.RawData, value.FloatData = nil, values
		}
		constants = append(constants, &onnx.NodeProto{Name: w.Name + "_", OpType: "Constant", Output: []string{w.Name},
			Attribute: []onnx.Attr{{Name: "value", Type: onnx.AttributeProto_TENSOR, T: value}}})
	}
	m.Graph.Node, m.Graph.Initializer = append(constants, m.Graph.Node...), nil
	return m
}

// dynamo is a network as PyTorch's exporter since 2.5 writes it: opset 18, a fixed
// batch, functions of the file with attributes, axes as inputs, parts by number.
func dynamo(t *testing.T) *onnx.ModelProto {
	f := newForeign()
	x := small(f, 1)
	parts := f.Ops("Split", 2, []string{x}, onnx.Int("axis", 1), onnx.Int("num_outputs", 2))
	x = f.Op("Concat", []string{parts[1], parts[0]}, onnx.Int("axis", 1))
	x = f.Op("scaled_gelu", []string{x}, onnx.Float("factor", .5))
	x = f.Op("GroupNormalization", []string{x, f.spread("norm.weight", 2), f.noise("norm.bias", 2)}, onnx.Int("num_groups", 2), onnx.Float("epsilon", 1e-5))
	x = f.Op("ReduceMean", []string{x, f.Int64s(-1, -2)}, onnx.Int("keepdims", 0))
	x = f.Op("Gemm", []string{x, f.noise("fc.weight", 5, 4), f.noise("fc.bias", 5)}, onnx.Int("transB", 1), onnx.Float("alpha", 1), onnx.Float("beta", 1))
	f.Output(f.Rename(x, "linear"), "", onnx.TensorProto_FLOAT, 1, 5)
	m := f.file(t, 18)
	const domain = "pkg.onnxscript.torch_lib"
	m.OpsetImport = append(m.OpsetImport, &onnx.OperatorSetIdProto{Domain: domain, Version: 1})
	for _, n := range m.Graph.Node {
		if n.OpType == "scaled_gelu" {
			n.Domain = domain
		}
	}
	node := func(op, out string, in ...string) *onnx.NodeProto {
		return &onnx.NodeProto{Name: out, OpType: op, Input: in, Output: []string{out}}
	}
	factor := node("Constant", "factor")
	factor.Attribute = []onnx.Attr{{Name: "value_float", Type: onnx.AttributeProto_FLOAT, RefAttrName: "factor"}}
	half := node("Constant", "half")
	half.Attribute = []onnx.Attr{onnx.Float("value_float", .5)}
	inner := node("gelu", "y", "x")
	inner.Domain = domain
	m.Functions = []*onnx.FunctionProto{
		{
			Name: "gelu", Domain: domain, Input: []string{"a"}, Output: []string{"b"}, OpsetImport: m.OpsetImport,
			Node: []*onnx.NodeProto{half, node("Erf", "e", "a"), node("Mul", "m", "a", "e"), node("Add", "s", "m", "a"), node("Mul", "b", "s", "half")},
		},
		{
			Name: "scaled_gelu", Domain: domain, Input: []string{"x"}, Output: []string{"z"}, Attribute: []string{"factor"}, OpsetImport: m.OpsetImport,
			Node: []*onnx.NodeProto{factor, inner, node("Mul", "z", "y", "factor")},
		},
	}
	return m
}

// branched squeezes its maps if a constant says so, as exporters write what they do not
// know the shape of.
func branched(t *testing.T) *onnx.ModelProto {
	f := newForeign()
	x := f.Op("GlobalAveragePool", []string{small(f, "N")})
	size := f.Op("Gather", []string{f.Op("Shape", []string{x}), f.Int64s(3)}, onnx.Int("axis", 0))
	one := f.Op("Squeeze", []string{f.Op("Equal", []string{size, f.Int64s(1)})})
	y := f.Op("If", []string{one})
	axes := f.Int64s(2, 3)
	y = f.Op("Gemm", []string{y, f.noise("fc.weight", 5, 4)}, onnx.Int("transB", 1))
	f.Output(f.Rename(y, "y"), "", onnx.TensorProto_FLOAT, "N", 5)
	m := f.file(t, 13)
	for _, n := range m.Graph.Node {
		if n.OpType != "If" {
			continue
		}
		branch := func(name, op string, in ...string) onnx.Attr {
			return &onnx.AttributeProto{Name: name, Type: onnx.AttributeProto_GRAPH, G: &onnx.GraphProto{
				Name: name, Node: []*onnx.NodeProto{{Name: name, OpType: op, Input: in, Output: []string{name + ".y"}}},
				Output: []*onnx.ValueInfoProto{onnx.Shapeless(name+".y", onnx.TensorProto_FLOAT)},
			}}
		}
		n.Attribute = []onnx.Attr{branch("then_branch", "Squeeze", x, axes), branch("else_branch", "Identity", x)}
	}
	return m
}

// newest has operators of opset 20, and a product with factors whose weights are not
// transposed.
func newest(t *testing.T) *onnx.ModelProto {
	f := newForeign()
	x := f.Op("Gelu", []string{small(f, "N")})
	x = f.Op("Gelu", []string{f.Op("Mul", []string{x, f.Scalar(3)})}, onnx.String("approximate", "tanh"))
	x = f.Op("Mish", []string{x})
	x = f.Op("Pad", []string{x, f.Int64s(1, 2, 2, 1), "", f.Int64s(-1, 2)}, onnx.String("mode", "wrap"))
	x = f.Op("ReduceMax", []string{x, f.Int64s(3)}, onnx.Int("keepdims", 0))
	x = f.Op("ReduceMean", []string{x, f.Int64s(-1)}, onnx.Int("keepdims", 0))
	x = f.Op("Gemm", []string{x, f.noise("fc.weight", 4, 5), f.noise("fc.bias", 1, 5)}, onnx.Float("alpha", .5), onnx.Float("beta", 3))
	f.Output(f.Rename(x, "y"), "", onnx.TensorProto_FLOAT, "N", 5)
	return f.file(t, 20)
}

// attentive has operators of opsets 21 to 24: attention with heads apart and joined, and
// scale and shift of GroupNormalization for each channel.
func attentive(t *testing.T) *onnx.ModelProto {
	f := newForeign()
	x := f.Op("Swish", []string{f.Op("Swish", []string{small(f, "N")})}, onnx.Float("alpha", 1.7))
	x = f.Op("GroupNormalization", []string{x, f.spread("norm.weight", 4), f.noise("norm.bias", 4)}, onnx.Int("num_groups", 2))
	x = f.Op("Transpose", []string{f.Op("Reshape", []string{x, f.Int64s(0, 4, 64)})}, onnx.Ints("perm", 0, 2, 1))
	x = f.Op("RMSNormalization", []string{x, f.spread("rms.weight", 4)}, onnx.Int("axis", -1), onnx.Float("epsilon", 1e-2))
	part := func(name string) string { return f.Op("MatMul", []string{x, f.noise(name, 4, 4)}) }
	joined := f.Op("Attention", []string{part("q"), part("k"), part("v"), f.noise("mask", 64, 64)}, onnx.Int("q_num_heads", 2), onnx.Int("kv_num_heads", 2), onnx.Float("scale", 2))
	apart := func(value string) string {
		return f.Op("Transpose", []string{f.Op("Reshape", []string{value, f.Int64s(0, 64, 2, 2)})}, onnx.Ints("perm", 0, 2, 1, 3))
	}
	y := f.Op("Attention", []string{apart(joined), apart(x), apart(part("v2"))})
	y = f.Op("Reshape", []string{f.Op("Transpose", []string{y}, onnx.Ints("perm", 0, 2, 1, 3)), f.Int64s(0, 64, 4)})
	x = f.Op("ReduceMean", []string{y, f.Int64s(1)}, onnx.Int("keepdims", 0))
	f.Output(f.Rename(f.Op("MatMul", []string{x, f.noise("fc", 4, 5)}), "y"), "", onnx.TensorProto_FLOAT, "N", 5)
	return f.file(t, 24)
}

// pairs takes two images at a time, and counts them in the second axis, within others,
// as attention of PyTorch does.
func pairs(t *testing.T) *onnx.ModelProto {
	f := newForeign()
	x := f.Op("Reshape", []string{small(f, 2), f.Int64s(2, 4, 64)})
	x = f.Op("Transpose", []string{x}, onnx.Ints("perm", 2, 0, 1)) // [64,N,4]
	flat := f.Op("Reshape", []string{x, f.Int64s(128, 4)})
	keys := f.Op("Reshape", []string{f.Op("MatMul", []string{flat, f.noise("k", 4, 4)}), f.Int64s(64, 4, 2)}) // two heads
	keys = f.Op("Transpose", []string{keys}, onnx.Ints("perm", 1, 2, 0))
	heads := f.Op("Transpose", []string{f.Op("Reshape", []string{x, f.Int64s(64, 4, 2)})}, onnx.Ints("perm", 1, 0, 2))
	weights := f.Op("Softmax", []string{f.Op("MatMul", []string{heads, keys})}, onnx.Int("axis", -1))
	x = f.Op("Transpose", []string{f.Op("MatMul", []string{weights, heads})}, onnx.Ints("perm", 1, 0, 2))
	x = f.Op("Reshape", []string{x, f.Int64s(64, 2, 4)})
	x = f.Op("ReduceMean", []string{x}, onnx.Ints("axes", 0), onnx.Int("keepdims", 0))
	f.Output(f.Rename(f.Op("MatMul", []string{x, f.noise("fc", 4, 5)}), "y"), "", onnx.TensorProto_FLOAT, 2, 5)
	return f.file(t, 17)
}

// halves is a network of half precision.
func halves(t *testing.T) *onnx.ModelProto {
	f := newForeign()
	end(f, small(f, "N"), "N")
	m := f.file(t, 17)
	m.Graph.Input[0].Type.GetTensorType().ElemType = int32(onnx.TensorProto_FLOAT16)
	m.Graph.Output[0].Type.GetTensorType().ElemType = int32(onnx.TensorProto_FLOAT16)
	for _, w := range m.Graph.Initializer {
		values, err := w.Float32s()
		if err != nil {
			continue
		}
		w.DataType, w.RawData = int32(onnx.TensorProto_FLOAT16), nil
		for _, v := range values {
			w.RawData = binary.LittleEndian.AppendUint16(w.RawData, toHalf(v))
		}
	}
	return m
}

// toHalf cuts a number of ordinary size to half precision.
func toHalf(v float32) uint16 {
	bits := math.Float32bits(v)
	exponent := int(bits>>23&255) - 127 + 15
	if exponent < 1 {
		return 0
	}
	return uint16(bits>>16&0x8000) | uint16(exponent<<10) | uint16(bits>>13&1023)
}

// bytes is a network that takes the image as it is, and normalises it.
func bytesInput(t *testing.T) *onnx.ModelProto {
	f := newForeign()
	x := f.Input("x", "", onnx.TensorProto_UINT8, "N", 8, 8, 3)
	x = f.Op("Cast", []string{f.Op("Transpose", []string{x}, onnx.Ints("perm", 0, 3, 1, 2))}, onnx.Int("to", int(onnx.TensorProto_FLOAT)))
	x = f.Op("Div", []string{f.Op("Sub", []string{x, f.Weights("mean", []float32{120, 110, 100}, 1, 3, 1, 1)}), f.Scalar(60)})
	end(f, f.Op("Conv", []string{x, f.noise("conv.weight", 4, 3, 3, 3)}), "N")
	return f.file(t, 17)
}

// resnetHead ends in a 1x1 convolution whose maps are [N,C,1,1], as does SqueezeNet, and
// normalises responses, as AlexNet did.
func mapsOut(t *testing.T) *onnx.ModelProto {
	f := newForeign()
	x := f.Op("LRN", []string{small(f, "N")}, onnx.Int("size", 3), onnx.Float("alpha", 2), onnx.Float("bias", 1), onnx.Float("beta", .75))
	x = f.Op("Pad", []string{x, f.Int64s(0, 0, 1, 2, 0, 0, 2, 1)}, onnx.String("mode", "reflect"))
	x = f.Op("Conv", []string{x, f.noise("classifier.weight", 5, 4, 1, 1)})
	f.Output(f.Rename(f.Op("GlobalAveragePool", []string{x}), "y"), "", onnx.TensorProto_FLOAT, "N", 5, 1, 1)
	return f.file(t, 17)
}

// pixelHead ends in a 1x1 convolution of the mean, of which x[..., 0, 0] is taken, as in
// the published ResNets of BiT.
func pixelHead(t *testing.T) *onnx.ModelProto {
	f := newForeign()
	x := f.Op("ReduceMean", []string{small(f, "N")}, onnx.Ints("axes", 2, 3))
	x = f.Op("Conv", []string{x, f.noise("head.weight", 5, 4, 1, 1)})
	for range 2 {
		x = f.Op("Gather", []string{x, f.Tensor(onnx.NewInts("zero", []int64{0}))}, onnx.Int("axis", -1))
	}
	f.Output(f.Rename(x, "y"), "", onnx.TensorProto_FLOAT, "N", 5)
	return f.file(t, 17)
}

// positions takes images of any size by its shape, but adds a map of 8x8.
func positions(t *testing.T) *onnx.ModelProto {
	f := newForeign()
	x := f.Input("x", "", onnx.TensorProto_FLOAT, "N", 3, "H", "W")
	x = f.Op("Add", []string{f.Op("Conv", []string{x, f.noise("conv.weight", 4, 3, 1, 1)}), f.noise("map", 1, 1, 8, 8)})
	x = f.Op("Reshape", []string{x, f.Op("Shape", []string{x})})
	end(f, x, "N")
	return f.file(t, 17)
}

// blank has the same logits for all images.
func blank(t *testing.T) *onnx.ModelProto {
	m := sound(t)
	*m.Graph.Initializer[1] = *onnx.NewFloats("fc.weight", make([]float32, 20), 5, 4)
	return m
}

// pixels are the options of a network that normalises by itself.
func pixels(size int) Options {
	opt := normal(size)
	opt.Mean, opt.Std = [3]float64{}, [3]float64{1. / 255, 1. / 255, 1. / 255}
	return opt
}

// TestForeign imports files as other programs write them: the proof at import compares
// with the file itself, and here is what else must hold.
func TestForeign(t *testing.T) {
	gray := pixels(28)
	gray.Channels = Gray
	bgr := pixels(16)
	bgr.Channels = BGR
	for name, c := range map[string]struct {
		file    *onnx.ModelProto
		opt     Options
		classes int
		feature bool
		note    string
	}{
		"Keras":             {keras(t), normal(16), 5, true, "the Softmax at the end is left out"},
		"Keras of Caffe":    {keras(t), bgr, 5, true, "Softmax"},
		"CNTK":              {cntk(t), gray, 10, true, ""},
		"Paddle":            {paddle(t), normal(16), 6, true, "Softmax"},
		"PyTorch's dynamo":  {dynamo(t), normal(8), 5, true, ""},
		"branches":          {branched(t), normal(8), 5, true, ""},
		"opset 20":          {newest(t), normal(8), 5, true, ""},
		"opset 24":          {attentive(t), normal(8), 5, true, ""},
		"two at a time":     {pairs(t), normal(8), 5, true, ""},
		"half precision":    {halves(t), normal(8), 5, true, "constants of FLOAT16 are computed with as FLOAT"},
		"bytes":             {bytesInput(t), pixels(8), 5, true, ""},
		"maps of one pixel": {mapsOut(t), normal(8), 5, true, ""},
		"the pixel of maps": {pixelHead(t), normal(8), 5, true, ""},
		"blank":             {blank(t), normal(8), 5, true, "the logits are the same for black, white and patterned images"},
	} {
		t.Run(name, func(t *testing.T) {
			net, err := Import(c.file, c.opt)
			if err != nil {
				t.Fatal(err)
			}
			if net.Single || net.Classes != c.classes || (net.Feature != "") != c.feature || !strings.Contains(strings.Join(net.Notes, "\n"), c.note) || c.note == "" && len(net.Notes) > 0 {
				t.Errorf("single %v, %d classes, feature %q, notes %q", net.Single, net.Classes, net.Feature, net.Notes)
			}
		})
	}
}

// TestChannels: red and blue change places for a network that takes them so, and are
// weighed for one of a single channel.
func TestChannels(t *testing.T) {
	rgb, err := Import(keras(t), normal(16))
	if err != nil {
		t.Fatal(err)
	}
	opt := normal(16)
	opt.Channels = BGR
	bgr, err := Import(keras(t), opt)
	if err != nil {
		t.Fatal(err)
	}
	image := sines(1, 16)
	swapped := slices.Concat(image[2*256:], image[256:2*256], image[:256])
	if off := difference(run(t, bgr, swapped, 1), run(t, rgb, image, 1)); off > 1e-6 {
		t.Errorf("an image with red and blue swapped is %v off", off)
	}
	opt = pixels(28)
	opt.Channels = Gray
	gray, err := Import(cntk(t), opt)
	if err != nil {
		t.Fatal(err)
	}
	image = sines(1, 28)
	mixed := make([]float32, len(image))
	for i := range mixed {
		k := i % 784
		mixed[i] = 0.299*image[k] + 0.587*image[784+k] + 0.114*image[2*784+k]
	}
	if off := difference(run(t, gray, mixed, 1), run(t, gray, image, 1)); off > 1e-5 {
		t.Errorf("an image made gray before is %v off", off)
	}
}

// TestSingle: where images change each other's logits, or it cannot be told that they
// do not, the network takes one at a time.
func TestSingle(t *testing.T) {
	f := newForeign()
	x := small(f, "N")
	x = f.Op("Sub", []string{x, f.Op("ReduceMean", []string{x}, onnx.Ints("axes", 0))})
	end(f, f.Op("Add", []string{x, f.noise("bias", 4, 8, 8)}), "N")
	net, err := Import(f.file(t, 17), normal(8))
	if err != nil {
		t.Fatal(err)
	}
	if !net.Single || !strings.Contains(strings.Join(net.Notes, ""), "one at a time") || describeValue(net.Model.Graph.Input[0]) != "FLOAT [1,3,8,8]" {
		t.Errorf("single %v, notes %q, input %s", net.Single, net.Notes, describeValue(net.Model.Graph.Input[0]))
	}
}

// TestExternal reads weights from a file beside, and refuses what is not there.
func TestExternal(t *testing.T) {
	folder := t.TempDir()
	write := func(change func(w *onnx.TensorProto)) string {
		f := newForeign()
		end(f, small(f, "N"), "N")
		m := f.file(t, 17)
		var data []byte
		for _, w := range m.Graph.Initializer {
			if len(w.RawData) < 100 {
				continue
			}
			w.ExternalData = []*onnx.StringStringEntryProto{{Key: "location", Value: "net.onnx.data"}, {Key: "offset", Value: "8"}}
			data = append(make([]byte, 8), w.RawData...)
			w.RawData, w.DataLocation = nil, onnx.TensorProto_EXTERNAL
			change(w)
		}
		file, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		for name, content := range map[string][]byte{"net.onnx": file, "net.onnx.data": data} {
			if err := os.WriteFile(filepath.Join(folder, name), content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return filepath.Join(folder, "net.onnx")
	}
	m, files, err := ReadFiles(write(func(*onnx.TensorProto) {}))
	if err != nil || !slices.Equal(files, []string{filepath.Join(folder, "net.onnx.data")}) {
		t.Fatalf("files %v, error %v", files, err)
	}
	if _, err := Import(m, normal(8)); err != nil {
		t.Fatal(err)
	}
	set := func(key, value string) func(w *onnx.TensorProto) {
		return func(w *onnx.TensorProto) {
			w.ExternalData = append(w.ExternalData, &onnx.StringStringEntryProto{Key: key, Value: value})
		}
	}
	if err := os.Symlink("/etc/hostname", filepath.Join(folder, "link")); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(w *onnx.TensorProto)
		want   string
	}{
		"missing":      {set("location", "other.data"), "it is not there; it belongs beside the ONNX file"},
		"outside":      {set("location", "../../../../etc/passwd"), "must lie in the folder of the ONNX file"},
		"absolute":     {set("location", "/etc/passwd"), "must lie in the folder of the ONNX file"},
		"link":         {set("location", "link"), "must lie in the folder of the ONNX file"},
		"folder":       {set("location", "."), "it does not have 432 bytes from 8 on"},
		"beyond":       {set("offset", "100"), "it does not have 432 bytes from 100 on"},
		"far beyond":   {set("offset", "9223372036854775807"), "it does not have"},
		"negative":     {set("offset", "-1"), `its offset is "-1"; want a number of bytes`},
		"other length": {set("length", "400"), "400 bytes, but the shape [4 3 3 3] of FLOAT takes 432"},
		"huge":         {func(w *onnx.TensorProto) { w.Dims = []int64{1 << 40} }, "more than 2147483647 bytes together"},
	} {
		if _, err := Read(write(c.change)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one that says %q", name, err, c.want)
		}
	}
}

// TestClassNames reads the names that a file's metadata has.
func TestClassNames(t *testing.T) {
	for text, want := range map[string][]string{
		`["cat", "dog"]`:             {"cat", "dog"},
		`{"0": "cat", "1": "dog"}`:   {"cat", "dog"},
		`{"1": "cat", "2": "dog"}`:   nil,
		`{"0": "cat", "one": "dog"}`: nil,
		`cat, dog`:                   nil,
	} {
		m := keras(t)
		m.MetadataProps = []*onnx.StringStringEntryProto{{Key: "task", Value: "classify"}, {Key: "id2label", Value: text}}
		if got := classNames(m); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}
