package functional_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/ascood/ascood/gotorch"
	F "github.com/ascood/ascood/gotorch/nn/functional"
)

// TestBatchNormInOnePass: in channels-last order, float32 gives what libtorch's operators,
// which float64 goes through, give one after the other: outputs, running statistics and
// all gradients. Channels far from 0 lose nothing of their variance.
func TestBatchNormInOnePass(t *testing.T) {
	if err := gotorch.SetNumThreads(2); err != nil {
		t.Fatal(err)
	}
	for _, shape := range [][]int{{2, 8, 2, 3}, {3, 24, 5, 7}, {16, 16, 32, 32}} {
		for _, adds := range []bool{false, true} {
			for _, relu := range []bool{false, true} {
				t.Run(fmt.Sprint(shape, adds, relu), func(t *testing.T) {
					s := newScope(t)
					given := newNormGiven(s, shape)
					got, want := given.run(gotorch.Float32, adds, relu), given.run(gotorch.Float64, adds, relu)
					for name, w := range want {
						if off := apart(got[name], w); !(off < 2e-5) {
							t.Errorf("%s is off by %.1g of its largest value", name, off)
						}
					}
				})
			}
		}
	}
}

// normGiven is what a batch normalisation is made of, in float32.
type normGiven struct{ x, added, seed, weight, bias, mean, variance gotorch.Tensor }

func newNormGiven(s *gotorch.Scope, shape []int) normGiven {
	random := gotorch.NewGenerator(s, gotorch.CPU, 1)
	draw := func(shape ...int) gotorch.Tensor { return gotorch.RandN(s, shape, gotorch.CPU, random) }
	c := shape[1]
	far := gotorch.Arange(s, 0, c, gotorch.Float32).MulScalar(3).View(1, c, 1, 1)
	return normGiven{
		x: draw(shape...).Add(far), added: draw(shape...), seed: draw(shape...),
		weight: draw(c), bias: draw(c), mean: draw(c), variance: draw(c).Mul(draw(c)),
	}
}

// run returns everything that comes of it.
func (g normGiven) run(as gotorch.DType, adds, relu bool) map[string][]float64 {
	given := func(t gotorch.Tensor) gotorch.Tensor { return t.To(as).Clone() }
	x, added := given(g.x).ChannelsLast().SetRequiresGrad(true), given(g.added).ChannelsLast().SetRequiresGrad(true)
	o := F.BatchNormOptions{
		Weight: given(g.weight).SetRequiresGrad(true), Bias: given(g.bias).SetRequiresGrad(true),
		RunningMean: given(g.mean), RunningVar: given(g.variance), Training: true, Momentum: 0.3, Eps: 1e-5, ReLU: relu,
	}
	inputs := []gotorch.Tensor{x, o.Weight, o.Bias}
	if adds {
		o.Added, inputs = added, append(inputs, added)
	}
	y := F.BatchNorm(x, o)
	grads := gotorch.Grad([]gotorch.Tensor{y}, inputs, gotorch.GradOptions{Seeds: []gotorch.Tensor{given(g.seed)}})
	all := map[string][]float64{"y": numbers(y), "mean": numbers(o.RunningMean), "variance": numbers(o.RunningVar)}
	for i, name := range []string{"dx", "dweight", "dbias", "dadded"}[:len(grads)] {
		all[name] = numbers(grads[i])
	}
	return all
}

func numbers(t gotorch.Tensor) []float64 {
	return gotorch.ToSlice[float64](t.Detach().Contiguous().To(gotorch.Float64))
}

// apart is the largest difference of two lists, relative to the largest value.
func apart(got, want []float64) float64 {
	off, largest := 0.0, 1.0
	if len(got) != len(want) {
		return math.Inf(1)
	}
	for i, w := range want {
		off, largest = max(off, math.Abs(got[i]-w)), max(largest, math.Abs(w))
	}
	return off / largest
}

// TestBatchNormKeepsNaN: a training run that diverges is to show.
func TestBatchNormKeepsNaN(t *testing.T) {
	s := newScope(t)
	g := newNormGiven(s, []int{2, 8, 4, 4})
	g.x = g.x.DivScalar(0).SubScalar(math.Inf(1))
	if y := g.run(gotorch.Float32, false, true)["y"]; !slices.ContainsFunc(y, math.IsNaN) {
		t.Errorf("of NaN comes %v", y[:8])
	}
}
