// Package train trains image classifiers that know what they do not know.
//
// The method is ASCOOD (Regmi 2024): from every batch of images it makes
// outliers that differ from the images in what their class depends on and keep the
// rest, and it teaches the network to be sure of the images and undecided about
// the outliers. This file is all of it; around it are the network (network.go),
// the three kinds of outliers (outliers_*.go), the schedules (schedule.go) and
// the loop (loop.go).
package train

import (
	"github.com/ascood/ascood/gotorch"
	F "github.com/ascood/ascood/gotorch/nn/functional"
	"github.com/ascood/ascood/gotorch/optim"
)

// learner is a network with what it takes to train it.
type learner struct {
	config   Config
	net      *network
	sgd      *optim.SGD
	outliers outliers // nil for plain cross-entropy
	steps    int      // of the whole run, for the learning rate
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
	if c.Method == MethodASCOOD {
		if l.outliers, err = newOutliers(c, size); err != nil {
			return nil, err
		}
	}
	backbone, fc := net.params()
	l.sgd, err = optim.NewSGD(net.scope, []optim.Group{{Params: tensors(backbone)}, {Params: tensors(fc)}},
		optim.SGDOptions{Momentum: c.Momentum, Nesterov: true, WeightDecay: c.WeightDecay})
	return l, err
}

// step trains on normalised images x [N,3,H,W] of classes y [N], the given step
// of an epoch. The tensors that it makes belong to s. It does not wait for a GPU, nor
// for the numbers that it returns, for readOutcome.
func (l *learner) step(s *gotorch.Scope, x, y gotorch.Tensor, at when) (gotorch.Tensor, error) {
	if l.outliers == nil {
		return l.update(s, x, gotorch.Tensor{}, y, at)
	}
	ood := l.outliers(batch{
		scope:    s,
		x:        x,
		saliency: func() gotorch.Tensor { return l.saliency(s, x, y) },
		alpha:    l.alpha(at.epoch),
		random:   gotorch.NewGenerator(s, x.Device(), random(l.config.Seed, forOutliers, at.step).Uint64()),
	})
	return l.update(s, x, ood, y, at)
}

// saliency returns d logit[y]/dx [N,3,H,W] of the network as it would be used:
// with running statistics, which stay as they are; or, if the configuration says so, as
// in training. No gradient is computed but the images'.
func (l *learner) saliency(outer *gotorch.Scope, x, y gotorch.Tensor) gotorch.Tensor {
	s := gotorch.NewScope()
	defer s.Close()
	x = s.Keep(x).Detach().SetRequiresGrad(true)
	mode := inference
	if l.config.Saliency == SaliencyTrain {
		mode = observation
	}
	score := l.net.forward(x, mode).Gather(1, y.Unsqueeze(1)).Sum()
	grads := gotorch.Grad([]gotorch.Tensor{score}, []gotorch.Tensor{x}, gotorch.GradOptions{})
	return outer.Keep(grads[0])
}

// update makes one optimiser step on images x of classes y and, unless it is the
// zero Tensor, on outliers ood of x's shape.
func (l *learner) update(s *gotorch.Scope, x, ood, y gotorch.Tensor, at when) (gotorch.Tensor, error) {
	lossID, lossOOD, correct := l.losses(x, ood, y)
	grads := gotorch.Grad([]gotorch.Tensor{lossID.Add(lossOOD.MulScalar(l.config.W))}, l.sgd.Params(), gotorch.GradOptions{})
	l.sgd.Groups[0].LR, l.sgd.Groups[1].LR = l.rates(at.step)
	if err := l.sgd.Step(grads); err != nil {
		return gotorch.Tensor{}, err
	}
	numbers := fetchOutcome(lossID, lossOOD, correct)
	return numbers, s.Err()
}

// losses passes images and outliers through the network at once, so that batch
// normalisation sees both.
func (l *learner) losses(x, ood, y gotorch.Tensor) (lossID, lossOOD, correct gotorch.Tensor) {
	if ood == (gotorch.Tensor{}) {
		logits := l.net.forward(x, training)
		lossID = F.CrossEntropy(logits, y, F.Mean)
		return lossID, gotorch.ZerosLike(lossID), hits(logits, y)
	}
	both := gotorch.Cat([]gotorch.Tensor{x, ood}, 0)
	logits := gotorch.CallN(nil, 2, "chunk", l.net.forward(both, training), 2, 0)
	return F.CrossEntropy(logits[0], y, F.Mean), l.fromUniform(logits[1]), hits(logits[0], y)
}

// fromUniform is the divergence KL(uniform || softmax(logits)), the mean over
// the rows of logits [N,C].
func (l *learner) fromUniform(logits gotorch.Tensor) gotorch.Tensor {
	classes := float64(l.net.Spec.Classes)
	uniform := gotorch.OnesLike(logits).DivScalar(classes)
	return F.KLDiv(logits.LogSoftmax(1), uniform, F.Mean).MulScalar(classes)
}

// hits counts the rows of logits [N,C] whose largest is at y [N].
func hits(logits, y gotorch.Tensor) gotorch.Tensor { return logits.ArgMax(1).Eq(y).Sum() }

// rates are the learning rates at a step of the backbone and of the last layer.
func (l *learner) rates(step int) (backbone, fc float64) {
	lr := lrMultiplier(step, l.steps, l.config.LR) * l.config.LR
	return lr, lr * l.config.FCLRFactor
}

// alpha is the strength of the outliers in an epoch, 0 where there are none.
func (l *learner) alpha(epoch int) float64 {
	if l.outliers == nil {
		return 0
	}
	return alpha(epoch, l.config.Epochs, l.config.AlphaMin, l.config.AlphaMax)
}
