// Package optim updates parameters from their gradients, after torch.optim.
package optim

import (
	"fmt"

	"github.com/ascood/ascood/gotorch"
)

// SGDOptions are the settings of SGD that all groups share.
type SGDOptions struct {
	Momentum    float64
	Nesterov    bool // needs a momentum
	WeightDecay float64
}

// Group is a set of parameters that learn at one rate.
type Group struct {
	Params []gotorch.Tensor
	LR     float64
}

// SGD is stochastic gradient descent by PyTorch's rule. With the gradient
// g = grad + decay·p, the momentum buffer is b = g in the first step and
// b = momentum·b + g later on; then p changes by -lr·b, or with Nesterov by
// -lr·(g + momentum·b).
type SGD struct {
	Groups []Group // rates may be changed between steps, parameters may not

	options SGDOptions
	scope   *gotorch.Scope // owns the momentum buffers
	buffers [][]gotorch.Tensor
}

// NewSGD returns an optimiser of the groups' parameters. Its momentum buffers
// are made by the first step, and belong to s.
func NewSGD(s *gotorch.Scope, groups []Group, options SGDOptions) (*SGD, error) {
	if options.Nesterov && options.Momentum <= 0 {
		return nil, fmt.Errorf("optim: Nesterov needs a momentum above 0, not %v", options.Momentum)
	}
	return &SGD{Groups: groups, options: options, scope: s, buffers: make([][]gotorch.Tensor, len(groups))}, nil
}

// Params returns the parameters of all groups in order, as Step wants their
// gradients.
func (o *SGD) Params() []gotorch.Tensor {
	var all []gotorch.Tensor
	for _, g := range o.Groups {
		all = append(all, g.Params...)
	}
	return all
}

// Step changes every parameter by its gradient, grads[i] being that of
// Params()[i]. It takes a fixed number of calls into libtorch for each group,
// whatever the number of parameters.
func (o *SGD) Step(grads []gotorch.Tensor) error {
	if n := len(o.Params()); len(grads) != n {
		return fmt.Errorf("optim: %d gradients for %d parameters", len(grads), n)
	}
	s := gotorch.NewScope(gotorch.NoGrad)
	defer s.Close()
	for i, g := range o.Groups {
		n := len(g.Params)
		if n == 0 {
			continue
		}
		o.stepGroup(s, i, grads[:n])
		grads = grads[n:]
	}
	return s.Err()
}

func (o *SGD) stepGroup(s *gotorch.Scope, i int, d []gotorch.Tensor) {
	params, n := o.Groups[i].Params, len(d)
	momentum, decay := o.options.Momentum, o.options.WeightDecay
	if decay != 0 {
		d = gotorch.CallN(s, n, "_foreach_add.List", d, params, decay)
	}
	if momentum != 0 {
		if buffers := o.buffers[i]; buffers == nil {
			o.buffers[i] = o.firstBuffers(s, d)
		} else {
			gotorch.CallN(s, 0, "_foreach_mul_.Scalar", buffers, momentum)
			gotorch.CallN(s, 0, "_foreach_add_.List", buffers, d, 1)
		}
		if o.options.Nesterov {
			d = gotorch.CallN(s, n, "_foreach_add.List", d, o.buffers[i], momentum)
		} else {
			d = o.buffers[i]
		}
	}
	gotorch.CallN(s, 0, "_foreach_add_.List", params, d, -o.Groups[i].LR)
}
