package optim_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/ascood/ascood/gotorch"
	"github.com/ascood/ascood/gotorch/optim"
)

// gradients are those of three steps for parameters of shapes [2] and [1,1].
var gradients = [][2][]float32{
	{{0.5, -1}, {0.25}},
	{{-0.2, 0.4}, {1}},
	{{0.1, 0.3}, {-0.5}},
}

// newSGD optimises [1,-2] at rate 0.1 and [[3]] at rate 0.01.
func newSGD(t *testing.T, s *gotorch.Scope, options optim.SGDOptions) *optim.SGD {
	t.Helper()
	a := gotorch.FromSlice(s, []float32{1, -2}, 2).SetRequiresGrad(true)
	b := gotorch.FromSlice(s, []float32{3}, 1, 1).SetRequiresGrad(true)
	sgd, err := optim.NewSGD(s, []optim.Group{
		{Params: []gotorch.Tensor{a}, LR: 0.1},
		{LR: 1},
		{Params: []gotorch.Tensor{b}, LR: 0.01},
	}, options)
	if err != nil {
		t.Fatal(err)
	}
	return sgd
}

func step(t *testing.T, sgd *optim.SGD, i int) {
	t.Helper()
	s := gotorch.NewScope()
	defer s.Close()
	g := gradients[i]
	if err := sgd.Step([]gotorch.Tensor{gotorch.FromSlice(s, g[0], 2), gotorch.FromSlice(s, g[1], 1, 1)}); err != nil {
		t.Fatal(err)
	}
}

func values(tensors ...gotorch.Tensor) []float32 {
	var all []float32
	for _, t := range tensors {
		all = append(all, gotorch.ToSlice[float32](t)...)
	}
	return all
}

func near(a, b []float32) bool {
	return slices.EqualFunc(a, b, func(a, b float32) bool { return math.Abs(float64(a-b)) < 1e-6 })
}

// The numbers are those of torch.optim.SGD in PyTorch 1.13, the last by hand.
func TestSGD(t *testing.T) {
	for _, c := range []struct {
		name            string
		options         optim.SGDOptions
		params, buffers []float32
	}{
		{"nesterov and weight decay", optim.SGDOptions{Momentum: 0.9, Nesterov: true, WeightDecay: 0.1},
			[]float32{0.7885366, -1.6720732, 2.949759}, []float32{0.5715966, -0.6431932, 1.4106009}},
		{"momentum", optim.SGDOptions{Momentum: 0.9},
			[]float32{0.8925, -1.835, 2.9792249}, []float32{0.325, -0.15, 0.6025}},
		{"weight decay", optim.SGDOptions{WeightDecay: 0.1},
			[]float32{0.931094, -1.9121879, 2.9835238}, nil},
		{"weight decay of 1", optim.SGDOptions{WeightDecay: 1},
			[]float32{0.6965, -1.443, 2.9035468}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := gotorch.NewScope()
			defer s.Close()
			sgd := newSGD(t, s, c.options)
			for i := range gradients {
				step(t, sgd, i)
			}
			if got := values(sgd.Params()...); !near(got, c.params) {
				t.Errorf("parameters %v, want %v", got, c.params)
			}
			if got := values(sgd.Momentum(0), sgd.Momentum(1), sgd.Momentum(2), sgd.Momentum(-1)); !near(got, c.buffers) {
				t.Errorf("momentum %v, want %v", got, c.buffers)
			}
			for _, p := range sgd.Params() {
				if !p.RequiresGrad() {
					t.Error("a parameter no longer requires gradients")
				}
			}
		})
	}
}

func TestSGDResumes(t *testing.T) {
	s := gotorch.NewScope()
	defer s.Close()
	options := optim.SGDOptions{Momentum: 0.9, Nesterov: true, WeightDecay: 0.1}
	whole, second := newSGD(t, s, options), newSGD(t, s, options)
	step(t, whole, 0)
	step(t, whole, 1)

	saved := gotorch.NewScope(gotorch.NoGrad)
	for i, p := range second.Params() {
		saved.Keep(p).CopyI(whole.Params()[i])
	}
	if err := second.SetMomentum([]gotorch.Tensor{saved.Keep(whole.Momentum(0)).Clone(), saved.Keep(whole.Momentum(1)).Clone()}); err != nil {
		t.Fatal(err)
	}
	saved.Close()

	step(t, whole, 2)
	step(t, second, 2)
	if got, want := values(second.Params()...), values(whole.Params()...); !slices.Equal(got, want) {
		t.Errorf("resumed %v, want exactly %v", got, want)
	}
}

func TestSGDKeepsItsStepsToItself(t *testing.T) {
	s := gotorch.NewScope()
	defer s.Close()
	sgd := newSGD(t, s, optim.SGDOptions{Momentum: 0.9})
	step(t, sgd, 0)
	before := gotorch.LiveHandles()
	step(t, sgd, 1)
	if now := gotorch.LiveHandles(); now != before {
		t.Errorf("a step leaves %d handles behind", now-before)
	}
}

// TestSGDUnused: a parameter without a gradient stays as it is, with its momentum.
func TestSGDUnused(t *testing.T) {
	s := gotorch.NewScope()
	defer s.Close()
	sgd := newSGD(t, s, optim.SGDOptions{Momentum: 0.9, WeightDecay: 0.1, AllowUnused: true})
	for range 2 {
		if err := sgd.Step([]gotorch.Tensor{{}, gotorch.Zeros(s, []int{1, 1})}); err != nil {
			t.Fatal(err)
		}
	}
	if got := values(sgd.Params()[0]); !slices.Equal(got, []float32{1, -2}) {
		t.Errorf("the parameter became %v", got)
	}
	if got := values(sgd.Params()[1]); got[0] >= 3 {
		t.Errorf("the parameter that has a gradient is %v, without weight decay", got)
	}
	if got := values(sgd.Momentum(0)); !slices.Equal(got, []float32{0, 0}) {
		t.Errorf("its momentum became %v", got)
	}
}

func TestSGDErrors(t *testing.T) {
	s := gotorch.NewScope()
	defer s.Close()
	if _, err := optim.NewSGD(s, nil, optim.SGDOptions{Nesterov: true}); err == nil || !strings.Contains(err.Error(), "Nesterov needs a momentum above 0, not 0") {
		t.Errorf("Nesterov without momentum: %v", err)
	}
	sgd := newSGD(t, s, optim.SGDOptions{Momentum: 0.9, WeightDecay: 0.1})
	a, b := gotorch.Zeros(s, []int{2}), gotorch.Zeros(s, []int{1, 1})
	for _, c := range []struct {
		err  error
		want string
	}{
		{sgd.Step([]gotorch.Tensor{a}), "1 gradients for 2 parameters"},
		{sgd.Step([]gotorch.Tensor{gotorch.Zeros(s, []int{3}), b}), "must match the size of tensor"},
		{sgd.Step([]gotorch.Tensor{{}, b}), "the zero Tensor"},
		{sgd.SetMomentum([]gotorch.Tensor{a}), "1 momentum buffers, want 2"},
		{sgd.SetMomentum([]gotorch.Tensor{b, a}), "momentum buffer 0 has shape [1 1], its parameter [2]"},
	} {
		if c.err == nil || !strings.Contains(c.err.Error(), c.want) {
			t.Errorf("error %v, want %s", c.err, c.want)
		}
	}
	if got := values(sgd.Params()...); !slices.Equal(got, []float32{1, -2, 3}) {
		t.Errorf("a refused step changed the parameters to %v", got)
	}
	if err := s.Err(); err != nil {
		t.Errorf("a refused step left its error in the parameters' scope: %v", err)
	}
}
