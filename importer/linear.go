package importer

import (
	"slices"

	"github.com/ascood/ascood/onnx"
)

// linear returns logits [N,C] as what a Gemm computes of a vector [N,D] with constant
// weights, if they are that: by the Gemm itself, or by a convolution that sees the whole
// map at once, or by one of single pixels of which the mean is taken, which is the same
// convolution of the mean; also if constants are multiplied or added then. It is "" if
// they are not.
func (c *canonical) linear(logits string, images, classes int) string {
	end, op := c.lastOf(logits)
	n := c.Maker(end)
	switch op {
	case "Mul", "Div", "Add", "Sub":
		constant := c.Constant(n.Operand(1))
		before := n.Operand(0)
		if constant == nil && (op == "Mul" || op == "Add") {
			constant, before = c.Constant(before), n.Operand(1)
		}
		if constant == nil || !c.is(end, images, classes) || !c.is(before, images, classes) {
			return ""
		}
		return c.then(op, constant, c.linear(before, images, classes))
	case "BatchNormalization":
		scale, shift, err := onnx.Affine(n, c.Constant)
		if err != nil || !c.is(end, images, classes) {
			return ""
		}
		scaled := c.then("Mul", onnx.NewFloats("", singles(scale), int64(len(scale))), c.linear(n.Operand(0), images, classes))
		return c.then("Add", onnx.NewFloats("", singles(shift), int64(len(shift))), scaled)
	case "Gemm":
		if c.fixed(n) && c.is(end, images, classes) {
			return end
		}
	case "Conv":
		in, err := c.Shape(n.Operand(0))
		if err != nil || !c.pointwise(n) && !slices.Equal(n.IntsAttr("kernel_shape"), in.At(1)[2:]) {
			return ""
		}
		return c.product(n, n.Operand(0), images, classes)
	case "GlobalAveragePool", "AveragePool", "ReduceMean":
		conv := c.Maker(n.Operand(0))
		if conv == nil || conv.OpType != "Conv" || !c.pointwise(conv) || !c.overAll(n) {
			return ""
		}
		return c.product(conv, c.Op("GlobalAveragePool", conv.Input[:1]), images, classes)
	}
	return ""
}

func singles(v []float64) []float32 {
	out := make([]float32, len(v))
	for i, f := range v {
		out[i] = float32(f)
	}
	return out
}

// fixed reports whether a Gemm's or convolution's weights are constant.
func (c *canonical) fixed(n *onnx.NodeProto) bool {
	return c.Constant(n.Operand(1)) != nil && (n.Operand(2) == "" || c.Constant(n.Operand(2)) != nil)
}

// is reports whether a value has given sizes.
func (c *canonical) is(value string, sizes ...int) bool {
	shape, err := c.Shape(value)
	return err == nil && slices.Equal(shape.At(1), sizes)
}

// pointwise reports whether a convolution computes each pixel of one pixel.
func (c *canonical) pointwise(n *onnx.NodeProto) bool {
	return slices.Max(n.IntsAttr("kernel_shape")) == 1 && slices.Max(n.IntsAttr("strides")) == 1 && !padded(n)
}

func padded(n *onnx.NodeProto) bool {
	return slices.ContainsFunc(n.IntsAttr("pads"), func(p int) bool { return p != 0 })
}

// overAll reports whether a pool or mean is of whole maps.
func (c *canonical) overAll(n *onnx.NodeProto) bool {
	shape, err := c.Shape(n.Operand(0))
	if err != nil {
		return false
	}
	switch n.OpType {
	case "AveragePool":
		return slices.Equal(n.IntsAttr("kernel_shape"), shape.At(1)[2:]) && !padded(n)
	case "ReduceMean":
		axes := n.IntsAttr("axes")
		slices.Sort(axes)
		return len(shape) == 4 && slices.Equal(axes, []int{2, 3})
	}
	return true
}

// product emits a convolution that sees all of a value at once as a Gemm of it.
func (c *canonical) product(conv *onnx.NodeProto, value string, images, classes int) string {
	if !c.fixed(conv) || conv.IntAttr("group", 1) != 1 || padded(conv) {
		return ""
	}
	weight := c.Constant(conv.Operand(1))
	values, err := weight.Floats()
	if err != nil || int(weight.Dims[0]) != classes {
		return ""
	}
	dim := len(values) / classes
	if shape, err := c.Shape(value); err != nil || product(shape.At(1)) != images*dim {
		return ""
	}
	operands := []string{
		c.Op("Reshape", []string{value, c.Int64s(images, dim)}),
		c.derived(onnx.NewFloats(onnx.Prefix+weight.Name+".matrix", values, int64(classes), int64(dim)), weight.Name),
	}
	if bias := conv.Operand(2); bias != "" {
		operands = append(operands, bias)
	}
	return c.Op("Gemm", operands, onnx.Int("transB", 1))
}

// then emits what a Gemm computes with a constant added or multiplied, as another Gemm.
func (c *canonical) then(op string, constant *onnx.TensorProto, gemm string) string {
	if gemm == "" {
		return ""
	}
	n := c.Maker(gemm)
	values, err := constant.Floats()
	weight, err2 := c.Constant(n.Operand(1)).Floats()
	if err != nil || err2 != nil {
		return ""
	}
	dims := c.Constant(n.Operand(1)).Dims
	classes, dim := int(dims[0]), int(dims[1])
	weight, bias := slices.Clone(weight), make([]float32, classes)
	if b := c.Constant(n.Operand(2)); b != nil {
		if bias, err = b.Floats(); err != nil || len(bias) != classes {
			return ""
		}
		bias = slices.Clone(bias)
	}
	for k := range bias {
		v := values[k%len(values)]
		row := weight[k*dim : (k+1)*dim]
		switch op {
		case "Add":
			bias[k] += v
		case "Sub":
			bias[k] -= v
		default:
			if op == "Div" {
				v = 1 / v
			}
			bias[k] *= v
			for i := range row {
				row[i] *= v
			}
		}
	}
	return c.Op("Gemm", []string{
		n.Operand(0),
		c.derived(onnx.NewFloats(onnx.Prefix+"logits/weight", weight, dims...), n.Operand(1)),
		c.Tensor(onnx.NewFloats(onnx.Prefix+"logits/bias", bias, int64(classes))),
	}, onnx.Int("transB", 1))
}
