package kernels

import (
	"slices"

	"github.com/ascood/ascood/onnx"
)

// winograd puts a Winograd in the place of a convolution of 3x3 with stride 1, where that pays.
func (g *graph) winograd(n *onnx.NodeProto) {
	if n.Domain != blocked || n.OpType != "Conv" {
		return
	}
	ones, pads, w := []int{1, 1}, n.IntsAttr("pads", 0, 0, 0, 0), g.constants[n.Operand(1)]
	activation := n.StringAttr("activation", "")
	if w == nil || w.Dims[2] != 3 || w.Dims[3] != 3 || n.IntAttr("group", 1) != 1 || n.StringAttr("auto_pad", "NOTSET") != "NOTSET" || activation != "" && activation != "Relu" ||
		!slices.Equal(n.IntsAttr("strides", 1, 1), ones) || !slices.Equal(n.IntsAttr("dilations", 1, 1), ones) {
		return
	}
	out, in := int(w.Dims[0]), int(w.Dims[1])
	y, err := g.shapes.Shape(n.Output[0])
	if err != nil || out%g.lanes != 0 || in%g.lanes != 0 || !pays(y[2].At(1), y[3].At(1)) {
		return
	}
	relu := 0
	if activation == "Relu" {
		relu = 1
	}
	g.become(n, "Winograd", []string{n.Operand(0), n.Operand(1), n.Operand(2), n.Operand(3), ""}, onnx.Int("lanes", g.lanes), onnx.Int("relu", relu),
		onnx.Int("top", pads[0]), onnx.Int("left", pads[1]), onnx.Int("bottom", pads[2]), onnx.Int("right", pads[3]))
}

// pays reports whether the algorithm is faster for maps of a size. A tile takes as long as ONNX Runtime's convolution
// takes for six places of a map, and the weights as for eight where there is one image.
func pays(height, width int) bool {
	tiles := ((height + 3) / 4) * ((width + 3) / 4)
	return height*width > 6*tiles+8
}
