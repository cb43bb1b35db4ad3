package kernels

// #include "register.h"
import "C"

import (
	"math"
	"slices"

	"github.com/ascood/ascood/onnx"
)

// code is that of a program.
type code struct {
	*program
	registers  map[string]int // of values
	steps      []int          // code, left and right of each
	parameters []float32      // alpha and beta of each
}

// value is the register of a value, which is computed if it is not there.
func (c *code) value(v string) int {
	if r, ok := c.registers[v]; ok {
		return r
	}
	n, last := c.makers[v], 0
	if factor, b, ok := c.isBounded(n); ok {
		last = c.add(step{code: C.kBounded, alpha: b.low, beta: b.high}, c.value(factor), c.value(b.of))
	} else {
		operand := func(i int) int {
			if i == before {
				return last
			}
			return c.value(n.Input[i])
		}
		for _, s := range c.program.steps(n) {
			last = c.add(s, operand(s.left), operand(s.right))
		}
	}
	c.registers[v] = last
	return last
}

// add adds a step and returns the register that it makes.
func (c *code) add(s step, left, right int) int {
	c.steps = append(c.steps, s.code, left, right)
	c.parameters = append(c.parameters, s.alpha, s.beta)
	return C.kOperands + len(c.parameters)/2 - 1
}

// attributes are those of a node with the code.
func (c *code) attributes() []onnx.Attr {
	return []onnx.Attr{onnx.Int("lanes", c.lanes), onnx.Ints("code", c.steps...), onnx.Floats("parameters", c.parameters...)}
}

// isBounded reports whether a node is a product of a factor and of 1 where a value is within bounds, 0 beside them.
func (c *code) isBounded(n *onnx.NodeProto) (factor string, b bounds, ok bool) {
	if n.OpType != "Mul" {
		return "", b, false
	}
	for i := range 2 {
		if b, ok := c.bounds(n.Input[i]); ok {
			factor = n.Input[1-i]
			_, isNumber := c.number(factor)
			return factor, b, !isNumber
		}
	}
	return "", b, false
}

// bounds are what a value is between, exclusively.
type bounds struct {
	of        string
	low, high float32
}

// steep is the slope from which a HardSigmoid is a step.
const steep = 1e30

var infinity = float32(math.Inf(1))

// bounds returns bounds of a value within which another is 1, and 0 beside them: that is a step, or a product of steps.
func (c *code) bounds(v string) (b bounds, ok bool) {
	n := c.makers[v]
	if !slices.Contains(c.nodes, n) {
		return b, false
	}
	switch n.OpType {
	case "HardSigmoid":
		alpha, beta := n.FloatAttr("alpha", .2), n.FloatAttr("beta", .5)
		if alpha > 0 {
			return bounds{n.Input[0], -beta / alpha, infinity}, alpha >= steep
		}
		return bounds{n.Input[0], -infinity, -beta / alpha}, alpha <= -steep
	case "Mul":
		one, first := c.bounds(n.Input[0])
		other, second := c.bounds(n.Input[1])
		return bounds{one.of, max(one.low, other.low), min(one.high, other.high)}, first && second && one.of == other.of
	}
	return b, false
}
