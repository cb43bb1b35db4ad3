package windows

import (
	"math"

	"github.com/ascood/ascood/onnx"
)

// MaxPool is a pool whose gradient is found by comparisons. Of what is for each axis, rows come first.
type MaxPool struct {
	Kernel, Before [2]int
	Stride         int
	Size, Windows  [2]int // of the maps, and how many there are
	Positive       bool   // the maxima that gradients are given for
}

// MaxPoolOf is a pool of maps of a shape. It is not ok if comparisons would not find its gradient, or would take more
// nodes than it is worth.
func MaxPoolOf(n *onnx.NodeProto, x, y onnx.Shape) (p MaxPool, ok bool) {
	const most = 5 // elements along an axis, each of which takes four nodes
	w, err := onnx.WindowOf(n, nil)
	if err != nil || len(x) != 4 || len(y) != 4 || len(w.Kernel) != 2 || w.Strides[0] != w.Strides[1] {
		return p, false
	}
	p.Stride = w.Strides[0]
	for i, k := range w.Kernel {
		if k > most || k < p.Stride || w.Dilations[i] > 1 || w.Before[i] < 0 || w.After[i] < 0 {
			return p, false
		}
		p.Kernel[i], p.Before[i], p.Size[i], p.Windows[i] = k, w.Before[i], x[i+2].Size, y[i+2].Size
	}
	return p, true
}

// Rows adds the pool of each row of the maps that a MaxPool n takes.
func (p MaxPool) Rows(b *onnx.Builder, n *onnx.NodeProto) string {
	pads := n.IntsAttr("pads", 0, 0, 0, 0)
	return b.Op("MaxPool", []string{n.Operand(0)}, onnx.Ints("kernel_shape", 1, p.Kernel[1]), onnx.Ints("strides", 1, p.Stride),
		onnx.Ints("pads", 0, pads[1], 0, pads[3]), onnx.Int("ceil_mode", n.IntAttr("ceil_mode", 0)))
}

// Gradient adds that of the maps x, given that of the maxima y, dy, and the maxima of rows. It is in phases: every
// Stride-th row and column by itself, that of row r and column c at r·Stride + c.
//
// It finds the elements by comparing each element of the windows with the maximum, all windows at once: first the row of
// a window, as the maxima of its rows tell, then the element of that row. All of it is in operators of the blocked
// layout; a convolution of each channel takes the elements that are at one place of the windows.
func (p MaxPool) Gradient(b *onnx.Builder, x, rows, y, dy string) []string {
	vertical, horizontal := pass{b, p, 0}, pass{b, p, 1}
	across := Whole(p.Windows[1])
	byRow := vertical.choose(dy, y, func(k int) string { return Take(b, rows, -1, vertical.at(k), across) })
	var phases []string
	for i, dy := range byRow {
		row := Places{Stride: p.Stride, First: i, Count: vertical.grid()}
		phases = append(phases, horizontal.choose(dy, Take(b, rows, 1, row, across), func(k int) string {
			return Take(b, x, -1, row, horizontal.at(k))
		})...)
	}
	return phases
}

// pass is what a pool does along one axis of its maps, 0 or 1.
type pass struct {
	*onnx.Builder
	MaxPool
	axis int
}

// at is where the k-th elements of all windows are.
func (p pass) at(k int) Places { return Places{p.Stride, k - p.Before[p.axis], p.Windows[p.axis]} }

// grid is how many elements each of the stride's phases has, if the map is filled up.
func (p pass) grid() int { return (p.Size[p.axis] + p.Stride - 1) / p.Stride }

// choose gives the gradients of windows to their elements: those that equal the maximum y, of several the first. negative
// are the k-th elements of all windows, times -1. What comes of it are the elements' gradients by phase of the stride.
func (p pass) choose(dy, y string, negative func(k int) string) (phases []string) {
	kernel, windows := p.Kernel[p.axis], p.Windows[p.axis]
	given, rest := make([]string, kernel), dy
	for k := range kernel - 1 {
		given[k] = p.mul(p.isZeroElse0(p.add(negative(k), y)), rest)
		if first := p.inside(k); first > 0 && !p.Positive { // the others have no such element, which a 0 stands for
			ones := p.Op("HardSigmoid", []string{dy}, onnx.Float("alpha", 0), onnx.Float("beta", 1))
			given[k] = p.mul(given[k], p.along(ones, 1, Places{1, -first, windows}))
		}
		rest = p.add(p.along(given[k], -1, Whole(windows)), rest)
	}
	given[kernel-1] = rest
	for phase := range p.Stride {
		sum := ""
		for k := range kernel {
			if off := phase + p.Before[p.axis] - k; off%p.Stride == 0 {
				part := p.along(given[k], 1, Places{1, off / p.Stride, p.grid()})
				if sum != "" {
					part = p.add(part, sum)
				}
				sum = part
			}
		}
		phases = append(phases, sum)
	}
	return phases
}

// inside is the first window whose k-th element is no padding. Padding behind the map needs no such care: a window has
// been given away when it is reached.
func (p pass) inside(k int) int { return max(0, (p.Before[p.axis]-k+p.Stride-1)/p.Stride) }

func (p pass) add(a, b string) string { return p.Op("Add", []string{a, b}) }
func (p pass) mul(a, b string) string { return p.Op("Mul", []string{a, b}) }

// isZeroElse0 is 1 where x is 0, and 0 where it is more.
func (p pass) isZeroElse0(x string) string {
	return p.Op("HardSigmoid", []string{x}, onnx.Float("alpha", float32(-math.Ldexp(1, 126))), onnx.Float("beta", 1))
}

// along takes elements on the pass's axis.
func (p pass) along(x string, factor float32, places Places) string {
	s := shape(p.Builder, x)
	if p.axis == 0 {
		return Take(p.Builder, x, factor, places, Whole(s[3].Size))
	}
	return Take(p.Builder, x, factor, Whole(s[2].Size), places)
}
