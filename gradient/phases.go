package gradient

import (
	"fmt"
	"slices"

	"github.com/ascood/ascood/internal/windows"
	"github.com/ascood/ascood/onnx"
)

// phased is the gradient of maps [N,C,H,W] as a strided convolution gives it: every
// stride-th row and column of it by itself, yet to be put into place. That leaves the
// blocked layout, so it is put off for as long as what comes next treats each place
// alone: in a mobile network until a pointwise convolution has left few channels.
type phased struct {
	stride int
	maps   []string   // [N,C,⌈H/stride⌉,⌈W/stride⌉], that of row r and column c at r·stride + c; "" for zero
	of     onnx.Shape // when they are in place
	ends   bool       // that it is zero beyond the last row and column, where phases may reach
	whole  string     // the name of that, "" until then
}

// mostPutOff is the largest stride whose phases are kept apart: each is treated by nodes
// of its own.
const mostPutOff = 2

// putOff gives phases a name that stands for the gradient until whole puts them into
// place. No value has such a name.
func (w *walk) putOff(p phased) string {
	if w.late == nil {
		w.late = map[string]*phased{}
	}
	name := fmt.Sprintf("\x00%d", len(w.late))
	w.late[name] = &p
	if p.stride > mostPutOff {
		return w.whole(name)
	}
	return name
}

// whole is a gradient of which nothing is put off.
func (w *walk) whole(gradient string) string {
	if j := w.parts[gradient]; j != nil {
		if j.whole == "" {
			j.whole = w.putTogether(j)
		}
		return j.whole
	}
	p := w.late[gradient]
	if p == nil {
		return gradient
	}
	if p.whole == "" {
		maps := slices.Clone(p.maps)
		some := maps[slices.IndexFunc(maps, nonZero)]
		for i, m := range maps {
			if m == "" {
				maps[i] = w.Op("HardSigmoid", []string{some}, onnx.Float("alpha", 0), onnx.Float("beta", 0))
			}
		}
		p.whole = w.interleave(w.Op("Concat", maps, onnx.Int("axis", 1)), p.stride, 0, p.of)
	}
	return p.whole
}

// interleave puts phases, as channels, into place, and cuts off what is not of the maps, which begin at a row of that.
func (w *walk) interleave(phases string, stride, row int, of onnx.Shape) string {
	if w.shape(phases); w.err != nil {
		return phases
	}
	return windows.Crop(w.Builder, windows.Interleave(w.Builder, phases, stride), row, of)
}

// shapeOf is the shape of a gradient, in place.
func (w *walk) shapeOf(gradient string) onnx.Shape {
	if p := w.late[gradient]; p != nil {
		return p.of
	}
	if j := w.parts[gradient]; j != nil {
		return j.of
	}
	return w.shape(gradient)
}

// total is the sum of two gradients of one value, either of which may be "" for zero.
func (w *walk) total(a, b string) string {
	switch p, q := w.late[a], w.late[b]; {
	case a == "":
		return b
	case b == "":
		return a
	case w.parts[a] != nil && w.parts[b] != nil:
		if sum, ok := w.totalOfPieces(w.parts[a], w.parts[b]); ok {
			return sum
		}
	case p != nil && q != nil && p.stride == q.stride:
		maps := slices.Clone(p.maps)
		for i, m := range q.maps {
			maps[i] = w.total(maps[i], m)
		}
		return w.putOff(phased{stride: p.stride, maps: maps, of: p.of, ends: p.ends && q.ends})
	}
	return w.add(w.whole(a), w.whole(b))
}

// staysInPhases reports whether the gradient with respect to input i of a node should be in
// phases, as that of its output is. More channels are not worth it, unless others in phases
// are to be added.
func (n *node) staysInPhases(i int, others bool) bool {
	local := rules[n.OpType].local
	if n.late[n.dy] == nil || local == nil || !local(n) {
		return false
	}
	return others || n.narrows(i)
}

// narrows reports whether input i of a node has no more channels than its output.
func (n *node) narrows(i int) bool {
	return n.shape(n.Operand(i))[1].Size <= n.shape(n.Result(0))[1].Size
}

// inPlace is the node with gradients of which nothing is put off.
func (n *node) inPlace() *node {
	placed := *n
	placed.dy, placed.grads = n.whole(n.dy), nil
	for _, g := range n.grads {
		placed.grads = append(placed.grads, n.whole(g))
	}
	return &placed
}

// byPhase is the gradient with respect to input i of a node that treats each place alone,
// given that of its output in phases.
func (w *walk) byPhase(n *node, i int, emit vjp) string {
	p := w.late[n.dy]
	maps := make([]string, len(p.maps))
	for at, dy := range p.maps {
		if dy != "" {
			part := *n
			part.dy = dy
			part.rows = windows.Places{Stride: p.stride, First: at / p.stride, Count: w.shape(dy)[2].Size}
			part.columns = windows.Places{Stride: p.stride, First: at % p.stride, Count: w.shape(dy)[3].Size}
			maps[at] = emit(&part)
		}
	}
	switch {
	case slices.Equal(maps, p.maps): // the gradient itself, to be put into place once
		return n.dy
	case !slices.ContainsFunc(maps, nonZero):
		return ""
	}
	// Where there is nothing, y is taken for 0.
	return w.putOff(phased{stride: p.stride, maps: maps, of: w.shape(n.Operand(i)), ends: p.ends || n.OpType == "Relu"})
}

func nonZero(gradient string) bool { return gradient != "" }

// here is a value at the places that the gradient is of. One number is at all of them.
func (n *node) here(value string) string {
	if n.rows.Count == 0 || isNumber(n.shape(value)) {
		return value
	}
	return n.taken(value, n.rows, n.columns)
}

// elementwise reports whether an element of the output is computed from those at the same
// place of all operands, or from one number for all.
func (n *node) elementwise() bool {
	return !slices.ContainsFunc(n.Input, func(x string) bool {
		return x != "" && !n.shape(x).Equal(n.shape(n.y())) && !isNumber(n.shape(x))
	})
}

// isNumber reports whether a value of a shape is one number, whatever the batch.
func isNumber(s onnx.Shape) bool { return s.Elements() == (onnx.Dim{Size: 1}) }

// pointwise reports whether a Conv is of each pixel alone.
func (n *node) pointwise() bool {
	w, err := onnx.WindowOf(n.NodeProto, n.shape(n.Operand(1)).At(1)[2:])
	return err == nil && slices.Max(slices.Concat(w.Kernel, w.Strides)) == 1 && slices.Max(slices.Concat(w.Before, w.After)) == 0
}

// takesPhases reports whether maps come from a convolution, but for an activation, that
// takes their gradient in phases: a strided one (skipping), or a pointwise one to more
// channels.
func (w *walk) takesPhases(maps string) bool {
	maker := w.Maker(maps)
	if maker != nil && (maker.OpType == "Relu" || maker.OpType == "Clip") {
		maker = w.Maker(maker.Operand(0))
	}
	if maker == nil || maker.OpType != "Conv" {
		return false
	}
	n := &node{walk: w, NodeProto: maker}
	return isStrided(maker) || n.pointwise() && n.narrows(0)
}

func isStrided(n *onnx.NodeProto) bool { return slices.Max(n.IntsAttr("strides", 1)) > 1 }

// skipping is the gradient of a strided convolution's input, given that of its output in
// phases: its phases at the product of both strides are all channels of one convolution of
// each phase given. It is not ok if some reach beyond the end of the maps, or would take
// more than a block of channels each.
func (w *walk) skipping(p *phased, c convolution) (dx string, ok bool) {
	s := c.Strides[0] * p.stride
	if whole := c.small[2].Size%p.stride == 0 && c.small[3].Size%p.stride == 0; !whole && !p.ends || c.wide[1].Size >= blockedChannels || c.group > 1 {
		return "", false
	}
	sums := make([]string, s) // by how far before the maps the blocks of s rows begin
	for at, dy := range p.maps {
		of := c
		of.Window.Strides = []int{s, s}
		of.Window.Before = []int{c.Before[0] - c.Strides[0]*(at/p.stride), c.Before[1] - c.Strides[1]*(at%p.stride)}
		of.small = w.shape(dy)
		of, lead := of.led()
		taps, before, after, fits := of.phases()
		if !fits || dy == "" {
			return "", false
		}
		sums[lead] = w.total(sums[lead], w.together(dy, of, taps, before, after))
	}
	for lead, sum := range sums {
		if sum != "" {
			dx = w.total(dx, w.interleave(sum, s, lead, c.wide))
		}
	}
	return dx, true
}

// led is the convolution of maps with so many more rows before them that the phases of its
// gradient meet as few rows as possible: which s rows are taken together decides about how
// far apart the elements are that any of them meets. That of columns does, too, but to put
// these into place apart takes nearly what it saves.
func (c convolution) led() (led convolution, lead int) {
	s := c.Strides[0]
	window := func(lead int) int {
		taps, _ := phaseTaps(c.Kernel[0], s, c.Before[0]-lead)
		return len(taps[0])
	}
	for more := range s {
		if window(more) < window(lead) {
			lead = more
		}
	}
	led = c
	led.Window.Before, led.wide = slices.Clone(c.Before), slices.Clone(c.wide)
	led.Window.Before[0] -= lead
	led.wide[2].Size += lead
	return led, lead
}
