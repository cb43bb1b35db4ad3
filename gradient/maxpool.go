package gradient

import (
	"math"

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
	w, err := onnx.WindowOf(n.NodeProto, nil)
	if n.note(err); n.err != nil {
		return ""
	}
	if channels := n.channelsOf(n.Operand(0)); channels != nil {
		return n.poolByPart(channels)
	}
	n = n.inPlace()
	if n.target == CPU && n.staysBlocked(w) {
		return n.compared(w)
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

// mostCompared is how many elements along an axis pools have that are differentiated by
// comparisons; each takes four nodes.
const mostCompared = 5

func (n *node) staysBlocked(w onnx.Window) bool {
	x := n.shape(n.x())
	if len(x) != 4 || x[1].Size%blockedMultiple > 0 || w.Strides[0] != w.Strides[1] {
		return false
	}
	for i, k := range w.Kernel {
		if k > mostCompared || k < w.Strides[i] || w.Dilations[i] > 1 || w.Before[i] < 0 || w.After[i] < 0 {
			return false
		}
	}
	return true
}

// compared finds the elements by comparing each element of the windows with the
// maximum, all windows at once: first the row of a window, as the maxima of its rows
// tell, then the element of that row. All of it is in operators of the blocked layout;
// a convolution of each channel takes the elements that are at one place of the windows.
// Pools are in it only of whole blocks of channels: what others make is brought there.
//
// Of a Relu, what a pool chose passes the gradient on if the maximum does. To take the
// others away here takes the Relu's place, and of positive maxima no padding is one.
func (n *node) compared(w onnx.Window) string {
	x, y, s := n.shape(n.x()), n.shape(n.y()), w.Strides[0]
	relu := n.Maker(n.x()) != nil && n.Maker(n.x()).OpType == "Relu"
	input, most := n.inBlocks(n.x()), n.inBlocks(n.y())
	rows := n.Op("MaxPool", []string{n.x()}, onnx.Ints("kernel_shape", 1, w.Kernel[1]), onnx.Ints("strides", 1, s),
		onnx.Ints("pads", 0, w.Before[1], 0, w.After[1]), onnx.Int("ceil_mode", n.IntAttr("ceil_mode", 0)))
	vertical := pass{axis: 0, kernel: w.Kernel[0], stride: s, before: w.Before[0], size: x[2].Size, windows: y[2].Size, positive: relu}
	horizontal := pass{axis: 1, kernel: w.Kernel[1], stride: s, before: w.Before[1], size: x[3].Size, windows: y[3].Size, positive: relu}
	dy := n.inBlocks(n.dy)
	rows = n.inBlocks(rows)
	if relu {
		dy = n.mul(dy, n.above(most, 0))
	}
	byRow := n.choose(vertical, dy, most, func(k int) string {
		return n.taken(rows, -1, vertical.at(k), whole(y[3].Size))
	})
	var phases []string
	for i, dy := range byRow {
		row := places{stride: s, first: i, count: vertical.grid()}
		phases = append(phases, n.choose(horizontal, dy, n.taken(rows, 1, row, whole(y[3].Size)), func(k int) string {
			return n.taken(input, -1, row, horizontal.at(k))
		})...)
	}
	dx := phases[0]
	if s > 1 {
		dx = n.putOff(phased{stride: s, maps: phases, of: x, ends: true})
	}
	if !n.takesPhases(n.x()) {
		dx = n.whole(dx)
	}
	if relu {
		n.passes(dx, n.x())
	}
	return dx
}

// pass is what a pool does along one axis of its maps, 0 or 1.
type pass struct {
	axis, kernel, stride, before int
	size, windows                int  // of the map, and how many there are
	positive                     bool // the maxima that gradients are given for
}

// at is where the k-th elements of all windows are.
func (p pass) at(k int) places { return places{p.stride, k - p.before, p.windows} }

// grid is how many elements each of the stride's phases has, if the map is filled up.
func (p pass) grid() int { return (p.size + p.stride - 1) / p.stride }

// choose gives the gradients of windows to their elements: those that equal the
// maximum y, of several the first. negative are the k-th elements of all windows, times
// -1. What comes of it are the elements' gradients by phase of the stride.
func (n *node) choose(p pass, dy, y string, negative func(k int) string) (phases []string) {
	given, rest := make([]string, p.kernel), dy
	for k := range p.kernel - 1 {
		given[k] = n.mul(n.isZeroElse0(n.add(negative(k), y)), rest)
		if first := p.inside(k); first > 0 && !p.positive { // the others have no such element, which a 0 stands for
			ones := n.Op("HardSigmoid", []string{dy}, onnx.Float("alpha", 0), onnx.Float("beta", 1))
			given[k] = n.mul(given[k], n.along(p.axis, ones, 1, places{1, -first, p.windows}))
		}
		rest = n.add(n.along(p.axis, given[k], -1, whole(p.windows)), rest)
	}
	given[p.kernel-1] = rest
	for phase := range p.stride {
		sum := ""
		for k := range p.kernel {
			if off := phase + p.before - k; off%p.stride == 0 {
				part := n.along(p.axis, given[k], 1, places{1, off / p.stride, p.grid()})
				if sum != "" {
					part = n.add(part, sum)
				}
				sum = part
			}
		}
		phases = append(phases, sum)
	}
	return phases
}

// inside is the first window whose k-th element is no padding. Padding behind the map
// needs no such care: a window has been given away when it is reached.
func (p pass) inside(k int) int { return max(0, (p.before-k+p.stride-1)/p.stride) }

// isZeroElse0 is 1 where x is 0, and 0 where it is more.
func (w *walk) isZeroElse0(x string) string {
	return w.Op("HardSigmoid", []string{x}, onnx.Float("alpha", float32(-math.Ldexp(1, 126))), onnx.Float("beta", 1))
}

// places are elements along an axis, some of which may be beyond its ends.
type places struct{ stride, first, count int }

func whole(size int) places { return places{1, 0, size} }

// along is taken on one axis.
func (w *walk) along(axis int, x string, factor float32, p places) string {
	s := w.shape(x)
	if w.err != nil {
		return x
	}
	if axis == 0 {
		return w.taken(x, factor, p, whole(s[3].Size))
	}
	return w.taken(x, factor, whole(s[2].Size), p)
}

// taken are elements of maps, times a factor, and zeros where there are none.
func (w *walk) taken(x string, factor float32, rows, columns places) string {
	s := w.shape(x)
	if w.err != nil || factor == 1 && rows == whole(s[2].Size) && columns == whole(s[3].Size) {
		return x
	}
	var kernel, strides, before, after [2]int
	at := 0
	for i, p := range []places{rows, columns} {
		size := s[i+2].Size
		before[i] = max(0, -p.first)
		from := p.first + before[i]
		kernel[i] = max(from+1, size+before[i]-p.count*p.stride+1) // no more windows than places
		after[i] = max(0, (p.count-1)*p.stride+kernel[i]-size-before[i])
		strides[i] = p.stride
		at = at*kernel[i] + from
	}
	numbers := make([]float32, kernel[0]*kernel[1])
	numbers[at] = factor
	return w.filter(x, kernel, numbers, onnx.Ints("strides", strides[:]...), onnx.Ints("pads", before[0], before[1], after[0], after[1]))
}

// crop cuts maps to the size of others, which begin at a row of them.
func (w *walk) crop(x string, row int, s onnx.Shape) string {
	if has := w.shape(x); w.err != nil || has[2:].Equal(s[2:]) {
		return x
	}
	return w.op("Slice", x, w.Int64s(row, 0), w.Int64s(row+s[2].Size, s[3].Size), w.Int64s(2, 3))
}
