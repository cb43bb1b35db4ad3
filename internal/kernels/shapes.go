package kernels

import "github.com/ascood/ascood/onnx"

// measure finds out the shapes of values in the blocked layout, as far as they follow from the file.
func (g *graph) measure() {
	g.shapes = onnx.Extend(g.GraphProto)
	for _, n := range g.Node {
		in, err := g.shapes.Shape(n.Operand(0))
		switch {
		case err != nil:
		case n.Domain == blocked && len(in) == 4:
			g.shapes.Know(n.Output[0], g.shapeOf(n, in))
		case n.OpType == "QuickGelu":
			g.shapes.Know(n.Output[0], in)
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
