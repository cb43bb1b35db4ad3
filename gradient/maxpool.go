package gradient

import (
	"github.com/ascood/ascood/internal/windows"
	"github.com/ascood/ascood/onnx"
)

func takesMaxPool(n *node) {
	if n.IntAttr("storage_order", 0) != 0 {
		n.refuse("has a storage_order other than 0")
	}
	_, err := onnx.WindowOf(n.NodeProto, nil)
	n.note(err)
}

// maxPoolGradient gives each window's gradient to the element that the pool chose: the
// first of equal ones, as ONNX Runtime and libtorch choose.
func maxPoolGradient(n *node) string {
	if channels := n.channelsOf(n.Operand(0)); channels != nil {
		return n.poolByPart(channels)
	}
	n = n.inPlace()
	x := n.shape(n.x())
	if p, ok := windows.MaxPoolOf(n.NodeProto, x, n.shape(n.y())); ok && n.target == CPU && x[1].Size%blockedMultiple == 0 {
		return n.compared(p)
	}
	return n.scattered()
}

// scattered lets the runtime find the elements and adds up what each is given. On a CPU
// both leave the blocked layout, and the first has no fast kernel: it takes as long as
// several convolutions.
func (n *node) scattered() string {
	indices := n.Ops("MaxPool", 2, []string{n.x()}, n.Attribute...)[1]
	flat := n.Int64s(-1)
	size := n.op("Shape", n.op("Reshape", n.x(), flat))
	zeros := n.op("ConstantOfShape", size)
	sum := n.Op("ScatterElements", []string{
		zeros, n.op("Reshape", indices, flat), n.op("Reshape", n.dy, flat),
	}, onnx.String("reduction", "add"))
	return n.reshape(sum, n.shape(n.x()))
}

// compared finds the elements by comparisons, in operators of the blocked layout. Pools are in it only of whole blocks of
// channels: what others make is brought there.
//
// Of a Relu, what a pool chose passes the gradient on if the maximum does. To take the
// others away here takes the Relu's place, and of positive maxima no padding is one.
func (n *node) compared(p windows.MaxPool) string {
	p.Positive = n.Maker(n.x()) != nil && n.Maker(n.x()).OpType == "Relu"
	x, most := n.inBlocks(n.x()), n.inBlocks(n.y())
	rows, dy := p.Rows(n.Builder, n.NodeProto), n.inBlocks(n.dy)
	rows = n.inBlocks(rows)
	if p.Positive {
		dy = n.mul(dy, n.above(most, 0))
	}
	phases := p.Gradient(n.Builder, x, rows, most, dy)
	dx := phases[0]
	if p.Stride > 1 {
		dx = n.putOff(phased{stride: p.Stride, maps: phases, of: n.shape(n.x()), ends: true})
	}
	if !n.takesPhases(n.x()) {
		dx = n.whole(dx)
	}
	if p.Positive {
		n.passes(dx, n.x())
	}
	return dx
}

// taken are elements of maps, and zeros where there are none.
func (w *walk) taken(x string, rows, columns windows.Places) string {
	if w.shape(x); w.err != nil {
		return x
	}
	return windows.Take(w.Builder, x, 1, rows, columns)
}

// filter is a convolution of each channel by the same kernel.
func (w *walk) filter(maps string, kernel [2]int, numbers ...float32) string {
	if w.shape(maps); w.err != nil {
		return maps
	}
	return windows.Filter(w.Builder, maps, kernel, numbers)
}
