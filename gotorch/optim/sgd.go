// Package optim updates parameters from their gradients, after torch.optim.
package optim

import (
	"fmt"
	"slices"

	"github.com/ascood/ascood/gotorch"
)

// SGDOptions are the settings of SGD that all groups share.
type SGDOptions struct {
	Momentum    float64
	Nesterov    bool // needs a momentum
	WeightDecay float64
	AllowUnused bool // a parameter whose gradient is the zero Tensor stays as it is; without this it is an error
}

// Group is a set of parameters that learn at one rate.
type Group struct {
	Params  []gotorch.Tensor
	LR      float64
	NoDecay bool // no weight decay
}

// SGD is stochastic gradient descent by PyTorch's rule. With the gradient
// g = grad + decay·p, the momentum buffer, at first 0, becomes
// b = momentum·b + g; then p changes by -lr·b, or with Nesterov by
// -lr·(g + momentum·b). Without momentum it changes by -lr·g.
type SGD struct {
	Groups []Group // rates may be changed between steps, parameters may not

	options  SGDOptions
	momentum [][]gotorch.Tensor // a buffer for each parameter of each group, or nil
}

// NewSGD returns an optimiser of the groups' parameters. Its momentum buffers
// belong to s, and have the parameters' devices and memory layouts.
func NewSGD(s *gotorch.Scope, groups []Group, options SGDOptions) (*SGD, error) {
	if options.Nesterov && options.Momentum <= 0 {
		return nil, fmt.Errorf("optim: Nesterov needs a momentum above 0, not %v", options.Momentum)
	}
	o := &SGD{Groups: groups, options: options}
	if options.Momentum == 0 {
		return o, nil
	}
	o.momentum = make([][]gotorch.Tensor, len(groups))
	for i, g := range groups {
		for _, p := range g.Params {
			o.momentum[i] = append(o.momentum[i], gotorch.Call(s, "zeros_like", p))
		}
	}
	return o, s.Err()
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
	params, buffers := o.Groups[i].Params, o.buffers(i)
	if o.options.AllowUnused && slices.Contains(d, gotorch.Tensor{}) {
		params, buffers, d = withGradients(params, buffers, d)
	}
	n := len(d)
	if n == 0 {
		return
	}
	if decay := o.options.WeightDecay; decay != 0 && !o.Groups[i].NoDecay {
		d = gotorch.CallN(s, n, "_foreach_add.List", d, params, decay)
	}
	if m := o.options.Momentum; m != 0 {
		gotorch.CallN(s, 0, "_foreach_mul_.Scalar", buffers, m)
		gotorch.CallN(s, 0, "_foreach_add_.List", buffers, d, 1)
		if o.options.Nesterov {
			d = gotorch.CallN(s, n, "_foreach_add.List", d, buffers, m)
		} else {
			d = buffers
		}
	}
	gotorch.CallN(s, 0, "_foreach_add_.List", params, d, -o.Groups[i].LR)
}

// buffers are those of group i, nil without momentum.
func (o *SGD) buffers(i int) []gotorch.Tensor {
	if o.momentum == nil {
		return nil
	}
	return o.momentum[i]
}

// withGradients leaves out parameters that have no gradient.
func withGradients(params, buffers, grads []gotorch.Tensor) (p, b, g []gotorch.Tensor) {
	for i, grad := range grads {
		if grad == (gotorch.Tensor{}) {
			continue
		}
		p, g = append(p, params[i]), append(g, grad)
		if buffers != nil {
			b = append(b, buffers[i])
		}
	}
	return p, b, g
}
