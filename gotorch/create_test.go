package gotorch_test

import (
	"slices"
	"testing"

	"github.com/ascood/ascood/gotorch"
)

func TestCreate(t *testing.T) {
	s := newScope(t)
	for _, c := range []struct {
		got   gotorch.Tensor
		what  string
		shape []int
		want  []float64
	}{
		{gotorch.Zeros(s, dims(2)), "float32[2]", dims(2), []float64{0, 0}},
		{gotorch.Ones(s, dims(1, 2), gotorch.Int64, gotorch.CPU), "int64[1,2]", dims(1, 2), []float64{1, 1}},
		{gotorch.Full(s, dims(2), 1.5), "float32[2]", dims(2), []float64{1.5, 1.5}},
		{gotorch.Full(s, dims(), 7, gotorch.Uint8), "uint8[]", dims(), []float64{7}},
		{gotorch.Arange(s, 2, 5), "int64[3]", dims(3), []float64{2, 3, 4}},
		{gotorch.Arange(s, 0, 2, gotorch.Float64), "float64[2]", dims(2), []float64{0, 1}},
	} {
		if c.got.String() != c.what {
			t.Errorf("made %v, want %s", c.got, c.what)
		}
		wantTensor(t, c.what, c.got, c.shape, c.want...)
	}
}

// draw is what torch.manual_seed(0) gives in PyTorch 1.13: randn(4), rand(3),
// randperm(6), randint(0, 10, (5,)).
func draw(t *testing.T, s *gotorch.Scope, options ...gotorch.CreateOption) {
	t.Helper()
	wantTensor(t, "randn", gotorch.RandN(s, dims(4), options...), dims(4), 1.5409961, -0.2934289, -2.1787894, 0.5684313)
	wantTensor(t, "rand", gotorch.Rand(s, dims(3), options...), dims(3), 0.455628, 0.6323063, 0.3488935)
	wantTensor(t, "randperm", gotorch.RandPerm(s, 6, options...), dims(6), 2, 0, 5, 4, 3, 1)
	wantTensor(t, "randint", gotorch.RandInt(s, 0, 10, dims(5), options...), dims(5), 6, 8, 4, 3, 6)
}

func TestRandomNumbersArePyTorchs(t *testing.T) {
	s := newScope(t)
	if err := gotorch.ManualSeed(0); err != nil {
		t.Fatal(err)
	}
	draw(t, s)
	g := gotorch.NewGenerator(s, gotorch.CPU, 0)
	draw(t, s, g)
	g.Seed(0)
	draw(t, s, g)
	gotorch.DefaultGenerator(s, gotorch.CPU).Seed(0)
	draw(t, s)
}

func TestGeneratorResumes(t *testing.T) {
	s := newScope(t)
	numbers := func(g *gotorch.Generator) []float32 { return gotorch.ToSlice[float32](gotorch.RandN(s, dims(5), g)) }
	a := gotorch.NewGenerator(s, gotorch.CPU, 3)
	numbers(a)
	state := a.State()
	want := numbers(a)
	b := gotorch.NewGenerator(s, gotorch.CPU, 4)
	b.SetState(state)
	if got := numbers(b); !slices.Equal(got, want) {
		t.Errorf("resumed %v, want %v", got, want)
	}
}

func TestGeneratorErrors(t *testing.T) {
	for name, run := range map[string]func(s *gotorch.Scope){
		"wrong state":       func(s *gotorch.Scope) { gotorch.NewGenerator(s, gotorch.CPU, 1).SetState([]byte{1, 2, 3}) },
		"unknown device":    func(s *gotorch.Scope) { gotorch.NewGenerator(s, gotorch.Device{Type: 99}, 1) },
		"invalid generator": func(s *gotorch.Scope) { gotorch.RandN(s, dims(1), &gotorch.Generator{}) },
	} {
		s := gotorch.NewScope()
		run(s)
		if s.Err() == nil {
			t.Errorf("%s: no error", name)
		}
		s.Close()
	}
}
