package onnx

import (
	"fmt"
	"math"
	"slices"
)

func inferReshape(o *operands) []Shape {
	s, target := o.shape(0), o.held(1)
	if o.err != nil {
		return nil
	}
	if o.IntAttr("allowzero", 0) != 0 {
		return o.wrong("allowzero is 1")
	}
	out, rest := slices.Clone(target), -1
	for i, d := range target {
		switch {
		case d.Size == 0 && i < len(s): // as it is in s
			out[i] = s[i]
		case d.Size == -1 && rest < 0:
			rest, out[i] = i, Dim{Size: 1}
		}
	}
	all, known := s.Elements(), out.Elements()
	if rest >= 0 && known.Size > 0 && all.Size%known.Size == 0 {
		out[rest] = Dim{all.Size / known.Size, all.Batch && !known.Batch}
	}
	if out.check() != nil || out.Elements() != all {
		return o.wrong("%v cannot take the shape %v", s, target)
	}
	return []Shape{out}
}

func inferFlatten(o *operands) []Shape {
	s := o.shape(0)
	axis := o.IntAttr("axis", 1)
	if axis < 0 {
		axis += len(s)
	}
	if o.err != nil || axis < 0 || axis > len(s) {
		return o.wrong("%v has no axis %d", s, axis)
	}
	return []Shape{{s[:axis].Elements(), s[axis:].Elements()}}
}

func inferSqueeze(o *operands) []Shape {
	s := o.shape(0)
	axes := o.axes(s, o.ints(1))
	if o.Operand(1) == "" {
		for i, d := range s {
			if (d == Dim{Size: 1}) {
				axes = append(axes, i)
			}
		}
	}
	if o.err != nil {
		return nil
	}
	for _, a := range axes {
		if (s[a] != Dim{Size: 1}) {
			return o.wrong("axis %d of %v is not 1", a, s)
		}
	}
	return []Shape{without(s, axes, false)}
}

func inferUnsqueeze(o *operands) []Shape {
	out := slices.Clone(o.shape(0))
	given := o.ints(1)
	axes := o.axes(make(Shape, len(out)+len(given)), given)
	if o.err != nil {
		return nil
	}
	for _, a := range axes {
		out = slices.Insert(out, a, Dim{Size: 1})
	}
	return []Shape{out}
}

// Perm returns the permutation of a Transpose of so many axes, which is a reversal if
// the node does not say.
func Perm(n *NodeProto, rank int) ([]int, error) {
	perm := n.IntsAttr("perm")
	if perm == nil {
		for i := range rank {
			perm = append(perm, rank-1-i)
		}
	}
	sorted := slices.Sorted(slices.Values(perm))
	for i, p := range sorted {
		if p != i || len(sorted) != rank {
			return nil, fmt.Errorf("%v is no permutation of %d axes", perm, rank)
		}
	}
	return perm, nil
}

func inferTranspose(o *operands) []Shape {
	s := o.shape(0)
	perm, err := Perm(o.NodeProto, len(s))
	if o.note(err); o.err != nil {
		return nil
	}
	out := make(Shape, len(s))
	for i, p := range perm {
		out[i] = s[p]
	}
	return []Shape{out}
}

func inferExpand(o *operands) []Shape {
	out, err := Broadcast(o.shape(0), o.held(1))
	o.note(err)
	return []Shape{out}
}

func inferTile(o *operands) []Shape {
	out, repeats := slices.Clone(o.shape(0)), o.ints(1)
	if o.err == nil && len(repeats) != len(out) {
		return o.wrong("%v is repeated %v times, want a number for each axis", out, repeats)
	}
	for i, r := range repeats {
		out[i].Size *= r
	}
	return []Shape{out}
}

func inferConcat(o *operands) []Shape {
	out := slices.Clone(o.shape(0))
	axis := o.axis(out, "axis", 0)
	for i := 1; i < len(o.Input) && o.err == nil; i++ {
		s := o.shape(i)
		if len(s) != len(out) {
			return o.wrong("%v and %v do not go together", out, s)
		}
		for k, d := range s {
			switch {
			case k != axis && d != out[k], d.Batch != out[k].Batch:
				return o.wrong("%v and %v do not go together along axis %d", out, s, axis)
			case k == axis:
				out[k].Size += d.Size
			}
		}
	}
	return []Shape{out}
}

func inferSplit(o *operands) []Shape {
	s, sizes := o.shape(0), o.ints(1)
	axis := o.axis(s, "axis", 0)
	if o.err != nil {
		return nil
	}
	if o.Operand(1) == "" { // equal parts
		sizes = slices.Repeat([]int{s[axis].Size / len(o.Output)}, len(o.Output))
	}
	total := 0
	for _, n := range sizes {
		total += n
	}
	if s[axis].Batch || len(sizes) != len(o.Output) || total != s[axis].Size {
		return o.wrong("axis %d of %v cannot be split into %v", axis, s, sizes)
	}
	var parts []Shape
	for _, n := range sizes {
		part := slices.Clone(s)
		part[axis].Size = n
		parts = append(parts, part)
	}
	return parts
}

// Range is what Slice takes of an axis: Count elements, Step apart, from Start on.
type Range struct{ Start, Step, Count int }

// Ranges returns what a Slice takes of each axis of its input's shape. Some of the
// images but not all is an error.
func (b *Builder) Ranges(n *NodeProto, s Shape) ([]Range, error) {
	o := &operands{NodeProto: n, b: b}
	starts, ends, axes, steps := o.ints(1), o.ints(2), o.ints(3), o.ints(4)
	if n.Operand(3) == "" {
		for i := range starts {
			axes = append(axes, i)
		}
	}
	if n.Operand(4) == "" {
		steps = slices.Repeat([]int{1}, len(starts))
	}
	if o.err == nil && (len(ends) != len(starts) || len(axes) != len(starts) || len(steps) != len(starts)) {
		o.wrong("starts %v, ends %v, axes %v and steps %v do not go together", starts, ends, axes, steps)
	}
	ranges := make([]Range, len(s))
	for i, d := range s {
		ranges[i] = Range{0, 1, d.Size}
	}
	for i := 0; i < len(starts) && o.err == nil; i++ {
		axis, err := s.Axis(axes[i])
		switch {
		case err != nil:
			o.note(err)
		case steps[i] == 0:
			o.wrong("a step is 0")
		case s[axis].Batch && (starts[i] != 0 || ends[i] < math.MaxInt32 || steps[i] != 1):
			o.wrong("it takes some of the images of a batch")
		case !s[axis].Batch:
			ranges[axis] = takes(s[axis].Size, starts[i], ends[i], steps[i])
		}
	}
	return ranges, o.err
}

// takes is what a slice takes of so many elements; start and end may be counted from
// the end, and may be beyond.
func takes(size, start, end, step int) Range {
	low, high := 0, size
	if step < 0 {
		low, high = -1, size-1
	}
	within := func(i int) int {
		if i < 0 {
			i += size
		}
		return min(max(i, low), high)
	}
	start, end = within(start), within(end)
	if step < 0 {
		return Range{start, step, max(0, (end-start+step+1)/step)}
	}
	return Range{start, step, max(0, (end-start+step-1)/step)}
}

func inferSlice(o *operands) []Shape {
	out := slices.Clone(o.shape(0))
	ranges, err := o.b.Ranges(o.NodeProto, out)
	if o.note(err); o.err != nil {
		return nil
	}
	for i, r := range ranges {
		out[i].Size = r.Count
	}
	return []Shape{out}
}

// inferGatherND is of indices whose last axis counts axes of what is gathered from, after
// batch_dims that both have.
func inferGatherND(o *operands) []Shape {
	s, at := o.rank(0, 1), o.rank(1, 1)
	if o.err != nil {
		return nil
	}
	shared, last := o.IntAttr("batch_dims", 0), at[len(at)-1]
	if last.Batch || last.Size < 1 || shared < 0 || shared >= len(at) || shared+last.Size > len(s) {
		return o.wrong("indices of %v cannot be of %v with batch_dims %d", at, s, shared)
	}
	return []Shape{slices.Concat(at[:len(at)-1], s[shared+last.Size:])}
}

func inferGather(o *operands) []Shape {
	s, indices := o.rank(0, 1), o.shape(1)
	axis := o.axis(s, "axis", 0)
	if o.err != nil {
		return nil
	}
	return []Shape{slices.Concat(s[:axis], indices, s[axis+1:])}
}

func inferPad(o *operands) []Shape {
	out, pads := slices.Clone(o.shape(0)), o.ints(1)
	if o.err == nil && len(pads) != 2*len(out) {
		return o.wrong("pads %v do not go with %v", pads, out)
	}
	if o.err != nil {
		return nil
	}
	for i := range out {
		added := pads[i] + pads[i+len(out)]
		if out[i].Batch && (pads[i] != 0 || pads[i+len(out)] != 0) {
			return o.wrong("pads %v add images to a batch", pads)
		}
		out[i].Size += added
	}
	return []Shape{out}
}

func inferDepthToSpace(o *operands) []Shape {
	s, k := o.rank(0, 4), o.IntAttr("blocksize", 0)
	if o.err != nil || len(s) != 4 || k < 1 || s[1].Size%(k*k) != 0 {
		return o.wrong("blocks of %dx%d cannot be made of %v", k, k, s)
	}
	return []Shape{{s[0], Dim{s[1].Size / k / k, s[1].Batch}, Dim{Size: s[2].Size * k}, Dim{Size: s[3].Size * k}}}
}

func inferSpaceToDepth(o *operands) []Shape {
	s, k := o.rank(0, 4), o.IntAttr("blocksize", 0)
	if o.err != nil || len(s) != 4 || k < 1 || s[2].Size%k != 0 || s[3].Size%k != 0 {
		return o.wrong("blocks of %dx%d cannot be cut out of %v", k, k, s)
	}
	return []Shape{{s[0], Dim{Size: s[1].Size * k * k}, Dim{Size: s[2].Size / k}, Dim{Size: s[3].Size / k}}}
}

// inferResize goes by the sizes, or else by the scales.
func inferResize(o *operands) []Shape {
	out := slices.Clone(o.shape(0))
	sizes := o.ints(3)
	var scales []float32
	if t := o.b.Constant(o.Operand(2)); o.Operand(3) == "" && t != nil {
		v, err := t.Floats()
		o.note(err)
		scales = v
	}
	if o.err != nil || len(sizes) != len(out) && len(scales) != len(out) {
		return o.wrong("neither sizes nor scales are constants, one for each axis of %v", out)
	}
	for i := range out {
		switch {
		case out[i].Batch: // as many as there were
		case len(sizes) > 0:
			out[i].Size = sizes[i]
		default:
			out[i].Size = int(math.Floor(float64(out[i].Size) * float64(scales[i])))
		}
	}
	return []Shape{out}
}
