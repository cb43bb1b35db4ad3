package train

import (
	"slices"
	"strings"

	"github.com/ascood/ascood/gotorch"
	"github.com/ascood/ascood/gotorch/optim"
)

// learner is a network with what it takes to train it.
type learner struct {
	config Config
	net    *network
	sgd    *optim.SGD
	params []named // that sgd trains, in its order
	rated  []rating
	method Method
	own    map[string]gotorch.Tensor // the method's
	steps  int                       // of the whole run, for the learning rate
}

// rating finds the learning rate of a group of parameters of that of the backbone.
type rating func(lr float64) float64

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
	if _, ok := l.method.(classifier); ok {
		if err := net.openHead(); err != nil {
			return nil, err
		}
	}
	var own []named
	if l.own, own, err = newOwn(net, l.method, c.Seed); err != nil {
		return nil, err
	}
	l.sgd, err = optim.NewSGD(net.scope, l.group(own), optim.SGDOptions{Momentum: c.Momentum, Nesterov: true, WeightDecay: c.WeightDecay, AllowUnused: l.grads().AllowUnused})
	return l, err
}

// group makes the optimiser's groups: the backbone with the method's own tensors, the last
// layer, and what the method trains otherwise.
func (l *learner) group(own []named) []optim.Group {
	var groups []optim.Group
	add := func(params []named, noDecay bool, r rating) {
		groups = append(groups, optim.Group{Params: tensors(params), NoDecay: noDecay})
		l.params, l.rated = append(l.params, params...), append(l.rated, r)
	}
	backbone, fc := l.net.params()
	var others []group
	if m, ok := l.method.(grouper); ok {
		others = m.groups()
	}
	taken := make([][]named, len(others))
	for i, g := range others {
		without := func(p named) bool { return !strings.HasPrefix(p.name, g.module+".") }
		within := func(p named) bool { return !without(p) }
		taken[i] = slices.DeleteFunc(slices.Concat(backbone, fc), without)
		backbone, fc = slices.DeleteFunc(backbone, within), slices.DeleteFunc(fc, within)
	}
	add(append(backbone, own...), false, func(lr float64) float64 { return lr })
	add(fc, false, func(lr float64) float64 { return lr * l.config.FCLRFactor })
	for i, g := range others {
		add(taken[i], g.noDecay, func(lr float64) float64 {
			if g.constant {
				return l.config.LR
			}
			return lr
		})
	}
	return groups
}

// ownPrefix is before the names of a method's own tensors in what is saved.
const ownPrefix = "method."

// newOwn makes the tensors of a method's own on the network's device, and returns those
// among them that are trained, under the names that they are saved by.
func newOwn(net *network, m Method, seed uint64) (all map[string]gotorch.Tensor, trained []named, err error) {
	all = map[string]gotorch.Tensor{}
	params, err := ownOf(m, net.Network)
	if err != nil {
		return nil, nil, err
	}
	state := draw(params, nil, random(seed, forOwn, 0))
	for _, p := range params {
		values, err := state[p.Name].Float32s()
		if err != nil {
			return nil, nil, err
		}
		t := upload(net.scope, values, p.Shape, net.at).SetRequiresGrad(p.Trainable)
		if all[p.Name] = t; p.Trainable {
			trained = append(trained, named{ownPrefix + p.Name, t})
		}
	}
	return all, trained, net.scope.Err()
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
	grads := gotorch.Grad([]gotorch.Tensor{loss.total()}, l.sgd.Params(), l.grads())
	lr := l.rate(when{epoch: s.Epoch, step: s.Number})
	for i, of := range l.rated {
		l.sgd.Groups[i].LR = of(lr)
	}
	if err := l.sgd.Step(grads); err != nil {
		return gotorch.Tensor{}, err
	}
	numbers := fetchOutcome(loss, hits(loss.Logits, s.Y))
	return numbers, s.Scope.Err()
}

// grads: what a method has beside the network may matter to some steps only.
func (l *learner) grads() gotorch.GradOptions {
	return gotorch.GradOptions{AllowUnused: len(l.own) > 0}
}

// hits counts the rows of logits [N,C] whose largest is at y [N].
func hits(logits, y gotorch.Tensor) gotorch.Tensor { return logits.ArgMax(1).Eq(y).Sum() }

// rate is the learning rate at a step, of the backbone.
func (l *learner) rate(at when) float64 {
	if m, ok := l.method.(scheduler); ok {
		steps := l.steps / l.config.Epochs
		return m.rate(l.config, at.epoch, at.step-(at.epoch-1)*steps, steps)
	}
	return lrMultiplier(at.step, l.steps, l.config.LR) * l.config.LR
}

// alpha is the strength of the outliers in an epoch, 0 where they have none.
func (l *learner) alpha(epoch int) float64 {
	if m, ok := l.method.(strong); ok {
		return m.alpha(epoch, l.config.Epochs)
	}
	return 0
}
