package kernels

// #include "register.h"
import "C"

import (
	"slices"

	"github.com/ascood/ascood/onnx"
)

// step is one of an Elementwise: what its code says of two operands of the node that it is of.
type step struct {
	code        int
	left, right int // the number of an operand, or before
	alpha, beta float32
}

// before is what the step before makes.
const before = -1

// steps are those of a node that computes each element alone, none of another.
func (g *graph) steps(n *onnx.NodeProto) []step {
	switch n.Domain + "." + n.OpType {
	case ".Add", ".Sub", ".Mul", ".Div":
		return g.arithmetic(n)
	case ".Exp":
		return []step{{code: C.kExp}}
	case ".Erf":
		return []step{{code: C.kErf}}
	case ".HardSigmoid":
		return []step{{code: C.kHardSigmoid, alpha: n.FloatAttr("alpha", .2), beta: n.FloatAttr("beta", .5)}}
	case ".Sigmoid":
		return []step{{code: C.kSigmoid}}
	case microsoft + ".QuickGelu":
		if n.FloatAttr("alpha", 1.702) == 1 {
			return []step{{code: C.kSigmoid}, {code: C.kMul, right: before}}
		}
	case blocked + ".Conv":
		return g.scaling(n)
	}
	return nil
}

// arithmetic are the steps of a sum, difference, product or quotient of two values, or of one and a number.
func (g *graph) arithmetic(n *onnx.NodeProto) []step {
	a, first := g.number(n.Input[0])
	b, second := g.number(n.Input[1])
	if !first && !second {
		return []step{{code: map[string]int{"Add": C.kAdd, "Sub": C.kSub, "Mul": C.kMul, "Div": C.kDiv}[n.OpType], right: 1}}
	}
	linear := step{code: C.kLinear, alpha: 1}
	if first {
		linear.left, linear.right = 1, 1
	}
	switch {
	case first && second || first && n.OpType == "Div":
		return nil
	case n.OpType == "Add":
		linear.beta = a + b // one is 0
	case n.OpType == "Mul":
		linear.alpha = a + b
	case n.OpType == "Div":
		linear.alpha = 1 / b
	case second:
		linear.beta = -b
	default:
		linear.alpha, linear.beta = -1, a
	}
	return []step{linear}
}

// number is what a constant of one element is.
func (g *graph) number(v string) (float32, bool) {
	t := g.constants[v]
	if t == nil || t.Shape().Elements().Size != 1 {
		return 0, false
	}
	values, err := t.Float32s()
	if err != nil || len(values) != 1 {
		return 0, false
	}
	return values[0], true
}

// scaling are the steps of a convolution that multiplies each channel by a number, none of another.
func (g *graph) scaling(n *onnx.NodeProto) []step {
	w := g.constants[n.Operand(1)]
	if w == nil || n.StringAttr("activation", "") != "" || slices.Max(n.IntsAttr("pads", 0)) > 0 || slices.Max(w.Shape().At(1)[1:]) > 1 {
		return nil
	}
	steps := []step{{code: C.kMul, right: 1}}
	for i := 2; i < len(n.Input); i++ { // bias and sum
		if n.Input[i] != "" {
			steps = append(steps, step{code: C.kAdd, left: before, right: i})
		}
	}
	return steps
}

// program is an Elementwise in the making: nodes that compute each element of values of a shape alone, in the file's
// order.
type program struct {
	*graph
	shape onnx.Shape
	nodes []*onnx.NodeProto
}

// elementwise puts an Elementwise in the place of a node that computes each element alone, and of those before it whose
// results nobody else takes.
func (g *graph) elementwise(n *onnx.NodeProto) {
	if len(g.steps(n)) == 0 || !g.floats[n.Output[0]] {
		return
	}
	s, err := g.shapes.Shape(n.Output[0])
	if err != nil {
		return
	}
	p := &program{g, s, []*onnx.NodeProto{n}}
	if !p.takes(n) {
		return
	}
	for p.grow() {
	}
	p.write(n)
}

// takes reports whether a node may be one of the program's: its operands are of the program's shape, numbers, or have a
// number for each channel.
func (p *program) takes(n *onnx.NodeProto) bool {
	if n == nil || p.gone[n] || len(p.steps(n)) == 0 || !p.isWhole(n.Output[0]) {
		return false
	}
	return !slices.ContainsFunc(n.Input, func(v string) bool {
		_, isNumber := p.number(v)
		return v != "" && !p.isWhole(v) && !isNumber && (p.constants[v] == nil || n.Domain != blocked)
	})
}

func (p *program) isWhole(v string) bool {
	s, err := p.shapes.Shape(v)
	return err == nil && s.Equal(p.shape)
}

// grow takes one more node in, if there is one.
func (p *program) grow() bool {
	nodes := p.nodes
	for _, v := range p.operands() {
		m := p.makers[v]
		if !p.takes(m) || !p.alone(v) && !p.again(m) {
			continue
		}
		p.nodes = append(slices.Clone(nodes), m)
		slices.SortFunc(p.nodes, func(a, b *onnx.NodeProto) int { return p.places[a] - p.places[b] })
		if len(p.operands()) <= C.kOperands && p.length() <= C.kSteps {
			return true
		}
		p.nodes = nodes
	}
	return false
}

// alone reports whether a value is taken by the program's nodes alone.
func (p *program) alone(v string) bool {
	count := 0
	for _, n := range p.nodes {
		for _, in := range n.Input {
			if in == v {
				count++
			}
		}
	}
	return count == p.users[v]
}

// again reports whether what a node makes is computed here, though others take it as well: if it follows from what is
// at hand; and if it is of one value, in the place of which it would be read, and all who take it compute it themselves.
func (p *program) again(m *onnx.NodeProto) bool {
	hand := p.operands()
	for _, n := range p.nodes {
		hand = append(hand, n.Output[0])
	}
	values := slices.DeleteFunc(slices.Clone(m.Input), func(v string) bool { return v == "" || p.constants[v] != nil })
	follows := !slices.ContainsFunc(values, func(v string) bool { return !slices.Contains(hand, v) })
	return follows || len(values) == 1 && p.computeThemselves(m.Output[0])
}

func (p *program) computeThemselves(v string) bool {
	count := 0
	for _, n := range p.Node {
		for _, in := range n.Input {
			if in == v && p.takes(n) {
				count++
			}
		}
	}
	return count == p.users[v]
}

// operands are what the program's nodes take of others, first what is not spread over maps, then what is, and constants.
func (p *program) operands() []string {
	var whole, others []string
	for _, n := range p.nodes {
		for _, v := range n.Input {
			_, isNumber := p.number(v)
			switch {
			case v == "" || isNumber && n.Domain == "" || slices.Contains(p.nodes, p.makers[v]) || slices.Contains(whole, v) || slices.Contains(others, v):
			case p.constants[v] == nil && p.narrow(v) == v:
				whole = append(whole, v)
			default:
				others = append(others, v)
			}
		}
	}
	return append(whole, others...)
}

// length is how many steps the program has.
func (p *program) length() int {
	length := 0
	for _, n := range p.nodes {
		length += len(p.steps(n))
	}
	return length
}

// write makes the last node an Elementwise, unless it would be what it is.
func (p *program) write(last *onnx.NodeProto) {
	operands := p.operands()
	c, spread := &code{program: p, registers: map[string]int{}}, false
	for i, v := range operands {
		c.registers[v] = i
		if i > 0 { // the first has the shape of the result
			operands[i] = p.narrow(v)
			spread = spread || operands[i] != v
		}
	}
	if p.length() < 2 && !spread {
		return
	}
	c.value(last.Output[0])
	for _, v := range operands {
		p.users[v]++
	}
	taken := last.Input
	p.become(last, "Elementwise", operands, c.attributes()...)
	for _, v := range taken {
		p.release(v)
	}
}

// narrow is what a value has for each channel of each image, if that is spread over maps, and otherwise the value.
func (p *program) narrow(v string) string {
	n := p.makers[v]
	if n == nil || n.Domain != blocked || n.OpType != "Upsample" {
		return v
	}
	if s, err := p.shapes.Shape(n.Input[0]); err != nil || s[2].Size != 1 || s[3].Size != 1 {
		return v
	}
	return n.Input[0]
}
