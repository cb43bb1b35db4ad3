package gradient

import "math"

var activations = map[string]rule{
	// From y: 1 where y > 0. At 0 it is 0, as in PyTorch.
	"Relu": unary("", func(n *node) string {
		if n.passed[n.dy] == n.Result(0) {
			return n.dy
		}
		return n.mul(n.dy, n.above(n.y(), 0))
	}).everywhere(),
	"LeakyRelu": unary("", func(n *node) string {
		slope := float64(n.FloatAttr("alpha", 0.01))
		mask := n.above(n.x(), 0)
		return n.mul(n.dy, n.add(n.scale(mask, 1-slope), n.number(slope)))
	}).everywhere(),
	// slope + (1 - slope)·mask
	"PRelu": {vjp: []vjp{func(n *node) string {
		slope := n.Operand(1)
		steeper := n.mul(n.above(n.x(), 0), n.sub(n.number(1), slope))
		return n.mul(n.dy, n.add(steeper, slope))
	}}, variants: "the slope constant"},
	"ThresholdedRelu": unary("", func(n *node) string { return n.mul(n.dy, n.above(n.x(), float64(n.FloatAttr("alpha", 1)))) }),
	"Clip":            {vjp: []vjp{clipGradient}, takes: takesClip, local: (*node).elementwise, variants: "the bounds constant numbers, both, one or none; 0 at the bounds, as ReLU6"},
	"HardSigmoid": unary("", func(n *node) string {
		return n.mul(n.dy, n.scale(n.between(n.y(), 0, 1), float64(n.FloatAttr("alpha", 0.2))))
	}).everywhere(),
	// h + x/6 where 0 < h < 1, for h = HardSigmoid(x) and y = x·h.
	"HardSwish": unary("", func(n *node) string {
		x := n.x()
		h := n.hardSigmoid(x)
		return n.mul(n.dy, n.add(h, n.scale(n.mul(x, n.between(h, 0, 1)), 1.0/6)))
	}).everywhere(),
	// y·(1 - y)
	"Sigmoid": unary("also as SiLU, Mul(x, Sigmoid(x))", func(n *node) string {
		y := n.y()
		return n.mul(n.dy, n.mul(y, n.oneMinus(y)))
	}).everywhere(),
	"Tanh": unary("", func(n *node) string { return n.sub(n.dy, n.mul(n.dy, n.mul(n.y(), n.y()))) }),
	// For x ≤ 0: y + α, as y = α·(exp(x) - 1).
	"Elu": unary("", func(n *node) string {
		alpha := n.FloatAttr("alpha", 1)
		return n.mul(n.dy, n.where(n.positive(), n.number(1), n.add(n.y(), n.number(float64(alpha)))))
	}),
	// For x ≤ 0: y + α·γ, as y = γ·α·(exp(x) - 1).
	"Selu": unary("", func(n *node) string {
		alpha, gamma := n.FloatAttr("alpha", 1.6732632), n.FloatAttr("gamma", 1.050701)
		return n.mul(n.dy, n.where(n.positive(), n.number(float64(gamma)), n.add(n.y(), n.number(float64(alpha*gamma)))))
	}),
	// For x ≤ 0: y/α + 1, as y = α·(exp(x/α) - 1).
	"Celu": unary("", func(n *node) string {
		alpha := float64(n.FloatAttr("alpha", 1))
		return n.mul(n.dy, n.where(n.positive(), n.number(1), n.add(n.scale(n.y(), 1/alpha), n.number(1))))
	}),
	"Softplus": unary("", func(n *node) string { return n.mul(n.dy, n.op("Sigmoid", n.x())) }),
	// 1/(1 + |x|)²
	"Softsign": unary("", func(n *node) string {
		below := n.add(n.op("Abs", n.x()), n.number(1))
		return n.div(n.dy, n.mul(below, below))
	}),
}

// passes says that a gradient is 0 already where the Relu that makes y has it so.
func (w *walk) passes(gradient, y string) {
	if w.passed == nil {
		w.passed = map[string]string{}
	}
	w.passed[gradient] = y
	if p := w.late[gradient]; p != nil {
		for _, m := range p.maps {
			w.passed[m] = y
		}
	}
}

func (n *node) positive() string { return n.op("Greater", n.x(), n.number(0)) }

// bounds are those of a Clip, infinite where there are none.
func (n *node) bounds() (low, high float64, ok bool) {
	low, high, ok = math.Inf(-1), math.Inf(1), true
	for i, bound := range []*float64{&low, &high} {
		if value := n.Operand(1 + i); value != "" {
			v, constant := n.numberOf(value)
			*bound, ok = v, ok && constant
		}
	}
	return low, high, ok
}

func takesClip(n *node) {
	if _, _, ok := n.bounds(); !ok {
		n.refuse("has bounds that are not constant numbers")
	}
}

func clipGradient(n *node) string {
	low, high, _ := n.bounds()
	if math.IsInf(low, -1) && math.IsInf(high, 1) {
		return n.dy
	}
	return n.mul(n.dy, n.between(n.y(), low, high))
}
