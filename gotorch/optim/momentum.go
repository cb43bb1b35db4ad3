package optim

import (
	"fmt"
	"slices"

	"github.com/ascood/ascood/gotorch"
)

// Momentum returns the momentum buffer of parameter i of Params(), and the zero
// Tensor if there is none. With those of all parameters a run can be saved;
// SetMomentum resumes it.
func (o *SGD) Momentum(i int) gotorch.Tensor {
	if all := slices.Concat(o.momentum...); 0 <= i && i < len(all) {
		return all[i]
	}
	return gotorch.Tensor{}
}

// SetMomentum copies the momentum buffers of all parameters, in the order of
// Params(), so that the next step continues another optimiser's run.
func (o *SGD) SetMomentum(buffers []gotorch.Tensor) error {
	own := slices.Concat(o.momentum...)
	if len(buffers) != len(own) {
		return fmt.Errorf("optim: %d momentum buffers, want %d", len(buffers), len(own))
	}
	for i, b := range buffers {
		if have, want := b.Shape(), own[i].Shape(); !slices.Equal(have, want) {
			return fmt.Errorf("optim: momentum buffer %d has shape %v, its parameter %v", i, have, want)
		}
	}
	s := gotorch.NewScope(gotorch.NoGrad)
	defer s.Close()
	for i, b := range buffers {
		s.Keep(own[i]).CopyI(b)
	}
	return s.Err()
}
