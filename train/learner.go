package train

import (
	"github.com/ascood/ascood/gotorch"
	"github.com/ascood/ascood/gotorch/optim"
)

// learner is a network with what it takes to train it.
type learner struct {
	config Config
	net    *network
	sgd    *optim.SGD
	method Method
	steps  int // of the whole run, for the learning rate
}

// when is the position of an optimiser step in a run.
type when struct {
	epoch int // from 1
	step  int // since the start of the run, from 0
}

// newLearner prepares to train a network on images of size x size pixels for
// the given number of steps.
func newLearner(c Config, net *network, size, steps int) (*learner, error) {
	l := &learner{config: c, net: net, steps: steps}
	var err error
	if l.method, err = c.method(); err != nil {
		return nil, err
	}
	if m, ok := l.method.(preparer); ok {
		if err := m.prepare(size); err != nil {
			return nil, err
		}
	}
	backbone, fc := net.params()
	l.sgd, err = optim.NewSGD(net.scope, []optim.Group{{Params: tensors(backbone)}, {Params: tensors(fc)}},
		optim.SGDOptions{Momentum: c.Momentum, Nesterov: true, WeightDecay: c.WeightDecay})
	return l, err
}

// at is the step of a batch of normalised images x [N,3,H,W] of classes y [N]; what is
// made in it belongs to s.
func (l *learner) at(s *gotorch.Scope, x, y gotorch.Tensor, at when) *Step {
	return &Step{Scope: s, X: x, Y: y, Epoch: at.epoch, Number: at.step, learner: l}
}

// step trains on a batch. It does not wait for a GPU, nor for the numbers that it
// returns, for readOutcome.
func (l *learner) step(s *Step) (gotorch.Tensor, error) { return l.update(s, l.method.Loss(s)) }

// update makes one optimiser step down the gradient of a loss.
func (l *learner) update(s *Step, loss Loss) (gotorch.Tensor, error) {
	grads := gotorch.Grad([]gotorch.Tensor{loss.total()}, l.sgd.Params(), gotorch.GradOptions{})
	l.sgd.Groups[0].LR, l.sgd.Groups[1].LR = l.rates(s.Number)
	if err := l.sgd.Step(grads); err != nil {
		return gotorch.Tensor{}, err
	}
	numbers := fetchOutcome(loss, hits(loss.Logits, s.Y))
	return numbers, s.Scope.Err()
}

// hits counts the rows of logits [N,C] whose largest is at y [N].
func hits(logits, y gotorch.Tensor) gotorch.Tensor { return logits.ArgMax(1).Eq(y).Sum() }

// rates are the learning rates at a step of the backbone and of the last layer.
func (l *learner) rates(step int) (backbone, fc float64) {
	lr := lrMultiplier(step, l.steps, l.config.LR) * l.config.LR
	return lr, lr * l.config.FCLRFactor
}

// alpha is the strength of the outliers in an epoch, 0 where they have none.
func (l *learner) alpha(epoch int) float64 {
	if m, ok := l.method.(strong); ok {
		return m.alpha(epoch, l.config.Epochs)
	}
	return 0
}
