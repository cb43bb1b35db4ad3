package gotorch_test

import (
	"errors"
	"math"
	"strings"
	"sync"
	"testing"

	"github.com/ascood/ascood/gotorch"
	F "github.com/ascood/ascood/gotorch/nn/functional"
)

func TestResultsBelongToTheYoungestScope(t *testing.T) {
	model := newScope(t)
	weight := vector(model, 1, 2)
	step := gotorch.NewScope()
	x := vector(step, 10, 20)
	product := weight.Mul(x)
	kept := model.Keep(product)
	square := step.Keep(weight).Mul(weight)
	step.Close()
	if product.Valid() || x.Valid() || square.Valid() {
		t.Error("tensors of a closed scope are still valid")
	}
	wantTensor(t, "kept", kept, dims(2), 10, 40)
	wantTensor(t, "weight", weight, dims(2), 1, 2)
}

func TestErrorsAreSticky(t *testing.T) {
	s := gotorch.NewScope()
	defer s.Close()
	x := gotorch.Zeros(s, dims(8, 3, 32, 32))
	y := F.Conv2d(x, gotorch.Zeros(s, dims(16, 4, 3, 3)), gotorch.Tensor{}, F.ConvOptions{Padding: 1})
	first := s.Err()
	if y.Valid() {
		t.Error("the result of a failed operation is valid")
	}
	if v := y.Sum().Item(); !math.IsNaN(v) {
		t.Errorf("Item after an error = %v, want NaN", v)
	}
	if shape := x.Shape(); shape != nil {
		t.Errorf("Shape after an error = %v, want nil", shape)
	}
	if first == nil || s.Err() != first {
		t.Errorf("error %v was replaced by %v", first, s.Err())
	}
	const want = "gotorch: conv2d(float32[8,3,32,32], float32[16,4,3,3], none, [1 1], [1 1], [1 1], 1): " +
		"Given groups=1, weight of size [16, 4, 3, 3], expected input[8, 3, 32, 32] to have 4 channels, but got 3 channels instead"
	if first.Error() != want {
		t.Errorf("error\n%v, want\n%v", first, want)
	}
	op, ok := errors.AsType[*gotorch.OpError](first)
	if !ok || op.Op != "conv2d" || op.Operands[0] != "float32[8,3,32,32]" {
		t.Errorf("error is %#v", first)
	}
}

func TestErrorTexts(t *testing.T) {
	for _, c := range []struct {
		name string
		run  func(s *gotorch.Scope)
		want string
	}{
		{"shapes", func(s *gotorch.Scope) { matrix(s, 2, 1, 2, 3, 4).Add(vector(s, 1, 2, 3)) },
			"add(float32[2,2], float32[3]): The size of tensor a (2) must match the size of tensor b (3) at non-singleton dimension 1"},
		{"view", func(s *gotorch.Scope) { vector(s, 1, 2, 3).View(2, -1) },
			"view(float32[3], [2 -1]): shape '[2, -1]' is invalid for input of size 3"},
		{"list", func(s *gotorch.Scope) {
			gotorch.Cat([]gotorch.Tensor{matrix(s, 1, 1), gotorch.Zeros(s, dims(2, 2))}, 0)
		},
			"cat([float32[1,1], float32[2,2]], 0): Sizes of tensors must match except in dimension 0"},
		{"unknown operator", func(s *gotorch.Scope) { gotorch.Call(s, "frobnicate", 1) },
			"frobnicate(1): libtorch "},
		{"kind of argument", func(s *gotorch.Scope) { gotorch.Call(s, "relu", 1) },
			"relu(1): aten::relu() Expected a value of type 'Tensor' for argument 'self' but instead found type 'int'"},
		{"foreign argument", func(s *gotorch.Scope) { gotorch.Call(s, "relu", s) },
			"operand 1: a *gotorch.Scope is no argument of an operator"},
		{"zero tensor", func(s *gotorch.Scope) { vector(s, 1).Add(gotorch.Tensor{}) },
			"add(float32[1], none): aten::add() Expected a value of type 'Tensor' for argument 'other'"},
		{"number of results", func(s *gotorch.Scope) { gotorch.CallN(s, 3, "max.dim", vector(s, 1), 0) },
			"max(float32[1], 0): returns 2 tensors, not 3"},
		{"item", func(s *gotorch.Scope) { vector(s, 1, 2).Item() }, "item(float32[2]): "},
		{"in place on a variable", func(s *gotorch.Scope) { vector(s, 1).SetRequiresGrad(true).AddScalarI(1) },
			"add_(float32[1], 1): a leaf Variable that requires grad is being used in an in-place operation."},
		{"out of memory", func(s *gotorch.Scope) { gotorch.Zeros(s, dims(1<<48)) },
			"zeros([281474976710656], none, none, none): out of memory: 1125899906842624 bytes cannot be had, with "},
		{"gradient of integers", func(s *gotorch.Scope) { gotorch.Arange(s, 0, 3).SetRequiresGrad(true) },
			"set_requires_grad(int64[3], true): Only Tensors of floating point"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := gotorch.NewScope()
			defer s.Close()
			c.run(s)
			err := s.Err()
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("error %v\nwant one with %s", err, c.want)
			}
			if strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "Exception raised") {
				t.Errorf("the error holds a stack trace: %v", err)
			}
		})
	}
}

func TestUseAfterClose(t *testing.T) {
	closed := gotorch.NewScope()
	x := vector(closed, 1, 2)
	g := gotorch.NewGenerator(closed, gotorch.CPU, 1)
	closed.Close()
	closed.Close()

	s := gotorch.NewScope()
	defer s.Close()
	vector(s, 1, 2).Add(x)
	if err := s.Err(); !errors.Is(err, gotorch.ErrClosed) || err.Error() != "gotorch: add(float32[2], invalid): operand 2: its scope is closed" {
		t.Errorf("using a tensor after its scope closed: %v", err)
	}
	other := gotorch.NewScope()
	defer other.Close()
	gotorch.RandN(other, dims(2), g)
	if err := other.Err(); !errors.Is(err, gotorch.ErrClosed) {
		t.Errorf("using a generator after its scope closed: %v", err)
	}
	if x.Exp().Valid() || gotorch.ToSlice[float32](x) != nil {
		t.Error("a closed scope's tensor gave a result")
	}
	if err := closed.Err(); !errors.Is(err, gotorch.ErrClosed) {
		t.Errorf("the closed scope's own error: %v", err)
	}
	if gotorch.Zeros(closed, dims(1)).Valid() {
		t.Error("a tensor was made in a closed scope")
	}
}

// An operand that is invalid because an operation failed in another scope hands
// on that failure.
func TestErrorsSpreadWithOperands(t *testing.T) {
	a, b := gotorch.NewScope(), gotorch.NewScope()
	defer a.Close()
	defer b.Close()
	bad := vector(a, 1).View(2)
	vector(b, 1).Add(bad)
	if a.Err() == nil || b.Err() == nil || a.Err().Error() != b.Err().Error() {
		t.Errorf("errors %v and %v", a.Err(), b.Err())
	}
}

func TestZeroTensor(t *testing.T) {
	var zero gotorch.Tensor
	if zero.Valid() || zero.Err() == nil || zero.Exp() != zero || zero.Shape() != nil || !math.IsNaN(zero.Item()) || zero.String() != "none" {
		t.Error("the zero Tensor is not inert")
	}
}

func TestNoHandleOutlivesItsScope(t *testing.T) {
	before := gotorch.LiveHandles()
	model := gotorch.NewScope()
	trainer := newTrainer(t, model, 4)
	trainer.step(t, 4)
	kept := gotorch.LiveHandles()
	for range 5 {
		trainer.step(t, 4)
		if now := gotorch.LiveHandles(); now != kept {
			t.Fatalf("a training step left %d handles behind", now-kept)
		}
	}
	model.Close()
	if now := gotorch.LiveHandles(); now != before {
		t.Errorf("%d handles are left after all scopes closed", now-before)
	}
}

func TestFailedOperationsLeaveNoHandle(t *testing.T) {
	before := gotorch.LiveHandles()
	s := gotorch.NewScope()
	gotorch.CallN(s, 3, "max.dim", vector(s, 1), 0)
	s.Close()
	if now := gotorch.LiveHandles(); now != before {
		t.Errorf("%d handles are left", now-before)
	}
}

func TestNoGradHoldsForItsScopeAlone(t *testing.T) {
	s, silent := newScope(t), newScope(t, gotorch.NoGrad)
	w := vector(s, 1, 2).SetRequiresGrad(true)
	if !w.MulScalar(2).RequiresGrad() {
		t.Error("no gradient is recorded in a plain scope")
	}
	if silent.Keep(w).MulScalar(2).RequiresGrad() {
		t.Error("a gradient is recorded in a NoGrad scope")
	}
	silent.Keep(w).AddScalarI(1)
	wantTensor(t, "w", w, dims(2), 2, 3)
}

// Gradients are recorded or not by scope while goroutines of both kinds share
// threads of the operating system, and a weight.
func TestScopesInGoroutines(t *testing.T) {
	model := newScope(t)
	weight := gotorch.Ones(model, dims(32, 32)).SetRequiresGrad(true)
	var wg sync.WaitGroup
	for i := range 8 {
		var options []gotorch.ScopeOption
		if i%2 == 1 {
			options = append(options, gotorch.NoGrad)
		}
		wg.Go(func() {
			for range 50 {
				s := gotorch.NewScope(options...)
				y := gotorch.Ones(s, dims(4, 32)).MatMul(weight).Sum()
				if y.RequiresGrad() != (options == nil) || y.Item() != 4*32*32 {
					t.Errorf("sum = %v, requires grad %v", y.Item(), y.RequiresGrad())
				}
				if err := s.Err(); err != nil {
					t.Error(err)
				}
				s.Close()
			}
		})
	}
	wg.Wait()
}

// A scope may close while others compute with its tensors: each operation either
// succeeds or says that the scope is closed.
func TestCloseDuringUse(t *testing.T) {
	for range 20 {
		shared := gotorch.NewScope()
		x := gotorch.Ones(shared, dims(64, 64))
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				s := gotorch.NewScope()
				defer s.Close()
				for s.Err() == nil {
					s.Keep(x).MatMul(x)
				}
				if !errors.Is(s.Err(), gotorch.ErrClosed) {
					t.Error(s.Err())
				}
			})
		}
		shared.Close()
		wg.Wait()
	}
}
