package gradient

import (
	"math"

	"github.com/ascood/ascood/onnx"
)

var elementwise = map[string]rule{
	"Add": {vjp: []vjp{same, same}, broadcasts: true, local: (*node).elementwise, variants: "broadcast"},
	"Sum": {each: func(n *node, _ int) string { return n.dy }, broadcasts: true, variants: "broadcast"},
	"Sub": {vjp: []vjp{same, func(n *node) string { return n.neg(n.dy) }}, broadcasts: true, variants: "broadcast"},
	"Mul": {each: mulGradient, broadcasts: true, local: (*node).elementwise, variants: "broadcast"},
	"Div": {vjp: []vjp{
		func(n *node) string { return n.div(n.dy, n.Operand(1)) },
		// d(a/b)/db = -y/b
		func(n *node) string { return n.neg(n.div(n.mul(n.dy, n.y()), n.Operand(1))) },
	}, broadcasts: true, variants: "broadcast"},
	"Pow":      {vjp: []vjp{powGradient}, broadcasts: true, variants: "the exponent one constant number"},
	"Neg":      unary("", func(n *node) string { return n.neg(n.dy) }),
	"Identity": unary("", same),
	"Cast":     unary("to float; to integers and booleans the gradient ends", castGradient),
	"Dropout": {vjp: []vjp{same}, takes: func(n *node) {
		if mode := n.Operand(2); mode != "" && !n.isZero(mode) {
			n.refuse("drops values at random; export the network for inference")
		}
	}, variants: "in inference"},
	"Sqrt":       unary("", func(n *node) string { return n.sqrtGradient() }),
	"Reciprocal": unary("", func(n *node) string { return n.neg(n.mul(n.dy, n.mul(n.y(), n.y()))) }),
	"Exp":        unary("", func(n *node) string { return n.mul(n.dy, n.y()) }),
	"Log":        unary("", func(n *node) string { return n.div(n.dy, n.x()) }),
	"Abs":        unary("", func(n *node) string { return n.mul(n.dy, n.op("Sign", n.x())) }),
	// 2/√π·exp(-x²)
	"Erf": unary("", func(n *node) string {
		bell := n.op("Exp", n.neg(n.mul(n.x(), n.x())))
		return n.mul(n.dy, n.scale(bell, 2/math.SqrtPi))
	}),
	"Sin": unary("", func(n *node) string { return n.mul(n.dy, n.op("Cos", n.x())) }),
	"Cos": unary("", func(n *node) string { return n.neg(n.mul(n.dy, n.op("Sin", n.x()))) }),
	"Max": {each: extremeGradient, broadcasts: true, variants: "broadcast; equal ones share the gradient"},
	"Min": {each: extremeGradient, broadcasts: true, variants: "broadcast; equal ones share the gradient"},
	"Where": {vjp: []vjp{
		nil,
		func(n *node) string { return n.where(n.x(), n.dy, n.number(0)) },
		func(n *node) string { return n.where(n.x(), n.number(0), n.dy) },
	}, broadcasts: true, variants: "broadcast"},
}

// same is the gradient of what only moves or adds.
func same(n *node) string { return n.dy }

// mulGradient is dy·b for a and dy·a for b. Two activations are taken as one. SiLU is
// x·σ(x), whose derivative σ + y·(1 - σ) takes four steps, and six if it is taken apart;
// GELU is x·Φ/2 with Φ = erf(z) + 1, z = x/√2, whose derivative Φ + 2/√π·z·exp(-z²) takes
// six, and nine.
func mulGradient(n *node, i int) string {
	other := n.Operand(1 - i)
	if n.isSigmoid(other, n.Operand(i)) {
		sigmoid := other
		if n.rows.Count > 0 { // the whole one is the forward pass's alone: ONNX Runtime makes one node of SiLU
			sigmoid = n.op("Sigmoid", n.here(n.Operand(i)))
		}
		slope := n.add(sigmoid, n.mul(n.y(), n.oneMinus(sigmoid)))
		return n.mul(n.dy, slope)
	}
	if z := n.erfOf(other, n.Operand(i)); z != "" {
		z, other = n.here(z), n.here(other)
		bell := n.op("Exp", n.sub(n.number(math.Log(2/math.SqrtPi)), n.mul(z, z)))
		return n.mul(n.dy, n.add(other, n.mul(z, bell)))
	}
	if n.isSigmoid(n.Operand(i), other) || n.erfOf(n.Operand(i), other) != "" {
		return "" // it is in the other's
	}
	if n.onePerMap(n.shape(other), n.shape(n.dy)) {
		other = n.expand(other, n.shape(n.dy))
	}
	return n.mul(n.dy, n.here(other))
}

// isSigmoid reports whether value is the Sigmoid of x.
func (n *node) isSigmoid(value, x string) bool {
	maker := n.Maker(value)
	return maker != nil && maker.OpType == "Sigmoid" && maker.Operand(0) == x
}

// erfOf returns the z of a value that is erf(z) + 1 of a multiple z of x, "" for another
// value.
func (n *node) erfOf(value, x string) (z string) {
	sum := n.Maker(value)
	if sum == nil || sum.OpType != "Add" {
		return ""
	}
	for i := range 2 {
		erf := n.Maker(sum.Operand(i))
		if one, ok := n.numberOf(sum.Operand(1 - i)); !ok || one != 1 || erf == nil || erf.OpType != "Erf" {
			continue
		}
		scaled := n.Maker(erf.Operand(0))
		if scaled == nil || scaled.OpType != "Div" && scaled.OpType != "Mul" || scaled.Operand(0) != x {
			continue
		}
		if _, ok := n.numberOf(scaled.Operand(1)); ok {
			return scaled.Result(0)
		}
	}
	return ""
}

// powGradient is e·x^(e-1).
func powGradient(n *node) string {
	e, ok := n.numberOf(n.Operand(1))
	switch {
	case !ok:
		n.refuse("has an exponent that is not one constant number")
		return ""
	case e == 0:
		return ""
	case e == 0.5:
		return n.sqrtGradient()
	case e == 1:
		return n.dy
	case e == 2:
		return n.mul(n.dy, n.scale(n.x(), 2))
	}
	x := n.x()
	if e > 0 && e < 1 { // as in sqrtGradient
		x = n.op("Max", x, n.tiny())
	}
	return n.mul(n.dy, n.scale(n.op("Pow", x, n.number(e-1)), e))
}

// tiny is in the place of 0 and no other number that there is: a root's slope there is
// infinite, and what it is multiplied by is 0 where a norm or a deviation is.
func (w *walk) tiny() string {
	if w.wide {
		return w.number(1e-300)
	}
	return w.number(1e-20)
}

// sqrtGradient is 1/(2·y).
func (n *node) sqrtGradient() string {
	return n.div(n.scale(n.dy, 0.5), n.op("Max", n.y(), n.tiny()))
}

// castGradient is dy in the precision of x.
func castGradient(n *node) string {
	to := onnx.TensorProto_DataType(n.IntAttr("to", 0))
	if to != onnx.TensorProto_FLOAT && to != onnx.TensorProto_DOUBLE {
		n.refuse("casts to %v; numbers must be float32 or float64", to)
	}
	if from := n.double[n.x()]; from != n.wide {
		return n.cast(n.dy, from)
	}
	return n.dy
}

// extremeGradient gives the gradient to the operand that is the largest, or the
// smallest; equal ones share it.
func extremeGradient(n *node, i int) string {
	chosen := func(k int) string { return n.toFloat(n.op("Equal", n.Operand(k), n.y())) }
	count := chosen(0)
	for k := 1; k < len(n.Input); k++ {
		count = n.add(count, chosen(k))
	}
	return n.mul(n.div(n.dy, count), chosen(i))
}

// numberOf is the value of a constant whose elements are all the same.
func (n *node) numberOf(value string) (float64, bool) {
	t := n.Constant(value)
	if t == nil {
		return 0, false
	}
	if t.IsFloat() {
		v, err := t.Floats()
		if err != nil || len(v) == 0 {
			return 0, false
		}
		for _, other := range v {
			if other != v[0] {
				return 0, false
			}
		}
		return float64(v[0]), true
	}
	v, err := t.Ints()
	if err != nil || len(v) != 1 {
		return 0, false
	}
	return float64(v[0]), true
}

// isZero reports whether a value is a constant that is zero or false.
func (n *node) isZero(value string) bool {
	v, ok := n.numberOf(value)
	return ok && v == 0
}
