package optim

import (
	"fmt"
	"slices"

	"github.com/ascood/ascood/gotorch"
)

// firstBuffers copies the first step's gradients to the optimiser's scope.
func (o *SGD) firstBuffers(s *gotorch.Scope, grads []gotorch.Tensor) []gotorch.Tensor {
	buffers := make([]gotorch.Tensor, len(grads))
	for i, g := range grads {
		buffers[i] = o.scope.Keep(gotorch.Call(s, "clone", g))
	}
	return buffers
}

// Momentum returns the momentum buffer of parameter i of Params(), and the zero
// Tensor before the first step. With those of all parameters a run can be saved;
// SetMomentum resumes it.
func (o *SGD) Momentum(i int) gotorch.Tensor {
	for g, group := range o.Groups {
		if i < len(group.Params) {
			if o.buffers[g] == nil {
				return gotorch.Tensor{}
			}
			return o.buffers[g][i]
		}
		i -= len(group.Params)
	}
	return gotorch.Tensor{}
}

// SetMomentum copies the momentum buffers of all parameters, in the order of
// Params(), so that the next step continues another optimiser's run.
func (o *SGD) SetMomentum(buffers []gotorch.Tensor) error {
	params := o.Params()
	if len(buffers) != len(params) {
		return fmt.Errorf("optim: %d momentum buffers for %d parameters", len(buffers), len(params))
	}
	for i, b := range buffers {
		if have, want := b.Shape(), params[i].Shape(); !slices.Equal(have, want) {
			return fmt.Errorf("optim: momentum buffer %d has shape %v, its parameter %v", i, have, want)
		}
	}
	s := gotorch.NewScope(gotorch.NoGrad)
	defer s.Close()
	for g, group := range o.Groups {
		n := len(group.Params)
		own := make([]gotorch.Tensor, n)
		for i, p := range group.Params {
			own[i] = o.scope.Keep(gotorch.Call(s, "zeros_like", p).CopyI(buffers[i]))
		}
		o.buffers[g], buffers = own, buffers[n:]
	}
	return o.scope.Err()
}
