package kernels

// #include "register.h"
import "C"

import (
	"slices"
	"unsafe"

	"github.com/ascood/ascood/onnx"
)

// winograd puts a Winograd in the place of a convolution of 3x3 with stride 1, where its tiles of 4x4 are enough for
// what the expanded weights take.
func (g *graph) winograd(n *onnx.NodeProto) {
	if n.Domain != blocked || n.OpType != "Conv" || !slices.Equal(n.IntsAttr("kernel_shape"), []int{3, 3}) {
		return
	}
	ones, w := []int{1, 1}, g.constants[n.Operand(1)]
	activation := n.StringAttr("activation", "")
	if w == nil || len(w.RawData) != 4*9*int(w.Dims[0]*w.Dims[1]) || n.IntAttr("group", 1) != 1 || activation != "" && activation != "Relu" ||
		!slices.Equal(n.IntsAttr("strides", 1, 1), ones) || !slices.Equal(n.IntsAttr("dilations", 1, 1), ones) || !slices.Equal(n.IntsAttr("pads"), []int{1, 1, 1, 1}) {
		return
	}
	out, in := int(w.Dims[0]), int(w.Dims[1])
	s, err := g.shapes.Shape(n.Output[0])
	if err != nil || out%g.lanes != 0 || in%g.lanes != 0 || !pays(s, in, out) {
		return
	}
	expanded := w.Name + "/winograd"
	if g.constants[expanded] == nil {
		u, err := g.room(4 * 36 * out * in)
		if err != nil {
			return
		}
		C.kernels_expand(C.int(g.lanes), (*C.float)(unsafe.Pointer(&w.RawData[0])), C.int(out), C.int(in), (*C.float)(unsafe.Pointer(&u[0])))
		g.constants[expanded] = onnx.NewTensor(expanded, onnx.TensorProto_FLOAT, u, 36, int64(out/g.lanes), int64(in), int64(g.lanes))
		g.Initializer = append(g.Initializer, g.constants[expanded])
	}
	relu := 0
	if activation == "Relu" {
		relu = 1
	}
	g.become(n, "Winograd", []string{n.Operand(0), expanded, n.Operand(2), n.Operand(3), ""}, onnx.Int("relu", relu))
}

// pays reports whether the algorithm is faster for maps of a shape.
func pays(s onnx.Shape, in, out int) bool {
	tiles := s[0].At(1) * ((s[2].At(1) + 3) / 4) * ((s[3].At(1) + 3) / 4)
	return tiles >= 16
}
