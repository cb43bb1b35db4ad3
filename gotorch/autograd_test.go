package gotorch_test

import (
	"math"
	"strings"
	"testing"

	"github.com/ascood/ascood/gotorch"
	F "github.com/ascood/ascood/gotorch/nn/functional"
)

// TestGradients compares gradients with central differences in a random
// direction, in float64.
func TestGradients(t *testing.T) {
	type T = gotorch.Tensor
	for _, c := range []struct {
		name  string
		shape []int
		f     func(s *gotorch.Scope, x T) T // weighted sum of it is differentiated
	}{
		{"exp, log", dims(3, 4), func(_ *gotorch.Scope, x T) T { return x.Exp().AddScalar(1).Log() }},
		{"softmax", dims(3, 4), func(_ *gotorch.Scope, x T) T { return x.Softmax(1) }},
		{"standardise", dims(3, 4), func(_ *gotorch.Scope, x T) T {
			return x.Sub(x.Mean(1).Unsqueeze(1)).Div(x.Std(1).Unsqueeze(1))
		}},
		{"gather", dims(3, 4), func(_ *gotorch.Scope, x T) T { return x.Gather(1, x.ArgMax(1).Unsqueeze(1)) }},
		{"conv2d", dims(2, 3, 6, 6), func(s *gotorch.Scope, x T) T {
			g := gotorch.NewGenerator(s, gotorch.CPU, 2)
			w := gotorch.RandN(s, dims(4, 3, 3, 3), g, gotorch.Float64)
			return F.Conv2d(x, w, T{}, F.ConvOptions{Stride: 2, Padding: 1})
		}},
		{"batch norm in train mode", dims(4, 2, 3, 3), func(_ *gotorch.Scope, x T) T {
			return F.BatchNorm(x, F.BatchNormOptions{Training: true, Momentum: 0.1, Eps: 1e-5})
		}},
		{"max pool", dims(1, 2, 6, 6), func(_ *gotorch.Scope, x T) T {
			return F.MaxPool2d(x, F.PoolOptions{Kernel: 3, Stride: 2, Padding: 1})
		}},
		{"average pools", dims(1, 2, 6, 6), func(_ *gotorch.Scope, x T) T {
			return F.AdaptiveAvgPool2d(F.AvgPool2d(x, F.PoolOptions{Kernel: 2}), 1, 1)
		}},
		{"cross entropy", dims(3, 4), func(s *gotorch.Scope, x T) T {
			return F.CrossEntropy(x, gotorch.FromSlice(s, []int64{1, 0, 3}, 3), F.None)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newScope(t)
			g := gotorch.NewGenerator(s, gotorch.CPU, 1)
			x := gotorch.RandN(s, c.shape, g, gotorch.Float64)
			direction := gotorch.RandN(s, c.shape, g, gotorch.Float64)
			weights := gotorch.RandN(s, c.f(s, x).Shape(), g, gotorch.Float64)
			f := func(x T) T { return c.f(s, x).Mul(weights).Sum() }

			variable := x.Clone().SetRequiresGrad(true)
			grad := gotorch.Grad([]T{f(variable)}, []T{variable}, gotorch.GradOptions{})[0]
			got := grad.Mul(direction).Sum().Item()
			const h = 1e-6
			want := (f(x.Add(direction.MulScalar(h))).Item() - f(x.Sub(direction.MulScalar(h))).Item()) / (2 * h)
			if math.Abs(got-want) > 1e-6*math.Max(1, math.Abs(want)) {
				t.Errorf("derivative %v, by differences %v", got, want)
			}
		})
	}
}

func TestGradOptions(t *testing.T) {
	type T = gotorch.Tensor
	s := newScope(t)
	x := vector(s, 1, 2).SetRequiresGrad(true)
	y := vector(s, 3, 4).SetRequiresGrad(true)
	cube := x.Pow(3)

	seeded := gotorch.Grad([]T{cube}, []T{x}, gotorch.GradOptions{Seeds: []T{vector(s, 1, 10)}, RetainGraph: true})
	wantTensor(t, "seeded", seeded[0], dims(2), 3, 120)
	if seeded[0].RequiresGrad() {
		t.Error("a gradient is recorded without CreateGraph")
	}

	first := gotorch.Grad([]T{cube.Sum()}, []T{x}, gotorch.GradOptions{CreateGraph: true})
	second := gotorch.Grad([]T{first[0].Sum()}, []T{x}, gotorch.GradOptions{})
	wantTensor(t, "second derivative", second[0], dims(2), 6, 12)

	partly := gotorch.Grad([]T{x.Sum()}, []T{x, y}, gotorch.GradOptions{AllowUnused: true})
	wantTensor(t, "used", partly[0], dims(2), 1, 1)
	if partly[1] != (T{}) {
		t.Errorf("the gradient of an input that does not matter is %v", partly[1])
	}

	two := gotorch.Grad([]T{x.Sum(), x.Mul(y).Sum()}, []T{x, y}, gotorch.GradOptions{})
	wantTensor(t, "of two outputs, x", two[0], dims(2), 4, 5)
	wantTensor(t, "of two outputs, y", two[1], dims(2), 1, 2)
}

func TestGradErrors(t *testing.T) {
	type T = gotorch.Tensor
	for _, c := range []struct {
		run  func(s *gotorch.Scope, x T) []T
		want string
	}{
		{func(s *gotorch.Scope, x T) []T {
			return gotorch.Grad([]T{x.MulScalar(2)}, []T{x}, gotorch.GradOptions{})
		},
			"grad([float32[2]], [float32[2]], []): grad can be implicitly created only for scalar outputs"},
		{func(s *gotorch.Scope, x T) []T {
			return gotorch.Grad([]T{x.Sum()}, []T{x, vector(s, 1).SetRequiresGrad(true)}, gotorch.GradOptions{})
		}, "of the differentiated Tensors appears to not have been used in the graph"},
		{func(s *gotorch.Scope, x T) []T {
			return gotorch.Grad([]T{x.Detach().Sum()}, []T{x}, gotorch.GradOptions{})
		}, "does not require grad"},
		{func(s *gotorch.Scope, x T) []T {
			return gotorch.Grad([]T{x.Sum()}, []T{x}, gotorch.GradOptions{Seeds: []T{x, x}})
		}, "2 seeds for 1 outputs"},
		{func(s *gotorch.Scope, x T) []T {
			y := x.Exp().Sum()
			gotorch.Grad([]T{y}, []T{x}, gotorch.GradOptions{})
			return gotorch.Grad([]T{y}, []T{x}, gotorch.GradOptions{})
		}, "backward through the graph a second time"},
	} {
		s := gotorch.NewScope()
		grads := c.run(s, vector(s, 1, 2).SetRequiresGrad(true))
		if err := s.Err(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %s", err, c.want)
		}
		for _, g := range grads {
			if g.Valid() {
				t.Error("a failed Grad returned a valid gradient")
			}
		}
		s.Close()
	}
}
