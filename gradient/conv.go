package gradient

import (
	"math"
	"slices"

	"github.com/ascood/ascood/onnx"
)

var convolutions = map[string]rule{
	"Conv":          {vjp: []vjp{convGradient, nil, nil}, local: (*node).pointwise, variants: "1-D, 2-D and 3-D, strides, dilations, groups, uneven pads; the weights off the image's way"},
	"ConvTranspose": {vjp: []vjp{convTransposeGradient, nil, nil}, variants: "as Conv, with output padding"},
}

// convolution is what a Conv computes but for its bias, or a pool that averages.
type convolution struct {
	onnx.Window
	weight      string // [O,I/group,kernel…]
	group       int
	wide, small onnx.Shape // of its input, [N,I,…], and its output, [N,O,…]
}

func convGradient(n *node) string {
	weight := n.shape(n.Operand(1))
	window, err := onnx.WindowOf(n.NodeProto, weight.At(1)[2:])
	if n.note(err); n.err != nil {
		return ""
	}
	c := convolution{window, n.Operand(1), n.IntAttr("group", 1), n.shape(n.Operand(0)), n.shape(n.Result(0))}
	if p := n.late[n.dy]; p != nil && c.inPhases() {
		if dx, ok := n.skipping(p, c); ok {
			return dx
		}
	}
	if channels := n.channelsOf(n.Operand(0)); channels != nil && n.rows.Count == 0 {
		return n.byPart(n.whole(n.dy), c, channels)
	}
	return n.unconvolve(n.whole(n.dy), c)
}

// convTransposeGradient is the convolution of which it is the gradient.
func convTransposeGradient(n *node) string {
	keep := []string{"dilations", "group", "kernel_shape", "pads", "strides"}
	if n.StringAttr("auto_pad", "NOTSET") != "NOTSET" || n.HasAttr("output_shape") {
		n.refuse("has auto_pad or output_shape, want pads that are numbers")
		return ""
	}
	var attrs []onnx.Attr
	for _, a := range n.Attribute {
		if slices.Contains(keep, a.Name) {
			attrs = append(attrs, a)
		}
	}
	return n.Op("Conv", []string{n.dy, n.Operand(1)}, attrs...)
}

// unconvolve is the gradient of a convolution's input, given that of its output: a
// convolution with the flipped kernel, in the form that the target has a fast kernel
// for.
func (w *walk) unconvolve(dy string, c convolution) string {
	strided := slices.Max(c.Strides) > 1
	switch {
	case strided && w.target == CUDA:
		return w.transposed(dy, c)
	case !strided:
		if dx, ok := w.flipped(dy, c); ok {
			return dx
		}
	case c.inPhases():
		if dx, ok := w.phases(dy, c); ok {
			return dx
		}
	}
	return w.transposed(dy, c)
}

// inPhases reports whether the phases of a gradient are channels.
func (c convolution) inPhases() bool {
	return len(c.Kernel) == 2 && c.Strides[0] == c.Strides[1] && c.Strides[0] > 1 && c.Strides[0] <= mostPhases && slices.Max(c.Dilations) == 1
}

// mostPhases is the largest stride whose phases are channels: they take its square.
const mostPhases = 16

// transposed lets the runtime do it. It leaves the blocked layout.
func (w *walk) transposed(dy string, c convolution) string {
	after, more := slices.Clone(c.After), make([]int, len(c.Kernel))
	for i := range after {
		// What the last window does not reach, or reaches beyond the padding.
		made := (c.small[i+2].Size-1)*c.Strides[i] + c.Span(i) - c.Before[i] - after[i]
		more[i] = max(0, c.wide[i+2].Size-made)
		after[i] += max(0, made-c.wide[i+2].Size)
	}
	return w.Op("ConvTranspose", []string{dy, c.weight}, onnx.Int("group", c.group),
		onnx.Ints("kernel_shape", c.Kernel...), onnx.Ints("strides", c.Strides...), onnx.Ints("dilations", c.Dilations...),
		onnx.Ints("pads", slices.Concat(c.Before, after)...), onnx.Ints("output_padding", more...))
}

// flipped is the gradient at stride 1. It is not ok if it would have to cut off what
// the padding adds beyond the kernel's reach.
func (w *walk) flipped(dy string, c convolution) (dx string, ok bool) {
	rank := len(c.Kernel)
	before, after := make([]int, rank), make([]int, rank)
	picks := make([][]int, rank)
	for i := range rank {
		before[i] = c.Span(i) - 1 - c.Before[i]
		after[i] = c.wide[i+2].Size - c.small[i+2].Size + c.Before[i]
		for k := range c.Kernel[i] {
			picks[i] = append(picks[i], c.Kernel[i]-1-k)
		}
	}
	if slices.Min(before) < 0 || slices.Min(after) < 0 {
		return "", false
	}
	kernel := w.regroup(w.picked(c, picks, false), c, slices.Repeat([]int{1}, rank), c.Kernel)
	return w.Op("Conv", []string{dy, kernel}, onnx.Int("group", c.group), onnx.Ints("kernel_shape", c.Kernel...),
		onnx.Ints("strides", slices.Repeat([]int{1}, rank)...), onnx.Ints("dilations", c.Dilations...),
		onnx.Ints("pads", slices.Concat(before, after)...)), true
}

// phases is the gradient at a stride s that is the same on both axes: the s² phases of
// the input are computed as channels, and interleaved.
func (w *walk) phases(dy string, c convolution) (dx string, ok bool) {
	s := c.Strides[0]
	taps, before, after, ok := c.phases()
	if !ok {
		return "", false
	}
	even := s*len(taps[0][0]) == c.Kernel[0] && s*len(taps[1][0]) == c.Kernel[1] // all phases have as many taps
	// A convolution takes as long for fewer channels than a block has.
	if !even && c.wide[1].Size >= blockedChannels {
		return w.putOff(phased{stride: s, maps: w.apart(dy, c, taps, before, after), of: c.wide}), true
	}
	return w.interleave(w.together(dy, c, taps, before, after), s, 0, c.wide), true
}

// phases tells of both axes which taps the phases of the gradient have, and how it is
// padded. It is not ok if it would have to be cut off.
func (c convolution) phases() (taps [2][][]int, before, after [2]int, ok bool) {
	for i, s := range c.Strides {
		var first int
		taps[i], first = phaseTaps(c.Kernel[i], s, c.Before[i])
		grid := (c.wide[i+2].Size + s - 1) / s
		before[i], after[i] = -first, grid-c.small[i+2].Size+first+len(taps[i][0])-1
	}
	return taps, before, after, min(before[0], before[1], after[0], after[1]) >= 0
}

// together computes the phases by one convolution. In groups, each phase has groups of its
// own, and its own copy of dy.
func (w *walk) together(dy string, c convolution, taps [2][][]int, before, after [2]int) string {
	s, group := c.Strides[0], c.group
	picks := [][]int{slices.Concat(taps[0]...), slices.Concat(taps[1]...)}
	size := []int{len(taps[0][0]), len(taps[1][0])}
	kernel := w.regroup(w.picked(c, picks, true), c, []int{s, s}, size)
	if group > 1 {
		group *= s * s
		dy = w.Op("Concat", slices.Repeat([]string{dy}, s*s), onnx.Int("axis", 1))
	}
	return w.convolve(dy, kernel, group, size, before, after)
}

// apart computes each phase by a convolution of its own, without the taps that it does not
// have. A phase without any is zero.
func (w *walk) apart(dy string, c convolution, taps [2][][]int, before, after [2]int) []string {
	s := c.Strides[0]
	phases := make([]string, s*s)
	for at := range phases {
		picks, from, to := [][]int{taps[0][at/s], taps[1][at%s]}, before, after
		empty := false
		for i, kernel := range c.Kernel {
			for len(picks[i]) > 0 && picks[i][0] == kernel && from[i] > 0 {
				picks[i], from[i] = picks[i][1:], from[i]-1
			}
			for len(picks[i]) > 0 && picks[i][len(picks[i])-1] == kernel && to[i] > 0 {
				picks[i], to[i] = picks[i][:len(picks[i])-1], to[i]-1
			}
			empty = empty || !slices.ContainsFunc(picks[i], func(k int) bool { return k < kernel })
		}
		if !empty {
			size := []int{len(picks[0]), len(picks[1])}
			phases[at] = w.convolve(dy, w.regroup(w.picked(c, picks, true), c, []int{1, 1}, size), c.group, size, from, to)
		}
	}
	return phases
}

// convolve is a convolution of maps at stride 1.
func (w *walk) convolve(x, kernel string, group int, size []int, before, after [2]int) string {
	return w.Op("Conv", []string{x, kernel}, onnx.Int("group", group), onnx.Ints("kernel_shape", size...),
		onnx.Ints("strides", 1, 1), onnx.Ints("pads", before[0], before[1], after[0], after[1]))
}

// phaseTaps tells, for each of the stride's phases along one axis, which kernel
// element multiplies which gradient element: phase r of input position q·s + r
// is the sum over t of kernel[taps[r][t]] · grad[q + first + t]. A tap that the
// phase does not have is index kernel, one past the end.
func phaseTaps(kernel, stride, padding int) (taps [][]int, first int) {
	// Input position q·s + r meets output o at kernel element k = q·s + r + p - o·s,
	// that is, at o = q + d with k = r + p - d·s in [0, kernel).
	first = math.MaxInt
	last := math.MinInt
	for r := range stride {
		for k := range kernel {
			if (r+padding-k)%stride == 0 {
				d := (r + padding - k) / stride
				first, last = min(first, d), max(last, d)
			}
		}
	}
	for r := range stride {
		row := make([]int, last-first+1)
		for t := range row {
			k := r + padding - (first+t)*stride
			if k < 0 || k > kernel {
				k = kernel
			}
			row[t] = k
		}
		taps = append(taps, row)
	}
	return taps, first
}

// picked is a kernel with the given elements along its axes; padded adds a zero after
// the end of each axis for the taps that a phase does not have. Kernels are rearranged
// in the graph, so that the file holds every weight once; the runtime computes with
// constants when it loads the graph.
func (w *walk) picked(c convolution, picks [][]int, padded bool) string {
	weight, rank := c.weight, len(picks)
	missing := func(row []int, kernel int) bool { return slices.Contains(row, kernel) }
	if padded && (missing(picks[0], c.Kernel[0]) || missing(picks[1], c.Kernel[1])) {
		weight = w.pad(weight, make([]int, rank+2), append([]int{0, 0}, slices.Repeat([]int{1}, rank)...))
	}
	for i, row := range picks {
		weight = w.gather(weight, i+2, row...)
	}
	return weight
}

// regroup exchanges a kernel's inputs and outputs within each group, and puts the
// phases before the groups: of [G·O,I,s·T,…] it makes [s·…·G·I,O,T,…], in the order in
// which DepthToSpace takes phases.
func (w *walk) regroup(weight string, c convolution, phases, size []int) string {
	shape := w.shape(c.weight)
	if w.err != nil {
		return weight
	}
	outs, ins, rank := shape[0].Size/c.group, shape[1].Size, len(size)
	if outs == 1 && ins == 1 && slices.Max(phases) == 1 {
		return weight // one channel a group
	}
	if c.group == 1 && slices.Max(phases) == 1 {
		perm := []int{1, 0}
		for i := range rank {
			perm = append(perm, i+2)
		}
		return w.transpose(weight, perm...)
	}
	apart, perm, last := []int{c.group, outs, ins}, []int{}, []int{}
	total := c.group * ins
	for i := range rank {
		apart = append(apart, phases[i], size[i])
		perm, last = append(perm, 3+2*i), append(last, 4+2*i)
		total *= phases[i]
	}
	perm = append(append(perm, 0, 2, 1), last...)
	weight = w.transpose(w.op("Reshape", weight, w.Int64s(apart...)), perm...)
	return w.op("Reshape", weight, w.Int64s(append([]int{total, outs}, size...)...))
}
