package functional_test

import (
	"fmt"
	"testing"

	"github.com/ascood/ascood/gotorch"
	F "github.com/ascood/ascood/gotorch/nn/functional"
)

// TestConv2dOfMaps: convolutions of 3x3 in float32 give what they do in float64, whatever
// algorithm computes them: outputs, and the gradients of maps, weights and biases, also
// where the sizes are no whole tiles.
func TestConv2dOfMaps(t *testing.T) {
	if err := gotorch.SetNumThreads(2); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ n, in, out, height, width int }{
		{12, 32, 32, 8, 8}, {7, 64, 32, 9, 14}, {60, 32, 96, 4, 3}, {3, 288, 64, 17, 16}, {1, 96, 128, 30, 29}, {2, 8, 8, 9, 9}, {1, 32, 32, 4, 4},
		{5, 16, 16, 13, 32}, {4, 8, 24, 15, 16}, {2, 16, 48, 21, 22}, {3, 48, 16, 16, 20}, {1, 160, 80, 40, 23},
	} {
		for _, biased := range []bool{false, true} {
			t.Run(fmt.Sprint(c, biased), func(t *testing.T) {
				s := newScope(t)
				random := gotorch.NewGenerator(s, gotorch.CPU, 1)
				draw := func(shape ...int) gotorch.Tensor { return gotorch.RandN(s, shape, gotorch.CPU, random) }
				x, weight, bias := draw(c.n, c.in, c.height, c.width), draw(c.out, c.in, 3, 3), draw(c.out)
				seed := draw(c.n, c.out, c.height, c.width)
				run := func(as gotorch.DType) map[string][]float64 {
					given := func(t gotorch.Tensor) gotorch.Tensor { return t.To(as).Clone().SetRequiresGrad(true) }
					x, weight, none := given(x.ChannelsLast()), given(weight.ChannelsLast()), gotorch.Tensor{}
					inputs := []gotorch.Tensor{x, weight}
					if biased {
						none = given(bias)
						inputs = append(inputs, none)
					}
					y := F.Conv2d(x, weight, none, F.ConvOptions{Padding: 1})
					all := map[string][]float64{"y": numbers(y)}
					for i, g := range gotorch.Grad([]gotorch.Tensor{y}, inputs, gotorch.GradOptions{Seeds: []gotorch.Tensor{seed.To(as)}}) {
						all[[]string{"dx", "dweight", "dbias"}[i]] = numbers(g)
					}
					return all
				}
				got, want := run(gotorch.Float32), run(gotorch.Float64)
				for name, w := range want {
					off := apart(got[name], w)
					t.Logf("%s: %.1g", name, off)
					if !(off < 3e-5) {
						t.Errorf("%s is off by %.1g of its largest value", name, off)
					}
				}
			})
		}
	}
}
