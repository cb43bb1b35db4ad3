package interpreter

import (
	"fmt"

	"github.com/ascood/ascood/gotorch"
	"github.com/ascood/ascood/onnx"
)

// site is a node that is made ready to run: what its attributes, shapes and constants
// say is found out once.
type site struct {
	*onnx.NodeProto
	*onnx.Builder
	err error // the first
}

// operation looks the node's operator up.
func (s *site) operation() operation {
	prepare := operators[s.OpType]
	if s.Domain != "" || prepare == nil {
		s.refuse("is not an operator that can be trained through")
		return nil
	}
	if _, err := s.Infer(s.NodeProto); err != nil {
		s.refuse("%w", err)
		return nil
	}
	return prepare(s)
}

func (s *site) refuse(format string, args ...any) {
	if s.err == nil {
		s.err = fmt.Errorf(format, args...)
	}
}

func (s *site) note(err error) {
	if err != nil {
		s.refuse("%w", err)
	}
}

// in is the shape of input i.
func (s *site) in(i int) onnx.Shape {
	shape, err := s.Shape(s.Operand(i))
	s.note(err)
	return shape
}

// out is the shape of output i.
func (s *site) out(i int) onnx.Shape {
	shape, err := s.Shape(s.Result(i))
	s.note(err)
	return shape
}

// axis is an attribute that is an axis of input 0.
func (s *site) axis(otherwise int) int {
	axis, err := s.in(0).Axis(s.IntAttr("axis", otherwise))
	s.note(err)
	return axis
}

// ints are the integers that input i holds.
func (s *site) ints(i int) []int {
	v, err := s.Ints(s.Operand(i))
	s.note(err)
	return v
}

// number is the one number that input i holds.
func (s *site) number(i int, otherwise float64) float64 {
	name := s.Operand(i)
	if name == "" {
		return otherwise
	}
	t := s.Constant(name)
	if t == nil {
		s.refuse("its input %d is computed, want a constant", i)
		return otherwise
	}
	v, err := t.Floats()
	if s.note(err); err != nil {
		return otherwise
	}
	for _, other := range v {
		if other != v[0] {
			s.refuse("its input %d has several numbers, want one", i)
		}
	}
	if len(v) == 0 {
		s.refuse("its input %d is empty", i)
		return otherwise
	}
	return float64(v[0])
}

// one is an operation of one output that is run alike in all modes.
func one(f func(x []gotorch.Tensor) gotorch.Tensor) operation {
	return func(x []gotorch.Tensor, _ Options) []gotorch.Tensor { return []gotorch.Tensor{f(x)} }
}

// plain is an operator of libtorch on all operands.
func plain(op string) func(s *site) operation {
	return func(*site) operation {
		return one(func(x []gotorch.Tensor) gotorch.Tensor { return call(op, x) })
	}
}

// with is an operator of libtorch on the first operand, whose arguments the node says.
func with(op string, args func(s *site) []any) func(s *site) operation {
	return func(s *site) operation {
		given := args(s)
		return one(func(x []gotorch.Tensor) gotorch.Tensor { return call(op, x[:1], given...) })
	}
}

// folded applies an operator of two operands to the first two, then to that and the
// third, and so on.
func folded(op string) func(s *site) operation {
	return func(*site) operation {
		return one(func(x []gotorch.Tensor) gotorch.Tensor {
			y := x[0]
			for _, next := range x[1:] {
				y = call(op, []gotorch.Tensor{y, next})
			}
			return y
		})
	}
}

// same is an operator that changes nothing.
func same(*site) operation {
	return one(func(x []gotorch.Tensor) gotorch.Tensor { return x[0] })
}

func call(op string, x []gotorch.Tensor, args ...any) gotorch.Tensor {
	all := make([]any, 0, len(x)+len(args))
	for _, t := range x {
		all = append(all, t)
	}
	return gotorch.Call(nil, op, append(all, args...)...)
}
