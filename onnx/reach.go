package onnx

import "slices"

// Reach is what the output of an operator on maps is computed from, along one axis: at
// place o from places o·Stride-Before to o·Stride+After of its input. Places beyond the
// input's ends are padding.
type Reach struct{ Stride, Before, After int }

// Then is the reach of an operator that takes what one of reach r computes.
func (r Reach) Then(next Reach) Reach {
	return Reach{r.Stride * next.Stride, next.Before*r.Stride + r.Before, next.After*r.Stride + r.After}
}

// Reaches returns the reach of a node on maps [N,C,H,W] along height and width. It is not
// ok if an output sees more of its maps than a window around its place, or another one
// there than elsewhere.
func (b *Builder) Reaches(n *NodeProto) (along [2]Reach, ok bool) {
	switch {
	case slices.Contains([]string{"Conv", "MaxPool", "AveragePool"}, n.OpType):
		return b.slides(n)
	case IsPointwise(n), slices.Contains(broadcast, n.OpType), n.OpType == "BatchNormalization", n.OpType == "LRN":
	case n.OpType == "Concat" && n.IntAttr("axis", 0) == 1, n.OpType == "Split" && n.IntAttr("axis", 0) == 1:
	default:
		return along, false
	}
	return [2]Reach{{Stride: 1}, {Stride: 1}}, b.byPlace(n)
}

// IsPointwise reports whether a node treats each element of its first input alone.
func IsPointwise(n *NodeProto) bool { return slices.Contains(pointwise, n.OpType) }

// slides is the reach of a node that slides a window over maps.
func (b *Builder) slides(n *NodeProto) (along [2]Reach, ok bool) {
	var kernel []int
	if n.OpType == "Conv" {
		weight := b.Constant(n.Operand(1))
		if weight == nil || len(weight.Dims) != 4 {
			return along, false
		}
		kernel = weight.Shape()[2:].At(1)
	}
	w, err := WindowOf(n, kernel)
	if err != nil || len(w.Kernel) != 2 || n.Result(1) != "" || slices.Min(w.After) < 0 {
		return along, false
	}
	for i := range along {
		along[i] = Reach{w.Strides[i], w.Before[i], w.Span(i) - 1 - w.Before[i]}
		if min(along[i].Before, along[i].After) < 0 {
			return along, false
		}
	}
	return along, true
}

// byPlace reports whether all operands of a node are maps of its output's height and
// width, or constants that are the same at all places.
func (b *Builder) byPlace(n *NodeProto) bool {
	y, err := b.Shape(n.Result(0))
	if err != nil || len(y) != 4 {
		return false
	}
	for i, in := range n.Input {
		s, err := b.Shape(in)
		switch {
		case in == "":
		case err != nil:
			return false
		case b.Constant(in) == nil:
			if len(s) != 4 || !s[2:].Equal(y[2:]) {
				return false
			}
		case i > 0 && (n.OpType == "BatchNormalization" || n.OpType == "Split"): // of channels
		case s[max(0, len(s)-2):].Elements() != Dim{Size: 1}:
			return false
		}
	}
	return true
}
