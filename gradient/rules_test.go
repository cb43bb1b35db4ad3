package gradient

import (
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/ascood/ascood/gotorch"
	"github.com/ascood/ascood/internal/ort"
	"github.com/ascood/ascood/onnx"
)

// call is an operator of libtorch on the first operand.
func call(op string, args ...any) func(x tensors) gotorch.Tensor {
	return func(x tensors) gotorch.Tensor { return gotorch.Call(nil, op, append([]any{x[0]}, args...)...) }
}

// ofTwo is an operator of libtorch on two operands.
func ofTwo(op string) func(x tensors) gotorch.Tensor {
	return func(x tensors) gotorch.Tensor { return gotorch.Call(nil, op, x[0], x[1]) }
}

func in(o ...operand) []operand { return o }

var (
	axis  = func(v int) onnx.Attr { return onnx.Int("axis", v) }
	axes  = func(v ...int) onnx.Attr { return onnx.Ints("axes", v...) }
	drop  = onnx.Int("keepdims", 0)
	alpha = func(v float32) onnx.Attr { return onnx.Float("alpha", v) }
)

var elementwiseCases = []ruleCase{
	{op: "Add", in: in(images(3, 4), images(3, 4)), torch: ofTwo("add.Tensor")},
	{op: "Add", in: in(images(3, 4), images(3, 1)), torch: ofTwo("add.Tensor")},
	{op: "Add", in: in(images(2, 3, 4), constant(3, 1)), torch: ofTwo("add.Tensor")},
	{op: "Sum", in: in(images(3, 4), images(1, 4), images(3, 1)), torch: func(x tensors) gotorch.Tensor { return x[0].Add(x[1]).Add(x[2]) }},
	{op: "Sum", in: in(images(3)), torch: func(x tensors) gotorch.Tensor { return x[0].MulScalar(1) }},
	{op: "Sub", in: in(images(3, 4), images(3, 1)), torch: ofTwo("sub.Tensor")},
	{op: "Sub", in: in(number(1), images(3, 4)), torch: ofTwo("sub.Tensor")},
	{op: "Mul", in: in(images(3, 4, 4), images(3, 1, 1)), torch: ofTwo("mul.Tensor")},
	{op: "Mul", in: in(images(3, 4), number(0.5)), torch: ofTwo("mul.Tensor")},
	{op: "Mul", in: in(images(3)), graph: func(b *onnx.Builder, x []string) string { return b.Op("Mul", []string{x[0], x[0]}) },
		torch: func(x tensors) gotorch.Tensor { return x[0].Mul(x[0]) }},
	{op: "Div", in: in(images(3, 4), images(3, 1).positive()), torch: ofTwo("div.Tensor")},
	{op: "Div", in: in(number(2), images(3, 4).positive()), torch: ofTwo("div.Tensor")},
	{op: "Div", in: in(images(3, 4), number(255)), torch: ofTwo("div.Tensor")},
	{op: "Pow", in: in(images(3, 4), number(2)), torch: call("pow.Tensor_Scalar", 2.0)},
	{op: "Pow", in: in(images(3, 4), number(3)), torch: call("pow.Tensor_Scalar", 3.0)},
	{op: "Pow", in: in(images(3, 4).positive(), number(0.5)), torch: call("pow.Tensor_Scalar", 0.5)},
	{op: "Pow", in: in(images(3, 4).positive(), number(-1.5)), torch: call("pow.Tensor_Scalar", -1.5)},
	{op: "Pow", in: in(images(3, 4), number(1)), torch: call("pow.Tensor_Scalar", 1.0)},
	{op: "Pow", in: in(images(3, 4), operand{shape: onnx.Static(4), values: number(2).values}), torch: call("pow.Tensor_Scalar", 2.0)},
	{op: "Neg", in: in(images(3, 4)), torch: call("neg")},
	{op: "Identity", in: in(images(3, 4)), torch: call("clone")},
	{op: "Cast", in: in(images(3, 4)), attrs: []onnx.Attr{onnx.Int("to", int(onnx.TensorProto_FLOAT))}, torch: call("clone")},
	{op: "Dropout", in: in(images(3, 4)), torch: call("clone")},
	{op: "Sqrt", in: in(images(3, 4).positive()), torch: call("sqrt")},
	{op: "Reciprocal", in: in(images(3, 4).positive()), torch: call("reciprocal")},
	{op: "Exp", in: in(images(3, 4)), torch: call("exp")},
	{op: "Log", in: in(images(3, 4).positive()), torch: call("log")},
	{op: "Abs", in: in(images(3, 4)), torch: call("abs")},
	{op: "Erf", in: in(images(3, 4)), torch: call("erf")},
	{op: "Sin", in: in(images(3, 4)), torch: call("sin")},
	{op: "Cos", in: in(images(3, 4)), torch: call("cos")},
	{op: "Max", in: in(images(3, 4), images(3, 1)), torch: ofTwo("maximum")},
	{op: "Max", in: in(images(3, 4).few(), images(3, 4).few()), torch: ofTwo("maximum"), kinked: true},
	{op: "Max", in: in(images(3, 4), images(3, 1), number(0.1)), torch: func(x tensors) gotorch.Tensor { return x[0].Maximum(x[1]).Maximum(x[2]) }},
	{op: "Min", in: in(images(3, 4), images(3, 1)), torch: ofTwo("minimum")},
	{op: "Min", in: in(images(3, 4).few(), images(3, 4).few()), torch: ofTwo("minimum"), kinked: true},
	{op: "Where", in: in(images(1, 4).off(), images(3, 4), images(3, 1)), graph: func(b *onnx.Builder, x []string) string {
		return b.Op("Where", []string{b.Op("Greater", []string{x[0], b.Scalar(0)}), x[1], x[2]})
	}, torch: func(x tensors) gotorch.Tensor { return gotorch.Where(x[0].GtScalar(0), x[1], x[2]) }},
}

var activationCases = []ruleCase{
	{op: "Relu", in: in(images(3, 4)), torch: call("relu")},
	{op: "Relu", in: in(images(3, 4).few()), torch: call("relu"), kinked: true},
	{op: "LeakyRelu", in: in(images(3, 4)), torch: call("leaky_relu", 0.01)},
	{op: "LeakyRelu", in: in(images(3, 4)), attrs: []onnx.Attr{alpha(0.2)}, torch: call("leaky_relu", float64(float32(0.2)))},
	{op: "PRelu", in: in(images(3, 4, 4), constant(3, 1, 1)), torch: func(x tensors) gotorch.Tensor { return gotorch.Call(nil, "prelu", x[0], x[1].Flatten(0, -1)) }},
	{op: "PRelu", in: in(images(3, 4), number(0.25)), torch: call("leaky_relu", 0.25)},
	{op: "ThresholdedRelu", in: in(images(3, 4)), attrs: []onnx.Attr{alpha(0.5)}, torch: call("threshold", 0.5, 0.0)},
	{op: "Clip", in: in(images(3, 40), number(0), number(0.75)), torch: call("hardtanh", 0.0, 0.75)},
	{op: "Clip", in: in(images(3, 40), number(-0.3), number(6)), torch: call("hardtanh", float64(float32(-0.3)), 6.0)},
	{op: "Clip", in: in(images(3, 40).few(), number(0), number(2)), torch: call("hardtanh", 0.0, 2.0), kinked: true},
	{op: "Clip", in: in(images(3, 40), number(-0.5)), torch: call("clamp", -0.5, nil)},
	{op: "Clip", in: in(images(3, 40), omitted, number(0.5)), torch: call("clamp", nil, 0.5)},
	{op: "Clip", in: in(images(3, 40), number(-math.MaxFloat32), number(1e-3)), torch: call("clamp", nil, float64(float32(1e-3)))},
	{op: "Clip", in: in(images(3, 40)), torch: call("clone")},
	{op: "HardSigmoid", in: in(images(3, 40)), torch: func(x tensors) gotorch.Tensor {
		return gotorch.Call(nil, "hardtanh", x[0].MulScalar(float64(float32(0.2))).AddScalar(0.5), 0.0, 1.0)
	}},
	{op: "HardSigmoid", in: in(images(3, 40)), attrs: []onnx.Attr{alpha(0.9), onnx.Float("beta", 0.25)}, torch: func(x tensors) gotorch.Tensor {
		return gotorch.Call(nil, "hardtanh", x[0].MulScalar(float64(float32(0.9))).AddScalar(0.25), 0.0, 1.0)
	}},
	{op: "HardSwish", in: in(images(3, 40), number(3)), graph: func(b *onnx.Builder, x []string) string {
		return b.Op("HardSwish", []string{b.Op("Mul", x)}) // beyond -3 and 3, too
	}, torch: func(x tensors) gotorch.Tensor { return gotorch.Call(nil, "hardswish", x[0].Mul(x[1])) }},
	{op: "HardSwish", in: in(images(3, 4, 5), number(3)), graph: func(b *onnx.Builder, x []string) string {
		return b.Op("HardSwish", []string{b.Op("Mul", x)})
	}, torch: func(x tensors) gotorch.Tensor { return gotorch.Call(nil, "hardswish", x[0].Mul(x[1])) }},
	{op: "Sigmoid", in: in(images(3, 4)), torch: call("sigmoid")},
	{op: "Mul", in: in(images(3, 4)), graph: func(b *onnx.Builder, x []string) string {
		return b.Op("Mul", []string{x[0], b.Op("Sigmoid", x)})
	}, torch: call("silu")},
	// GELU, which is no operator of its own either.
	{op: "Erf", in: in(images(3, 4)), graph: func(b *onnx.Builder, x []string) string {
		z := b.Op("Div", []string{x[0], b.Scalar(math.Sqrt2)})
		sum := b.Op("Add", []string{b.Op("Erf", []string{z}), b.Scalar(1)})
		return b.Op("Mul", []string{b.Op("Mul", []string{x[0], sum}), b.Scalar(.5)})
	}, torch: call("gelu", "none")},
	// The factor of x is used elsewhere, too.
	{op: "Erf", in: in(images(3, 4)), graph: func(b *onnx.Builder, x []string) string {
		sum := b.Op("Add", []string{b.Scalar(1), b.Op("Erf", []string{b.Op("Mul", []string{x[0], b.Scalar(2)})})})
		return b.Op("Add", []string{b.Op("Mul", []string{sum, x[0]}), sum})
	}, torch: func(x tensors) gotorch.Tensor {
		sum := gotorch.Call(nil, "erf", x[0].MulScalar(2)).AddScalar(1)
		return sum.Mul(x[0]).Add(sum)
	}},
	{op: "Mul", in: in(images(3, 4)), graph: func(b *onnx.Builder, x []string) string { // the Sigmoid has another use
		s := b.Op("Sigmoid", x)
		return b.Op("Mul", []string{b.Op("Mul", []string{s, x[0]}), s})
	}, torch: func(x tensors) gotorch.Tensor { s := gotorch.Call(nil, "sigmoid", x[0]); return x[0].Mul(s).Mul(s) }},
	{op: "Tanh", in: in(images(3, 4)), torch: call("tanh")},
	{op: "Elu", in: in(images(3, 4)), attrs: []onnx.Attr{alpha(0.5)}, torch: call("elu", 0.5)},
	{op: "Elu", in: in(images(3, 4)), torch: call("elu")},
	{op: "Selu", in: in(images(3, 4)), torch: call("selu")},
	{op: "Celu", in: in(images(3, 4)), attrs: []onnx.Attr{alpha(0.5)}, torch: call("celu", 0.5)},
	{op: "Softplus", in: in(images(3, 4)), torch: call("softplus")},
	{op: "Softsign", in: in(images(3, 4)), torch: func(x tensors) gotorch.Tensor { return x[0].Div(x[0].Abs().AddScalar(1)) }},
}

var productCases = []ruleCase{
	{op: "Gemm", in: in(images(5), constant(5, 7), constant(7)), torch: func(x tensors) gotorch.Tensor { return x[0].MatMul(x[1]).Add(x[2]) }},
	{op: "Gemm", in: in(images(5), constant(7, 5)), attrs: []onnx.Attr{onnx.Int("transB", 1), alpha(0.5)}, torch: func(x tensors) gotorch.Tensor {
		return x[0].MatMul(x[1].Transpose(0, 1)).MulScalar(0.5)
	}},
	{op: "Gemm", in: in(images(5), constant(5, 7), images(1)), attrs: []onnx.Attr{onnx.Float("beta", 2)}, torch: func(x tensors) gotorch.Tensor {
		return x[0].MatMul(x[1]).Add(x[2].MulScalar(2))
	}},
	{op: "MatMul", in: in(images(5), constant(5, 7)), torch: ofTwo("matmul")},
	{op: "MatMul", in: in(images(4, 5), constant(5, 7)), torch: ofTwo("matmul")},
	{op: "MatMul", in: in(images(2, 4, 5), images(2, 5, 3)), torch: ofTwo("matmul")},
	{op: "MatMul", in: in(images(2, 4, 5), images(1, 5, 3)), torch: ofTwo("matmul")},
	{op: "MatMul", in: in(images(2, 4, 5), constant(2, 5, 3)), torch: ofTwo("matmul")},
	{op: "MatMul", in: in(constant(6, 4), images(4, 5)), torch: ofTwo("matmul")},
	{op: "MatMul", in: in(images(4, 5), images(2, 5, 3)), graph: func(b *onnx.Builder, x []string) string {
		return b.Op("MatMul", []string{b.Op("Unsqueeze", []string{x[0], b.Int64s(1)}), x[1]})
	}, torch: func(x tensors) gotorch.Tensor { return x[0].Unsqueeze(1).MatMul(x[1]) }},
	{op: "Einsum", in: in(images(4, 5), images(6, 5)), attrs: []onnx.Attr{onnx.String("equation", "bid,bjd->bij")}, torch: func(x tensors) gotorch.Tensor {
		return x[0].MatMul(x[1].Transpose(1, 2))
	}},
	{op: "Einsum", in: in(images(4, 5), images(5, 6)), attrs: []onnx.Attr{onnx.String("equation", "bij,bjd->bid")}, torch: func(x tensors) gotorch.Tensor {
		return gotorch.Call(nil, "einsum", "bij,bjd->bid", []gotorch.Tensor{x[0], x[1]})
	}},
	{op: "Einsum", in: in(images(5, 4), images(5, 6)), attrs: []onnx.Attr{onnx.String("equation", "bji,bjd->bdi")}, torch: func(x tensors) gotorch.Tensor {
		return gotorch.Call(nil, "einsum", "bji,bjd->bdi", []gotorch.Tensor{x[0], x[1]})
	}},
	{op: "Einsum", in: in(images(2, 4, 5), images(2, 6, 5)), attrs: []onnx.Attr{onnx.String("equation", "bhij,bhdj->bhdi")}, torch: func(x tensors) gotorch.Tensor {
		return gotorch.Call(nil, "einsum", "bhij,bhdj->bhdi", []gotorch.Tensor{x[0], x[1]})
	}},
	{op: "Einsum", in: in(images(4, 5), images(3, 5)), attrs: []onnx.Attr{onnx.String("equation", "bin,bkn->bin")}, torch: func(x tensors) gotorch.Tensor {
		return gotorch.Call(nil, "einsum", "bin,bkn->bin", []gotorch.Tensor{x[0], x[1]})
	}},
	{op: "Einsum", in: in(images(4, 5), constant(5, 2, 3)), attrs: []onnx.Attr{onnx.String("equation", "b i d, d h e -> b h i e")}, torch: func(x tensors) gotorch.Tensor {
		return gotorch.Call(nil, "einsum", "bid,dhe->bhie", []gotorch.Tensor{x[0], x[1]})
	}},
	{op: "Einsum", in: in(images(4, 5), images(4)), attrs: []onnx.Attr{onnx.String("equation", "bij,bi->b")}, torch: func(x tensors) gotorch.Tensor {
		return gotorch.Call(nil, "einsum", "bij,bi->b", []gotorch.Tensor{x[0], x[1]})
	}},
	{op: "Einsum", in: in(images(4, 5)), attrs: []onnx.Attr{onnx.String("equation", "bij->jb")}, torch: func(x tensors) gotorch.Tensor { return x[0].Sum(1).Transpose(0, 1) }},
}

// window is the attributes of what slides; pads are before and after, of both axes.
func window(strides, dilations, pads []int, more ...onnx.Attr) []onnx.Attr {
	return append([]onnx.Attr{onnx.Ints("strides", strides...), onnx.Ints("dilations", dilations...), onnx.Ints("pads", pads...)}, more...)
}

// padded adds elements of the given value around the last two axes; pads are as in
// window.
func padded(x gotorch.Tensor, pads []int, value float64) gotorch.Tensor {
	return gotorch.Call(nil, "constant_pad_nd", x, []int{pads[1], pads[3], pads[0], pads[2]}, value)
}

// conv is a convolution of maps of the given shape.
func conv(maps []int, weight []int, strides, dilations, pads []int, group int) ruleCase {
	return ruleCase{
		op: "Conv", in: in(images(maps...), constant(weight...), constant(weight[0])),
		attrs: window(strides, dilations, pads, onnx.Int("group", group)),
		torch: func(x tensors) gotorch.Tensor {
			return gotorch.Call(nil, "convolution", padded(x[0], pads, 0), x[1], x[2], strides, []int{0, 0}, dilations, false, []int{0, 0}, group)
		},
	}
}

func two(v ...int) []int { return v }

var convolutionCases = []ruleCase{
	// Stride 1.
	conv(two(3, 8, 8), two(4, 3, 3, 3), two(1, 1), two(1, 1), two(1, 1, 1, 1), 1),
	conv(two(3, 9, 9), two(4, 3, 5, 5), two(1, 1), two(1, 1), two(0, 0, 0, 0), 1),
	conv(two(3, 9, 8), two(4, 3, 3, 5), two(1, 1), two(1, 1), two(0, 2, 1, 0), 1),
	conv(two(3, 9, 9), two(4, 3, 3, 3), two(1, 1), two(2, 3), two(2, 3, 1, 0), 1),
	conv(two(4, 8, 8), two(6, 2, 3, 3), two(1, 1), two(1, 1), two(1, 1, 1, 1), 2),
	conv(two(4, 8, 8), two(4, 1, 3, 3), two(1, 1), two(1, 1), two(1, 1, 1, 1), 4),
	conv(two(4, 8, 8), two(8, 1, 3, 3), two(1, 1), two(1, 1), two(1, 1, 1, 1), 4),
	conv(two(3, 8, 8), two(4, 3, 1, 1), two(1, 1), two(1, 1), two(0, 0, 0, 0), 1),
	conv(two(3, 6, 6), two(4, 3, 1, 1), two(1, 1), two(1, 1), two(1, 1, 1, 1), 1), // padding beyond the kernel's reach
	// Phases.
	conv(two(3, 8, 8), two(4, 3, 3, 3), two(2, 2), two(1, 1), two(1, 1, 1, 1), 1),
	conv(two(3, 9, 9), two(4, 3, 3, 3), two(2, 2), two(1, 1), two(1, 1, 1, 1), 1),
	conv(two(3, 8, 8), two(4, 3, 1, 1), two(2, 2), two(1, 1), two(0, 0, 0, 0), 1),
	conv(two(3, 9, 9), two(4, 3, 1, 1), two(2, 2), two(1, 1), two(0, 0, 0, 0), 1),
	conv(two(6, 9, 8), two(4, 3, 1, 1), two(2, 2), two(1, 1), two(0, 0, 0, 0), 2),
	conv(two(3, 12, 12), two(4, 3, 7, 7), two(2, 2), two(1, 1), two(3, 3, 3, 3), 1),
	conv(two(3, 10, 10), two(4, 3, 2, 2), two(3, 3), two(1, 1), two(0, 0, 0, 0), 1),
	conv(two(3, 12, 12), two(5, 3, 4, 4), two(4, 4), two(1, 1), two(0, 0, 0, 0), 1), // patches
	conv(two(3, 9, 8), two(4, 3, 5, 3), two(2, 2), two(1, 1), two(2, 1, 1, 0), 1),
	// Phases by a convolution each.
	conv(two(16, 8, 8), two(4, 16, 3, 3), two(2, 2), two(1, 1), two(1, 1, 1, 1), 1),
	conv(two(16, 9, 8), two(4, 16, 5, 3), two(2, 2), two(1, 1), two(2, 1, 1, 0), 1),
	conv(two(18, 9, 8), two(4, 9, 3, 3), two(2, 2), two(1, 1), two(1, 1, 1, 1), 2),
	conv(two(16, 9, 8), two(4, 16, 1, 1), two(2, 2), two(1, 1), two(0, 0, 0, 0), 1),
	conv(two(16, 9, 9), two(16, 1, 1, 1), two(2, 2), two(1, 1), two(0, 0, 0, 0), 16),
	conv(two(16, 10, 10), two(4, 16, 2, 2), two(3, 3), two(1, 1), two(0, 0, 0, 0), 1),
	conv(two(16, 8, 8), two(4, 16, 3, 3), two(2, 2), two(1, 1), two(2, 2, 0, 0), 1), // a phase begins late
	conv(two(16, 8, 8), two(4, 16, 3, 3), two(2, 2), two(1, 1), two(2, 0, 1, 2), 1),
	// Phases in groups.
	conv(two(4, 8, 8), two(4, 1, 3, 3), two(2, 2), two(1, 1), two(1, 1, 1, 1), 4),
	conv(two(4, 9, 9), two(4, 1, 5, 5), two(2, 2), two(1, 1), two(2, 2, 2, 2), 4),
	conv(two(4, 9, 9), two(8, 1, 3, 3), two(2, 2), two(1, 1), two(1, 1, 1, 1), 4),
	conv(two(6, 8, 8), two(4, 3, 3, 3), two(2, 2), two(1, 1), two(1, 1, 1, 1), 2),
	conv(two(4, 9, 9), two(4, 1, 3, 3), two(2, 2), two(1, 1), two(0, 0, 1, 1), 4),
	// What is left to ConvTranspose.
	conv(two(3, 9, 9), two(4, 3, 3, 3), two(2, 1), two(1, 1), two(1, 1, 1, 1), 1),
	conv(two(3, 11, 11), two(4, 3, 3, 3), two(2, 2), two(2, 2), two(2, 2, 2, 2), 1),
	conv(two(4, 9, 9), two(4, 1, 3, 3), two(2, 3), two(1, 1), two(1, 1, 1, 1), 4),
	conv(two(3, 8, 8), two(4, 3, 1, 1), two(2, 2), two(1, 1), two(1, 1, 1, 1), 1),
	conv(two(3, 40, 40), two(4, 3, 3, 3), two(17, 17), two(1, 1), two(1, 1, 1, 1), 1),
	{op: "Conv", in: in(images(3, 9), constant(4, 3, 3)), attrs: window(two(1), two(2), two(1, 2)), torch: func(x tensors) gotorch.Tensor {
		return gotorch.Call(nil, "conv1d", gotorch.Call(nil, "constant_pad_nd", x[0], []int{1, 2}, 0.0), x[1], nil, []int{1}, []int{0}, []int{2}, 1)
	}},
	{op: "Conv", in: in(images(3, 9), constant(4, 3, 3)), attrs: window(two(2), two(1), two(1, 1)), torch: func(x tensors) gotorch.Tensor {
		return gotorch.Call(nil, "conv1d", x[0], x[1], nil, []int{2}, []int{1}, []int{1}, 1)
	}},
	{op: "ConvTranspose", in: in(images(4, 4, 4), constant(4, 3, 3, 3), constant(3)), attrs: window(two(2, 2), two(1, 1), two(1, 1, 1, 1), onnx.Ints("output_padding", 1, 0)),
		torch: func(x tensors) gotorch.Tensor {
			return gotorch.Call(nil, "convolution", x[0], x[1], x[2], []int{2, 2}, []int{1, 1}, []int{1, 1}, true, []int{1, 0}, 1)
		}},
}

// maxPool is a pool of maps of one size.
func maxPool(o operand, kernel, strides, dilations, pads []int, ceil bool) ruleCase {
	mode := 0
	if ceil {
		mode = 1
	}
	return ruleCase{
		op: "MaxPool", in: in(o), attrs: window(strides, dilations, pads, onnx.Ints("kernel_shape", kernel...), onnx.Int("ceil_mode", mode)),
		torch: func(x tensors) gotorch.Tensor {
			return gotorch.Call(nil, "max_pool2d", padded(x[0], pads, math.Inf(-1)), kernel, strides, []int{0, 0}, dilations, ceil)
		},
	}
}

// averagePool is a pool with the same padding on all sides of an axis.
func averagePool(maps, kernel, strides, pads []int, ceil, includes bool) ruleCase {
	flag := map[bool]int{true: 1}
	return ruleCase{
		op: "AveragePool", in: in(images(maps...)), attrs: []onnx.Attr{
			onnx.Ints("kernel_shape", kernel...), onnx.Ints("strides", strides...), onnx.Ints("pads", pads[0], pads[1], pads[0], pads[1]),
			onnx.Int("ceil_mode", flag[ceil]), onnx.Int("count_include_pad", flag[includes]),
		},
		torch: call("avg_pool2d", kernel, strides, pads, ceil, includes),
	}
}

var poolCases = []ruleCase{
	{op: "GlobalAveragePool", in: in(images(3, 4, 5)), torch: call("mean.dim", []int{2, 3}, true)},
	{op: "GlobalMaxPool", in: in(images(3, 4, 5)), torch: call("amax", []int{2, 3}, true)},
	{op: "GlobalMaxPool", in: in(images(3, 4, 5).few()), torch: call("amax", []int{2, 3}, true), kinked: true},
	averagePool(two(3, 8, 8), two(2, 2), two(2, 2), two(0, 0), false, false),
	averagePool(two(3, 9, 9), two(2, 2), two(2, 2), two(0, 0), false, false),
	averagePool(two(3, 8, 8), two(3, 3), two(1, 1), two(1, 1), false, true),
	averagePool(two(3, 8, 8), two(3, 3), two(1, 1), two(1, 1), false, false),
	averagePool(two(3, 9, 9), two(3, 3), two(2, 2), two(1, 1), false, false),
	averagePool(two(3, 9, 9), two(3, 3), two(2, 2), two(0, 0), false, true),
	averagePool(two(3, 9, 7), two(3, 2), two(2, 1), two(1, 0), false, false),
	averagePool(two(3, 8, 8), two(3, 3), two(2, 2), two(0, 0), true, false),
	averagePool(two(3, 7, 7), two(7, 7), two(1, 1), two(0, 0), false, false),
	maxPool(images(3, 8, 8), two(2, 2), two(2, 2), two(1, 1), two(0, 0, 0, 0), false),
	maxPool(images(3, 9, 9), two(3, 3), two(2, 2), two(1, 1), two(1, 1, 1, 1), false),
	maxPool(images(3, 8, 8), two(3, 3), two(2, 2), two(1, 1), two(0, 0, 0, 0), true),
	maxPool(images(3, 9, 8), two(3, 2), two(1, 2), two(2, 1), two(1, 0, 2, 1), false),
	// Of equal elements the first.
	withTies(maxPool(images(3, 8, 8).few(), two(2, 2), two(2, 2), two(1, 1), two(0, 0, 0, 0), false)),
	withTies(maxPool(images(3, 9, 9).few(), two(3, 3), two(2, 2), two(1, 1), two(1, 1, 1, 1), false)),
	// With channels for the blocked layout.
	maxPool(images(16, 6, 5), two(2, 2), two(2, 2), two(1, 1), two(0, 0, 0, 0), false),
	maxPool(images(16, 7, 8), two(3, 3), two(2, 2), two(1, 1), two(1, 1, 1, 1), false),
	maxPool(images(16, 6, 5), two(3, 3), two(1, 1), two(1, 1), two(1, 1, 1, 1), false),
	maxPool(images(16, 8, 7), two(3, 3), two(2, 2), two(1, 1), two(0, 0, 0, 0), true),
	maxPool(images(16, 7, 6), two(4, 5), two(3, 3), two(1, 1), two(2, 1, 1, 2), false),
	maxPool(images(16, 5, 6), two(3, 2), two(2, 2), two(1, 1), two(0, 0, 0, 0), false),
	// Less than the zeros that stand for the padding.
	maxPool(images(16, 7, 7).negative(), two(3, 3), two(3, 3), two(1, 1), two(0, 0, 0, 0), true),
	maxPool(images(16, 6, 5).negative(), two(3, 3), two(1, 1), two(1, 1), two(1, 1, 1, 1), false),
	withTies(maxPool(images(16, 6, 5).few(), two(2, 2), two(2, 2), two(1, 1), two(0, 0, 0, 0), false)),
	withTies(maxPool(images(16, 7, 8).few(), two(3, 3), two(2, 2), two(1, 1), two(1, 1, 1, 1), false)),
	withTies(maxPool(images(16, 6, 5).few(), two(3, 3), two(1, 1), two(1, 1), two(1, 1, 1, 1), false)),
	withTies(maxPool(images(16, 8, 7).few(), two(3, 3), two(2, 2), two(1, 1), two(0, 0, 0, 0), true)),
	ofRelu(maxPool(images(16, 7, 8).fewSigned(), two(3, 3), two(2, 2), two(1, 1), two(1, 1, 1, 1), false)),
	ofRelu(maxPool(images(16, 6, 5).fewSigned(), two(3, 3), two(1, 1), two(1, 1), two(1, 1, 1, 1), false)),
	ofRelu(maxPool(images(12, 8, 7).fewSigned(), two(4, 3), two(3, 3), two(1, 1), two(2, 0, 1, 1), true)),
}

func withTies(c ruleCase) ruleCase {
	c.kinked = true
	return c
}

// ofRelu is a pool of what a Relu makes of its operand.
func ofRelu(c ruleCase) ruleCase {
	pool, attrs := c.torch, c.attrs
	c.graph = func(b *onnx.Builder, x []string) string { return b.Op("MaxPool", []string{b.Op("Relu", x)}, attrs...) }
	c.torch = func(x tensors) gotorch.Tensor { return pool(tensors{gotorch.Call(nil, "relu", x[0])}) }
	return withTies(c)
}

var normalisationCases = []ruleCase{
	{op: "BatchNormalization", in: in(images(3, 4, 4), constant(3), constant(3), constant(3), constant(3).positive()), torch: func(x tensors) gotorch.Tensor {
		return gotorch.Call(nil, "batch_norm", x[0], x[1], x[2], x[3], x[4], false, 0.1, float64(float32(1e-5)), false)
	}},
	{op: "BatchNormalization", in: in(images(3), constant(3), constant(3), constant(3), constant(3).positive()), attrs: []onnx.Attr{onnx.Float("epsilon", 0.125)}, torch: func(x tensors) gotorch.Tensor {
		return gotorch.Call(nil, "batch_norm", x[0], x[1], x[2], x[3], x[4], false, 0.1, 0.125, false)
	}},
	{op: "LayerNormalization", in: in(images(4, 6), constant(6), constant(6)), torch: func(x tensors) gotorch.Tensor {
		return gotorch.Call(nil, "layer_norm", x[0], []int{6}, x[1], x[2], 1e-5)
	}},
	{op: "LayerNormalization", in: in(images(4, 6), constant(4, 6)), attrs: []onnx.Attr{axis(1), onnx.Float("epsilon", 0.125)}, torch: func(x tensors) gotorch.Tensor {
		return gotorch.Call(nil, "layer_norm", x[0], []int{4, 6}, x[1], nil, 0.125)
	}},
	{op: "LpNormalization", in: in(images(4, 6)), torch: func(x tensors) gotorch.Tensor {
		return x[0].Div(gotorch.Call(nil, "norm.ScalarOpt_dim", x[0], 2.0, []int{-1}, true))
	}},
	{op: "LpNormalization", in: in(images(4, 6)), attrs: []onnx.Attr{axis(1)}, torch: func(x tensors) gotorch.Tensor {
		return x[0].Div(gotorch.Call(nil, "norm.ScalarOpt_dim", x[0], 2.0, []int{1}, true))
	}},
	{op: "Softmax", in: in(images(4, 6)), torch: call("softmax.int", -1)},
	{op: "Softmax", in: in(images(4, 6)), attrs: []onnx.Attr{axis(1)}, torch: call("softmax.int", 1)},
	{op: "LogSoftmax", in: in(images(4, 6)), torch: call("log_softmax.int", -1)},
	{op: "LogSoftmax", in: in(images(4, 6)), attrs: []onnx.Attr{axis(-2)}, torch: call("log_softmax.int", 1)},
}

var reductionCases = []ruleCase{
	{op: "ReduceMean", in: in(images(3, 4, 5)), attrs: []onnx.Attr{axes(-1, -2), drop}, torch: call("mean.dim", []int{2, 3}, false)},
	{op: "ReduceMean", in: in(images(3, 4)), attrs: []onnx.Attr{axes(1)}, torch: call("mean.dim", []int{1}, true)},
	{op: "ReduceSum", in: in(images(3, 4), ints(1)), attrs: []onnx.Attr{drop}, torch: call("sum.dim_IntList", []int{1}, false)},
	{op: "ReduceSum", in: in(images(3, 4), ints(2, 1)), torch: call("sum.dim_IntList", []int{1, 2}, true)},
	{op: "ReduceSum", in: in(images(3, 4)), attrs: []onnx.Attr{onnx.Int("noop_with_empty_axes", 1)}, torch: call("clone")},
	{op: "ReduceSumSquare", in: in(images(3, 4)), attrs: []onnx.Attr{axes(2), drop}, torch: func(x tensors) gotorch.Tensor { return x[0].Mul(x[0]).Sum(2) }},
	{op: "ReduceL1", in: in(images(3, 4)), attrs: []onnx.Attr{axes(2), drop}, torch: func(x tensors) gotorch.Tensor { return x[0].Abs().Sum(2) }},
	{op: "ReduceL2", in: in(images(3, 4)), attrs: []onnx.Attr{axes(2)}, torch: call("norm.ScalarOpt_dim", 2.0, []int{2}, true)},
	{op: "ReduceL2", in: in(images(3, 4)), attrs: []onnx.Attr{axes(1), drop}, torch: call("norm.ScalarOpt_dim", 2.0, []int{1}, false)},
	{op: "ReduceLogSum", in: in(images(3, 4).positive()), attrs: []onnx.Attr{axes(2), drop}, torch: func(x tensors) gotorch.Tensor { return x[0].Sum(2).Log() }},
	{op: "ReduceLogSumExp", in: in(images(3, 4)), attrs: []onnx.Attr{axes(2), drop}, torch: call("logsumexp", []int{2}, false)},
	{op: "ReduceProd", in: in(images(3, 4)), attrs: []onnx.Attr{axes(1)}, torch: call("prod.dim_int", 1, true)},
	{op: "ReduceProd", in: in(images(5, 4).few()), attrs: []onnx.Attr{axes(-1), onnx.Int("keepdims", 0)}, torch: call("prod.dim_int", 2, false)},
	{op: "ReduceMax", in: in(images(3, 4)), attrs: []onnx.Attr{axes(2), drop}, torch: call("amax", []int{2}, false)},
	{op: "ReduceMax", in: in(images(3, 4).few()), attrs: []onnx.Attr{axes(1, 2)}, torch: call("amax", []int{1, 2}, true), kinked: true},
	{op: "ReduceMin", in: in(images(3, 4)), attrs: []onnx.Attr{axes(2)}, torch: call("amin", []int{2}, true)},
}

// slice is a Slice in libtorch along one axis, forwards.
func slice(dim, from, to, step int) func(x tensors) gotorch.Tensor {
	return call("slice.Tensor", dim, from, to, step)
}

var movementCases = []ruleCase{
	{op: "Reshape", in: in(images(6, 4), ints(-1, 3, 8)), torch: call("reshape", []int{-1, 3, 8})},
	{op: "Reshape", in: in(images(6, 4), ints(-1, 8)), torch: call("reshape", []int{-1, 8})}, // the batch becomes 3·N
	{op: "Reshape", in: in(of(onnx.Dim{Size: 3, Batch: true}, onnx.Dim{Size: 8}), ints(-1, 24)), torch: call("reshape", []int{-1, 24})},
	{op: "Flatten", in: in(images(3, 4, 5)), torch: call("flatten.using_ints", 1, -1)},
	{op: "Flatten", in: in(images(3, 4)), attrs: []onnx.Attr{axis(2)}, torch: call("reshape", []int{-1, 4})},
	{op: "Squeeze", in: in(images(1, 4, 1), ints(1, -1)), torch: func(x tensors) gotorch.Tensor { return x[0].Squeeze(3).Squeeze(1) }},
	{op: "Unsqueeze", in: in(images(4), ints(-1, 1)), torch: func(x tensors) gotorch.Tensor { return x[0].Unsqueeze(1).Unsqueeze(-1) }},
	{op: "Transpose", in: in(images(3, 4)), attrs: []onnx.Attr{onnx.Ints("perm", 2, 0, 1)}, torch: call("permute", []int{2, 0, 1})},
	{op: "Transpose", in: in(images(3, 4)), torch: call("permute", []int{2, 1, 0})},
	{op: "Expand", in: in(images(1, 4), ints(1, 3, 1)), torch: func(x tensors) gotorch.Tensor { return x[0].Expand(-1, 3, -1) }},
	{op: "Expand", in: in(images(4), ints(2, 1, 4)), torch: func(x tensors) gotorch.Tensor { return x[0].Unsqueeze(0).Expand(2, -1, -1) }},
	{op: "Tile", in: in(images(2, 3), ints(1, 3, 2)), torch: call("repeat", []int{1, 3, 2})},
	{op: "Tile", in: in(images(2), ints(1, 1)), torch: call("clone")},
	{op: "Concat", in: in(images(2, 3), constant(1, 1, 3), images(4, 3)), attrs: []onnx.Attr{axis(1)}, graph: func(b *onnx.Builder, x []string) string {
		token := b.Op("Add", []string{b.Op("Mul", []string{cut(b, x[0], 1, 0, 1), b.Scalar(0)}), x[1]})
		return b.Op("Concat", []string{x[0], token, x[2]}, axis(1))
	}, torch: func(x tensors) gotorch.Tensor {
		token := x[0].Narrow(1, 0, 1).MulScalar(0).Add(x[1])
		return gotorch.Cat([]gotorch.Tensor{x[0], token, x[2]}, 1)
	}},
	{op: "Concat", in: in(images(2, 3)), graph: func(b *onnx.Builder, x []string) string {
		return b.Op("Concat", []string{x[0], x[0]}, axis(-1))
	}, torch: func(x tensors) gotorch.Tensor { return gotorch.Cat([]gotorch.Tensor{x[0], x[0]}, 2) }},
	// The pool of the Resize's gradient comes after a Pad as wide as its kernel.
	{op: "Resize", in: in(images(2, 4, 3)), graph: func(b *onnx.Builder, x []string) string {
		large := b.Op("Resize", []string{x[0], "", b.Const([]int{4}, 1, 1, 2, 2)})
		return cut(b, large, 2, 2, 5)
	}, torch: func(x tensors) gotorch.Tensor {
		return gotorch.Call(nil, "upsample_nearest2d", x[0], []int{8, 6}, nil, nil).Narrow(2, 2, 5)
	}},
	{op: "Split", in: in(images(6, 2), ints(1, 2, 3)), graph: func(b *onnx.Builder, x []string) string {
		parts := b.Ops("Split", 3, x, axis(1))
		return b.Op("Concat", []string{parts[2], parts[0], parts[1]}, axis(1))
	}, torch: func(x tensors) gotorch.Tensor {
		return gotorch.Cat(tensors{x[0].Narrow(1, 3, 3), x[0].Narrow(1, 0, 3)}, 1)
	}},
	{op: "Split", in: in(images(6, 2)), graph: func(b *onnx.Builder, x []string) string { // the middle part is not used
		parts := b.Ops("Split", 3, x, axis(-2))
		return b.Op("Mul", []string{parts[0], parts[2]})
	}, torch: func(x tensors) gotorch.Tensor { return x[0].Narrow(1, 0, 2).Mul(x[0].Narrow(1, 4, 2)) }},
	{op: "Slice", in: in(images(9), ints(2), ints(7), ints(1)), torch: slice(1, 2, 7, 1)},
	{op: "Slice", in: in(images(9), ints(-4), ints(math.MaxInt64), ints(-1)), torch: slice(1, 5, 9, 1)},
	{op: "Slice", in: in(images(9), ints(1), ints(9), ints(1), ints(3)), torch: slice(1, 1, 9, 3)},
	{op: "Slice", in: in(images(8), ints(0), ints(8), ints(1), ints(2)), torch: slice(1, 0, 8, 2)},
	{op: "Slice", in: in(images(9, 8), ints(1, 0), ints(9, 8), ints(1, 2), ints(2, 2)), torch: func(x tensors) gotorch.Tensor {
		return slice(2, 0, 8, 2)(tensors{slice(1, 1, 9, 2)(x)})
	}},
	{op: "Slice", in: in(images(9), ints(-1), ints(math.MinInt64), ints(1), ints(-1)), torch: call("flip", []int{1})},
	{op: "Slice", in: in(images(9), ints(7), ints(0), ints(1), ints(-3)), torch: func(x tensors) gotorch.Tensor {
		return gotorch.Call(nil, "flip", slice(1, 1, 8, 3)(x), []int{1})
	}},
	{op: "Slice", in: in(images(9), ints(0), ints(math.MaxInt32), ints(0)), torch: call("clone")},
	{op: "Slice", in: in(images(9), ints(4), ints(6), ints(1), ints(5)), torch: slice(1, 4, 5, 1)},
	// Pieces that overlap; of two axes.
	{op: "Slice", in: in(images(10)), graph: func(b *onnx.Builder, x []string) string {
		return b.Op("Mul", []string{cut(b, x[0], 1, 0, 4), cut(b, x[0], 1, 2, 4)})
	}, torch: func(x tensors) gotorch.Tensor { return x[0].Narrow(1, 0, 4).Mul(x[0].Narrow(1, 2, 4)) }},
	{op: "Slice", in: in(images(4, 4)), graph: func(b *onnx.Builder, x []string) string {
		return b.Op("MatMul", []string{cut(b, x[0], 1, 0, 2), cut(b, x[0], 2, 1, 2)})
	}, torch: func(x tensors) gotorch.Tensor {
		return gotorch.Call(nil, "matmul", x[0].Narrow(1, 0, 2), x[0].Narrow(2, 1, 2))
	}},
	{op: "Gather", in: in(images(5, 3), ints(2)), graph: func(b *onnx.Builder, x []string) string {
		b.Constant(x[1]).Dims = nil // one index, not a vector of one
		return b.Op("Gather", x, axis(1))
	}, torch: func(x tensors) gotorch.Tensor { return x[0].Select(1, 2) }},
	{op: "Gather", in: in(images(3, 4), ints(2, 0, 1)), attrs: []onnx.Attr{axis(1)}, torch: pick(1, 2, 0, 1)},
	{op: "Gather", in: in(images(3, 4), ints(-1, 0)), attrs: []onnx.Attr{axis(-1)}, torch: pick(2, 3, 0)},
	{op: "Gather", in: in(images(4), ints(1, 1, 3, 1, 0)), attrs: []onnx.Attr{axis(1)}, torch: pick(1, 1, 1, 3, 1, 0)},
	{op: "Gather", in: in(images(3), ints(0, 1, 1, 2, 2, 0)), graph: func(b *onnx.Builder, x []string) string { // indices of two axes
		b.Constant(x[1]).Dims = []int64{2, 3}
		return b.Op("Gather", x, axis(1))
	}, torch: func(x tensors) gotorch.Tensor { return pick(1, 0, 1, 1, 2, 2, 0)(x).Reshape(-1, 2, 3) }},
	{op: "TopK", in: in(images(5, 4), ints(3)), attrs: []onnx.Attr{axis(1)}, torch: func(x tensors) gotorch.Tensor {
		return gotorch.CallN(nil, 2, "topk", x[0], 3, 1, true, true)[0]
	}},
	{op: "TopK", in: in(images(5, 4), ints(3)), graph: func(b *onnx.Builder, x []string) string { // no gradient goes through the places
		return b.Op("GatherElements", []string{x[0], b.Ops("TopK", 2, x, axis(1))[1]}, axis(1))
	}, torch: func(x tensors) gotorch.Tensor { return gotorch.CallN(nil, 2, "topk", x[0], 3, 1, true, true)[0] }},
	{op: "TopK", in: in(images(5, 4), ints(2)), attrs: []onnx.Attr{onnx.Int("largest", 0)}, torch: func(x tensors) gotorch.Tensor {
		return gotorch.CallN(nil, 2, "topk", x[0], 2, -1, false, true)[0]
	}},
	{op: "GatherElements", in: in(of(static(2, 4)...), ints(0, 3, 3, 1, -1, 2)), graph: at("GatherElements", two(2, 3), axis(1)), torch: taken(two(2, 3), 0, 3, 3, 5, 7, 6)},
	{op: "GatherND", in: in(of(static(2, 4, 2)...), ints(0, 1, 1, 3, 0, 1)), graph: at("GatherND", two(3, 2)), torch: taken(two(3, 2), 2, 3, 14, 15, 2, 3)},
	{op: "ScatterElements", in: in(of(static(2, 4)...), ints(2, 0, 1, 3), of(static(2, 2)...)), graph: at("ScatterElements", two(2, 2), axis(1)), torch: placed(false, 2, 0, 5, 7)},
	{op: "ScatterElements", in: in(of(static(2, 4)...), ints(2, 2, 1, -1), of(static(2, 2)...)), graph: at("ScatterElements", two(2, 2), axis(1), onnx.String("reduction", "add")), torch: placed(true, 2, 2, 5, 7)},
	{op: "ScatterND", in: in(of(static(4, 2)...), ints(1, 3), of(static(2, 2)...)), graph: at("ScatterND", two(2, 1)), torch: placed(false, 2, 3, 6, 7)},
	{op: "ScatterND", in: in(of(static(4, 2)...), ints(1, 1), of(static(2, 2)...)), graph: at("ScatterND", two(2, 1), onnx.String("reduction", "add")), torch: placed(true, 2, 3, 2, 3)},
	{op: "Pad", in: in(images(4, 4), ints(0, 1, 2, 0, 3, 0)), torch: call("constant_pad_nd", []int{2, 0, 1, 3}, 0.0)},
	{op: "Pad", in: in(images(4, 4), ints(0, -1, 2, 0, 3, -2), number(7)), torch: call("constant_pad_nd", []int{2, -2, -1, 3}, 7.0)},
	{op: "DepthToSpace", in: in(images(8, 3, 2)), attrs: []onnx.Attr{onnx.Int("blocksize", 2), onnx.String("mode", "CRD")}, torch: call("pixel_shuffle", 2)},
	{op: "DepthToSpace", in: in(images(8, 3, 2)), attrs: []onnx.Attr{onnx.Int("blocksize", 2)}, torch: func(x tensors) gotorch.Tensor {
		return x[0].Reshape(-1, 2, 2, 2, 3, 2).Permute(0, 3, 4, 1, 5, 2).Reshape(-1, 2, 6, 4)
	}},
	{op: "SpaceToDepth", in: in(images(2, 6, 4)), attrs: []onnx.Attr{onnx.Int("blocksize", 2)}, torch: func(x tensors) gotorch.Tensor {
		return x[0].Reshape(-1, 2, 3, 2, 2, 2).Permute(0, 3, 5, 1, 2, 4).Reshape(-1, 8, 3, 2)
	}},
	resize(two(3, 4, 5), 2, 3, onnx.String("coordinate_transformation_mode", "asymmetric"), onnx.String("nearest_mode", "floor")),
	resize(two(3, 4, 5), 2, 2),
	{op: "CumSum", in: in(images(5), operand{ints: []int{1}}), torch: call("cumsum", 1)},
	{op: "CumSum", in: in(images(5), operand{ints: []int{1}}), attrs: []onnx.Attr{onnx.Int("reverse", 1), onnx.Int("exclusive", 1)}, torch: func(x tensors) gotorch.Tensor {
		return gotorch.Call(nil, "flip", gotorch.Call(nil, "cumsum", gotorch.Call(nil, "flip", x[0], []int{1}), 1), []int{1}).Sub(x[0])
	}},
}

func static(sizes ...int) onnx.Shape { return onnx.Static(sizes...) }

// at is an operator whose second input is indices of some shape.
func at(op string, dims []int, attrs ...onnx.Attr) func(b *onnx.Builder, x []string) string {
	return func(b *onnx.Builder, x []string) string {
		indices := b.Constant(x[1])
		indices.Dims = nil
		for _, d := range dims {
			indices.Dims = append(indices.Dims, int64(d))
		}
		return b.Op(op, x, attrs...)
	}
}

// taken are elements, by their places in x as a vector.
func taken(shape []int, places ...int) func(x tensors) gotorch.Tensor {
	return func(x tensors) gotorch.Tensor {
		return pick(0, places...)(tensors{x[0].Reshape(-1)}).Reshape(shape...)
	}
}

// placed is x[0] with the elements of x[2] at places, in place of what is there or added to
// it.
func placed(add bool, places ...int) func(x tensors) gotorch.Tensor {
	return func(x tensors) gotorch.Tensor {
		var all tensors
		old, updates := x[0].Reshape(-1), x[2].Reshape(-1)
		for i := range old.Shape()[0] {
			element := old.Select(0, i)
			for k, place := range places {
				if place == i && add {
					element = element.Add(updates.Select(0, k))
				} else if place == i {
					element = updates.Select(0, k)
				}
			}
			all = append(all, element)
		}
		return gotorch.Stack(all, 0).Reshape(x[0].Shape()...)
	}
}

// pick is a Gather in libtorch.
func pick(dim int, indices ...int) func(x tensors) gotorch.Tensor {
	return func(x tensors) gotorch.Tensor {
		var picked tensors
		for _, i := range indices {
			picked = append(picked, x[0].Select(dim, i))
		}
		return gotorch.Stack(picked, dim)
	}
}

// resize enlarges maps by repeating pixels.
func resize(maps []int, rows, columns int, attrs ...onnx.Attr) ruleCase {
	scales := []float32{1, 1, float32(rows), float32(columns)}
	return ruleCase{
		op: "Resize", in: in(images(maps...)), attrs: attrs, graph: func(b *onnx.Builder, x []string) string {
			return b.Op("Resize", []string{x[0], "", b.Const([]int{4}, scales...)}, attrs...)
		},
		torch: call("upsample_nearest2d", []int{maps[1] * rows, maps[2] * columns}, nil, nil),
	}
}

// TestRules compares each rule, in each of its forms, with libtorch and with finite
// differences.
func TestRules(t *testing.T) {
	tested := map[string]bool{}
	for _, family := range [][]ruleCase{elementwiseCases, activationCases, productCases, convolutionCases, poolCases, normalisationCases, reductionCases, movementCases} {
		for _, c := range family {
			tested[c.op] = true
			t.Run(c.String(), func(t *testing.T) { c.compare(t, CPU, 1e-5) })
		}
	}
	for op := range rules {
		if !tested[op] {
			t.Errorf("no case is of %s", op)
		}
	}
}

// TestDouble: what is cast to double precision and back has a gradient of that precision.
// Of operators whose gradient ONNX Runtime has no kernel for in double precision there is
// none in scores.
func TestDouble(t *testing.T) {
	missing := map[string]bool{}
	for _, family := range [][]ruleCase{elementwiseCases, activationCases, productCases, normalisationCases, reductionCases, movementCases} {
		for _, c := range family {
			if c.graph != nil || slices.Contains([]string{"Cast", "Dropout", "Pad", "DepthToSpace", "Resize", "BatchNormalization"}, c.op) {
				continue
			}
			c.wide = true
			t.Run(c.String(), func(t *testing.T) {
				s, err := ort.Open(c.build(t, CPU, rand.New(rand.NewPCG(1, 2))).model, ort.Options{Threads: 1})
				if err != nil && (strings.Contains(err.Error(), "Could not find an implementation") || strings.Contains(err.Error(), "of operator (Celu)")) {
					missing[c.op] = true
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				s.Close()
				c.compare(t, CPU, 1e-6)
			})
		}
	}
	for _, op := range []string{"Add", "Sub", "Mul", "Div", "Abs", "Exp", "Log", "Sqrt", "Neg", "Pow", "Max", "Min", "ReduceSum", "ReduceMax", "ReduceMin",
		"ReduceMean", "Reshape", "TopK", "MatMul", "Gemm", "Softmax", "Relu", "GatherElements", "ScatterElements", "Flatten", "Transpose", "Identity"} {
		if missing[op] {
			t.Errorf("%s, which scores are made of, has none", op)
		}
	}
	t.Logf("without kernels are %v", slices.Sorted(maps.Keys(missing)))
}

// TestTargets: what is emitted for CUDA computes the same.
func TestTargets(t *testing.T) {
	for _, c := range append(convolutionCases, poolCases...) {
		t.Run(c.String(), func(t *testing.T) { c.compare(t, CUDA, 1e-5) })
	}
}
