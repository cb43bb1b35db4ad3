package gotorch_test

import (
	"fmt"
	"log"

	"github.com/ascood/ascood/gotorch"
	F "github.com/ascood/ascood/gotorch/nn/functional"
	"github.com/ascood/ascood/gotorch/optim"
)

// A line is fitted to the points (x, 2x+1).
func Example() {
	model := gotorch.NewScope()
	defer model.Close()
	weight := gotorch.Zeros(model, []int{1, 1}).SetRequiresGrad(true)
	bias := gotorch.Zeros(model, []int{1}).SetRequiresGrad(true)
	sgd, err := optim.NewSGD(model,
		[]optim.Group{{Params: []gotorch.Tensor{weight, bias}, LR: 0.1}},
		optim.SGDOptions{Momentum: 0.9, Nesterov: true})
	if err != nil {
		log.Fatal(err)
	}

	step := func() (float64, error) {
		s := gotorch.NewScope()
		defer s.Close() // frees all that the step made
		x := gotorch.FromSlice(s, []float32{-1, 0, 1, 2}, 4, 1)
		y := gotorch.FromSlice(s, []float32{-1, 1, 3, 5}, 4, 1)
		loss := F.MSELoss(F.Linear(x, weight, bias), y, F.Mean)
		grads := gotorch.Grad([]gotorch.Tensor{loss}, sgd.Params(), gotorch.GradOptions{})
		if err := sgd.Step(grads); err != nil {
			return 0, err
		}
		return loss.Item(), s.Err()
	}
	for i := range 101 {
		loss, err := step()
		if err != nil {
			log.Fatal(err)
		}
		if i%50 == 0 {
			fmt.Printf("step %3d: loss %.3f\n", i, loss)
		}
	}
	fmt.Printf("y = %.2f x + %.2f\n", weight.Item(), bias.Item())
	// Output:
	// step   0: loss 9.000
	// step  50: loss 0.000
	// step 100: loss 0.000
	// y = 2.00 x + 1.00
}

// The gradient of the images alone says what in them a class depends on. No
// gradient of a weight is computed on the way.
func ExampleGrad() {
	s := gotorch.NewScope()
	defer s.Close()
	weights := gotorch.FromSlice(s, []float32{1, -2, 3, 0, 5, 0}, 2, 3).SetRequiresGrad(true)
	image := gotorch.FromSlice(s, []float32{1, 1, 1}, 1, 3).SetRequiresGrad(true)
	logits := F.Linear(image, weights, gotorch.Tensor{})
	grads := gotorch.Grad([]gotorch.Tensor{logits.Select(1, 1).Sum()}, []gotorch.Tensor{image}, gotorch.GradOptions{})
	fmt.Println(gotorch.ToSlice[float32](grads[0]), s.Err())
	// Output: [0 5 0] <nil>
}

// Errors need to be looked at once, after the work.
func ExampleScope_Err() {
	s := gotorch.NewScope()
	defer s.Close()
	a := gotorch.Zeros(s, []int{2, 3})
	b := gotorch.Zeros(s, []int{2, 3})
	sum := a.MatMul(b).Exp().Sum()
	fmt.Println(sum.Item())
	fmt.Println(s.Err())
	// Output:
	// NaN
	// gotorch: matmul(float32[2,3], float32[2,3]): mat1 and mat2 shapes cannot be multiplied (2x3 and 2x3)
}
