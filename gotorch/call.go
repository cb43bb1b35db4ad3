package gotorch

import (
	"errors"
	"fmt"
	"strings"
)

// Call runs any operator of libtorch that returns one tensor, by its schema
// name with the overload after a dot: Call(nil, "add.Tensor", a, b, 2.0). The
// namespace is aten if none is given. Schemas are listed in PyTorch's
// native_functions.yaml; libtorch checks the arguments and supplies defaults
// for trailing ones.
//
// Arguments are Tensor (the zero Tensor is None), []Tensor, bool, int, float64,
// string, []int, DType, Device, *Generator or nil for None. The result belongs
// to s, or to the youngest of the operands' scopes if s is nil.
func Call(s *Scope, op string, args ...any) Tensor { return CallN(s, 1, op, args...)[0] }

// CallN is Call for an operator that returns n tensors. With n = 0 what it
// returns is dropped, as suits an operator that works in place. The result has
// n tensors even after an error.
func CallN(s *Scope, n int, op string, args ...any) []Tensor {
	results := make([]Tensor, n)
	name, overload, _ := strings.Cut(op, ".")
	base := name
	if i := strings.Index(name, "::"); i >= 0 {
		base = name[i+2:]
	} else {
		name = "aten::" + name
	}
	s = run(s, base, args, func(s *Scope, a *arguments) error {
		f, err := cFindOp(op, name, overload)
		if err != nil {
			return err
		}
		var room [4]cTensor
		outs := room[:min(n, len(room))]
		if n > len(room) {
			outs = make([]cTensor, n)
		}
		if err := cCall(f, !s.noGrad, a, outs); err != nil {
			return err
		}
		s.adopt(outs...)
		for i, t := range outs {
			results[i].t = t
		}
		return nil
	})
	for i := range results {
		results[i].s = s
	}
	return results
}

// inPlace runs an operator that changes its first operand, and returns that.
func inPlace(op string, t Tensor, args ...any) Tensor {
	s := youngest(append([]any{t}, args...))
	CallN(s, 0, op, append([]any{t}, args...)...)
	if s == nil || s.Err() != nil {
		return Tensor{s: s}
	}
	return t
}

// one runs a function of this package's own that makes one tensor.
func (s *Scope) one(op string, args []any, f func(in []cTensor) (cTensor, error)) Tensor {
	var result Tensor
	result.s = run(s, op, args, func(s *Scope, a *arguments) error {
		t, err := f(a.tensors())
		if err == nil {
			s.adopt(t)
			result.t = t
		}
		return err
	})
	return result
}

// run does an operation whose results belong to s, or to the youngest of the
// operands' scopes if s is nil, and returns that scope. All rules of scopes are
// here: after an error nothing runs, operands are held while libtorch uses them,
// and an error is recorded where the result would have been.
func run(s *Scope, op string, operands []any, f func(s *Scope, a *arguments) error) *Scope {
	if s == nil {
		s = youngest(operands)
	}
	if s == nil || s.Err() != nil {
		return s
	}
	a := arguments{}
	defer a.release()
	err := a.hold(s)
	if err == nil {
		err = a.addAll(operands)
	}
	if err == nil {
		err = f(s, &a)
	}
	if err != nil {
		s.fail(op, operands, err)
	}
	return s
}

// youngest returns the youngest open scope among the operands', or the youngest
// of all if none is open.
func youngest(operands []any) *Scope {
	var open, last *Scope
	consider := func(s *Scope) {
		if s == nil {
			return
		}
		if last == nil || s.birth > last.birth {
			last = s
		}
		if (open == nil || s.birth > open.birth) && !s.isClosed() {
			open = s
		}
	}
	for _, o := range operands {
		switch o := o.(type) {
		case Tensor:
			consider(o.s)
		case []Tensor:
			for _, t := range o {
				consider(t.s)
			}
		}
	}
	if open != nil {
		return open
	}
	return last
}

func (s *Scope) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

// arguments are an operation's operands in the form that C takes. The scopes
// they belong to are held until release.
type arguments struct {
	args    []cArg
	handles cHandleList
	ints    []cInt
	text    string
	held    []*Scope
}

func (a *arguments) addAll(operands []any) error {
	a.args = make([]cArg, 0, len(operands))
	for i, o := range operands {
		if err := a.add(o); err != nil {
			return fmt.Errorf("operand %d: %w", i+1, err)
		}
	}
	return nil
}

func (a *arguments) add(operand any) error {
	arg := cArg{kind: kindNone}
	switch o := operand.(type) {
	case nil:
	case bool:
		arg.kind = kindBool
		if o {
			arg.a = 1
		}
	case int:
		arg.kind, arg.a = kindInt, cInt(o)
	case DType:
		arg.kind, arg.a = kindInt, cInt(o)
	case float64:
		arg.kind, arg.d = kindFloat, cFloat(o)
	case string:
		arg.kind, arg.a, arg.b = kindString, cInt(len(a.text)), cInt(len(o))
		a.text += o
	case Device:
		arg.kind, arg.a, arg.b = kindDevice, cInt(o.Type), cInt(o.Index)
	case []int:
		arg.kind, arg.a, arg.b = kindInts, cInt(len(a.ints)), cInt(len(o))
		for _, v := range o {
			a.ints = append(a.ints, cInt(v))
		}
	case Tensor:
		if o == (Tensor{}) {
			break
		}
		arg.kind, arg.a = kindTensor, cInt(len(a.handles))
		if err := a.addTensor(o); err != nil {
			return err
		}
	case []Tensor:
		arg.kind, arg.a, arg.b = kindTensors, cInt(len(a.handles)), cInt(len(o))
		for i, t := range o {
			if err := a.addTensor(t); err != nil {
				return fmt.Errorf("tensor %d of %d: %w", i+1, len(o), err)
			}
		}
	case *Generator:
		if o == nil {
			break
		}
		arg.kind, arg.a = kindGenerator, cInt(len(a.handles))
		if err := a.addGenerator(o); err != nil {
			return err
		}
	default:
		return fmt.Errorf("a %T is no argument of an operator", operand)
	}
	a.args = append(a.args, arg)
	return nil
}

func (a *arguments) addTensor(t Tensor) error {
	switch {
	case t.s == nil:
		return errors.New("the zero Tensor")
	case t.t == nil && t.s.Err() != nil:
		return t.s.Err()
	case t.t == nil:
		return errors.New("not a valid tensor")
	}
	if err := a.hold(t.s); err != nil {
		return err
	}
	a.handles = append(a.handles, cHandle(t.t))
	return nil
}

func (a *arguments) addGenerator(g *Generator) error {
	if g.g == nil {
		return errors.New("not a valid generator")
	}
	if err := a.hold(g.s); err != nil {
		return err
	}
	a.handles = append(a.handles, cHandle(g.g))
	return nil
}

func (a *arguments) hold(s *Scope) error {
	if !s.acquire() {
		return ErrClosed
	}
	a.held = append(a.held, s)
	return nil
}

func (a *arguments) release() {
	for _, s := range a.held {
		s.release()
	}
}

// tensors lists the operands' tensors in order.
func (a *arguments) tensors() []cTensor {
	list := make([]cTensor, len(a.handles))
	for i, h := range a.handles {
		list[i] = cTensor(h)
	}
	return list
}

// describe renders operands for an error.
func describe(operands []any) []string {
	list := make([]string, len(operands))
	for i, o := range operands {
		switch o := o.(type) {
		case nil:
			list[i] = "none"
		case string:
			list[i] = fmt.Sprintf("%q", o)
		case []Tensor:
			shapes := make([]string, len(o))
			for j, t := range o {
				shapes[j] = t.String()
			}
			list[i] = "[" + strings.Join(shapes, ", ") + "]"
		default:
			list[i] = fmt.Sprint(o)
		}
	}
	return list
}
