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
