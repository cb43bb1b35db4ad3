package gotorch

import "fmt"

// GradOptions alter Grad.
type GradOptions struct {
	// Seeds weigh the outputs: the gradient is of the sum of outputs·seeds. nil
	// means 1 for each output, which must then be a scalar.
	Seeds []Tensor
	// RetainGraph keeps what autograd recorded, for another Grad of the same outputs.
	RetainGraph bool
	// CreateGraph records the computation of the gradients, for gradients of gradients.
	CreateGraph bool
	// AllowUnused makes the gradient of an input that does not matter to the
	// outputs the zero Tensor instead of an error.
	AllowUnused bool
}

// Grad returns the gradients of the outputs with respect to the inputs. They
// belong to the youngest scope of outputs and inputs.
//
// Nothing is computed that the inputs do not need. For the gradient of the images
// alone, name only them: no convolution then computes the gradient of its weights,
// although these require gradients (oneDNN's log shows none; BenchmarkGrad).
func Grad(outputs, inputs []Tensor, opt GradOptions) []Tensor {
	grads := make([]Tensor, len(inputs))
	s := run(nil, "grad", []any{outputs, inputs, opt.Seeds}, func(s *Scope, a *arguments) error {
		all := a.tensors()
		seeds := all[len(outputs)+len(inputs):]
		switch {
		case len(seeds) == 0:
			seeds = make([]cTensor, len(outputs))
		case len(seeds) != len(outputs):
			return fmt.Errorf("%d seeds for %d outputs", len(seeds), len(outputs))
		}
		results := make([]cTensor, len(inputs))
		if err := cGrad(all[:len(outputs)], seeds, all[len(outputs):len(outputs)+len(inputs)], opt, results); err != nil {
			return err
		}
		s.adopt(results...)
		for i, t := range results {
			grads[i].t = t
		}
		return nil
	})
	for i := range grads {
		if grads[i].t != nil || s == nil || s.Err() != nil {
			grads[i].s = s
		}
	}
	return grads
}
