package gradient

import (
	"math"
	"slices"

	"github.com/ascood/ascood/onnx"
)

// op adds a node without attributes.
func (w *walk) op(op string, inputs ...string) string { return w.Op(op, inputs) }

func (w *walk) add(a, b string) string { a, b = w.meet(a, b); return w.op("Add", a, b) }
func (w *walk) sub(a, b string) string { return w.op("Sub", a, b) }
func (w *walk) mul(a, b string) string { return w.op("Mul", a, b) }
func (w *walk) div(a, b string) string { return w.op("Div", a, b) }
func (w *walk) neg(a string) string    { return w.op("Neg", a) }

// scale multiplies by a constant. Maps stay in the blocked layout if each channel has a
// factor of its own, though all are the same.
func (w *walk) scale(x string, factor float64) string {
	if factor == 1 {
		return x
	}
	by := w.number(factor)
	if s := w.shape(x); w.target == CPU && len(s) == 4 && w.err == nil && !w.wide {
		by = w.op("Expand", by, w.Int64s(1, s[1].Size, 1, 1))
	}
	return w.mul(x, by)
}

// oneMinus is 1 - x of an x between 0 and 1. It stays in the blocked layout, which a
// difference from a constant leaves.
func (w *walk) oneMinus(x string) string {
	if w.wide {
		return w.sub(w.number(1), x)
	}
	return w.Op("HardSigmoid", []string{x}, onnx.Float("alpha", -1), onnx.Float("beta", 1))
}

// above is 1 where x > c, else 0: a HardSigmoid so steep that it is a step, which stays
// in the blocked layout, as comparisons do not. Its slope is a power of two, so that
// slope·(x - c) is exact, and such that slope·c is a number: c itself gives 0, and the
// next number 1.
func (w *walk) above(x string, c float64) string { return w.step(x, c, 1) }

// below is 1 where x < c, else 0.
func (w *walk) below(x string, c float64) string { return w.step(x, c, -1) }

func (w *walk) step(x string, c, sign float64) string {
	if w.wide { // of which ONNX Runtime has no HardSigmoid
		return w.toFloat(w.op(map[float64]string{1: "Greater", -1: "Less"}[sign], x, w.number(c)))
	}
	_, exponent := math.Frexp(c)
	slope := sign * math.Ldexp(1, 126-max(0, exponent))
	return w.Op("HardSigmoid", []string{x}, onnx.Float("alpha", float32(slope)), onnx.Float("beta", float32(-slope*c)))
}

// between is 1 where low < x < high, else 0. An infinite bound is none.
func (w *walk) between(x string, low, high float64) string {
	switch {
	case math.IsInf(high, 1):
		return w.above(x, low)
	case math.IsInf(low, -1):
		return w.below(x, high)
	}
	return w.mul(w.above(x, low), w.below(x, high))
}

// where is a or b, element by element.
func (w *walk) where(condition, a, b string) string { return w.op("Where", condition, a, b) }

// toFloat makes numbers of what is none, of the precision at hand.
func (w *walk) toFloat(x string) string { return w.cast(x, w.wide) }

func (w *walk) cast(x string, wide bool) string {
	to := onnx.TensorProto_FLOAT
	if wide {
		to = onnx.TensorProto_DOUBLE
	}
	return w.Op("Cast", []string{x}, onnx.Int("to", int(to)))
}

// number is a constant of the precision at hand.
func (w *walk) number(v float64) string {
	if w.wide {
		return w.Double(v)
	}
	return w.Scalar(float32(v))
}

// reshape gives a value another shape of as many elements. A batch that stays where it
// is is copied: if it were to be found out, ONNX Runtime would not know that it is the
// batch of other values, and would leave the blocked layout where they meet.
func (w *walk) reshape(x string, s onnx.Shape) string {
	from, target := w.shape(x), s.Target()
	if from.Equal(s) {
		return x
	}
	if axis := s.BatchAxis(); axis >= 0 && axis < len(from) && from[axis] == s[axis] {
		target[axis] = 0
	}
	return w.op("Reshape", x, w.Int64s(target...))
}

// expand stretches a value to a shape, whose batch it must have already.
func (w *walk) expand(x string, s onnx.Shape) string {
	if w.shape(x).Equal(s) {
		return x
	}
	if w.onePerMap(w.shape(x), s) {
		return w.enlarge(w.inBlocks(x), s.At(1)[2:])
	}
	sizes := s.At(1)
	if axis := s.BatchAxis(); axis >= 0 {
		sizes[axis] = 1
	}
	return w.op("Expand", x, w.Int64s(sizes...))
}

// onePerMap reports whether a shape has one element for each of the maps of another, and
// those are filled and summed in the blocked layout.
func (w *walk) onePerMap(s, maps onnx.Shape) bool {
	one := onnx.Dim{Size: 1}
	return w.target == CPU && !w.wide && len(maps) == 4 && maps[1].Size%blockedMultiple == 0 && s.Equal(onnx.Shape{maps[0], maps[1], one, one}) && !s.Equal(maps)
}

// sum adds up along axes, which stay, as 1.
func (w *walk) sum(x string, axes ...int) string { return w.op("ReduceSum", x, w.Int64s(axes...)) }

// mean is sum divided by the number of summands.
func (w *walk) mean(x string, axes ...int) string {
	return w.Op("ReduceMean", []string{x}, onnx.Ints("axes", axes...))
}

func (w *walk) transpose(x string, perm ...int) string {
	return w.Op("Transpose", []string{x}, onnx.Ints("perm", perm...))
}

// slice takes count elements along an axis.
func (w *walk) slice(x string, axis, from, count int) string {
	return w.op("Slice", x, w.Int64s(from), w.Int64s(from+count), w.Int64s(axis))
}

// reverse turns an axis around.
func (w *walk) reverse(x string, axis int) string {
	return w.op("Slice", x, w.Int64s(-1), w.Int64s(math.MinInt32), w.Int64s(axis), w.Int64s(-1))
}

// gather picks elements along an axis.
func (w *walk) gather(x string, axis int, indices ...int) string {
	return w.Op("Gather", []string{x, w.Int64s(indices...)}, onnx.Int("axis", axis))
}

// pad adds zeros before and after each axis, or takes away where a number is negative.
func (w *walk) pad(x string, before, after []int) string {
	if pads := slices.Concat(before, after); slices.ContainsFunc(pads, func(n int) bool { return n != 0 }) {
		return w.Say(w.op("Pad", x, w.Int64s(pads...)))
	}
	return x
}

// spaced puts zeros after each element along axes, so that there are as many times as
// many elements as stride says of each axis.
func (w *walk) spaced(x string, stride []int) string {
	s := w.shape(x)
	var apart onnx.Shape // each axis to be spaced is followed by one of size 1
	var after []int
	spaced := slices.Clone(s)
	for i, d := range s {
		apart, after = append(apart, d), append(after, 0)
		if stride[i] > 1 {
			apart, after = append(apart, onnx.Dim{Size: 1}), append(after, stride[i]-1)
			spaced[i].Size *= stride[i]
		}
	}
	if len(apart) == len(s) {
		return x
	}
	x = w.pad(w.reshape(x, apart), make([]int, len(after)), after)
	return w.reshape(x, spaced)
}

// hardSigmoid is that of HardSwish: x/6 + 1/2, cut to between 0 and 1.
func (w *walk) hardSigmoid(x string) string {
	return w.Op("HardSigmoid", []string{x}, onnx.Float("alpha", 1.0/6), onnx.Float("beta", 0.5))
}
