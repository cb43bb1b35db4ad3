package kernels

import (
	"slices"
	"strconv"

	"github.com/ascood/ascood/onnx"
)

// alike are operators whose results have the shapes of those of ONNX Runtime's own, which it puts in the place of several.
var alike = map[string]string{"FusedConv": "Conv", "FusedGemm": "Gemm", "FusedMatMul": "MatMul", "QuickGelu": "Sigmoid", "Gelu": "Sigmoid"}

// measure finds out the shapes of values in the blocked layout, and of what ONNX Runtime's own operators make, as far as they
// follow from the file.
func (g *graph) measure() {
	g.shapes = onnx.Extend(g.GraphProto)
	for _, n := range g.Node {
		in, err := g.shapes.Shape(n.Operand(0))
		switch {
		case err != nil:
		case n.Domain == blocked && len(in) == 4:
			g.shapes.Know(n.Output[0], g.shapeOf(n, in))
		case n.Domain == microsoft && n.OpType == "SkipLayerNormalization":
			for _, out := range []int{0, 3} { // what is normalized, which is the sum of two values, and the sum
				if out < len(n.Output) {
					g.shapes.Know(n.Output[out], in)
				}
			}
		case n.Domain == microsoft && alike[n.OpType] != "":
			if s, err := g.fused(n); err == nil {
				g.shapes.Know(n.Output[0], s[0])
			}
		}
	}
}

// fused returns the shapes of what one of ONNX Runtime's operators makes that does as one of ai.onnx's, and more.
func (g *graph) fused(n *onnx.NodeProto) ([]onnx.Shape, error) {
	like := &onnx.NodeProto{Name: n.Name, OpType: alike[n.OpType], Attribute: n.Attribute}
	operands := onnx.NewBuilder("")
	for i, v := range n.Input[:min(2, len(n.Input))] {
		s, err := g.shapes.Shape(v)
		if err != nil {
			return nil, err
		}
		if n.OpType == "FusedMatMul" {
			side := string('A' + rune(i))
			s = turned(s, n.IntAttr("transBatch"+side, 0) != 0, n.IntAttr("trans"+side, 0) != 0)
		}
		like.Input = append(like.Input, strconv.Itoa(i))
		operands.Know(like.Input[i], s)
	}
	return operands.Infer(like)
}

// turned is the shape that FusedMatMul takes an operand for: if batch, its first axis comes behind the others but the last,
// and if last, the last two change places then.
func turned(s onnx.Shape, batch, last bool) onnx.Shape {
	s = slices.Clone(s)
	n := len(s)
	if batch && n > 2 {
		s = slices.Concat(s[1:n-1], s[:1], s[n-1:])
	}
	if last && n > 1 {
		s[n-2], s[n-1] = s[n-1], s[n-2]
	}
	return s
}

// types finds out which values are of float32.
func (g *graph) types() {
	g.floats = map[string]bool{}
	for _, in := range g.Input {
		g.floats[in.Name] = in.GetType().GetTensorType().GetElemType() == int32(onnx.TensorProto_FLOAT)
	}
	for name, t := range g.constants {
		g.floats[name] = t.Type() == onnx.TensorProto_FLOAT
	}
	for _, n := range g.Node {
		for _, out := range n.Output {
			from := out
			made := onnx.TypeOf(func(value string) *onnx.NodeProto {
				if from = value; from == out {
					return n
				}
				return nil
			}, out)
			g.floats[out] = made == onnx.TensorProto_FLOAT && (from == out || g.floats[from]) || n.Domain == Domain
		}
	}
}

// shapeOf returns the shape of what an operator on blocked maps makes of one.
func (g *graph) shapeOf(n *onnx.NodeProto, in onnx.Shape) onnx.Shape {
	channels, height, width := in[1].At(1), in[2].At(1), in[3].At(1)
	switch n.OpType {
	case "Conv":
		kernel := n.IntsAttr("kernel_shape", 1, 1)
		if w := g.constants[n.Operand(1)]; w != nil {
			channels, kernel = int(w.Dims[0]), []int{int(w.Dims[2]), int(w.Dims[3])}
		}
		height, width = slide(n, kernel, height, width)
	case "MaxPool", "AveragePool":
		height, width = slide(n, n.IntsAttr("kernel_shape"), height, width)
	case "GlobalAveragePool", "GlobalMaxPool":
		height, width = 1, 1
	case "Upsample":
		scales := n.IntsAttr("scales", 1, 1, 1, 1)
		height, width = height*scales[2], width*scales[3]
	case "ReorderInput":
		if n.IntAttr("channels_last", 0) != 0 {
			channels, height, width = width, channels, height
		}
		channels = (channels + g.lanes - 1) / g.lanes * g.lanes
	case "ReorderOutput":
		channels = n.IntAttr("channels", channels)
		if n.IntAttr("channels_last", 0) != 0 {
			channels, height, width = height, width, channels
		}
	}
	return append(onnx.Shape{in[0]}, onnx.Static(channels, height, width)...)
}

// slide is how large the map is that windows over one make.
func slide(n *onnx.NodeProto, kernel []int, height, width int) (int, int) {
	stride, pads, dilation := n.IntsAttr("strides", 1, 1), n.IntsAttr("pads", 0, 0, 0, 0), n.IntsAttr("dilations", 1, 1)
	along := func(axis, length int) int {
		room := length + pads[axis] + pads[axis+2] - dilation[axis]*(kernel[axis]-1) - 1
		if n.IntAttr("ceil_mode", 0) != 0 {
			room += stride[axis] - 1
		}
		return room/stride[axis] + 1
	}
	return along(0, height), along(1, width)
}
