package gotorch_test

import (
	"testing"

	"github.com/ascood/ascood/gotorch"
	F "github.com/ascood/ascood/gotorch/nn/functional"
	"github.com/ascood/ascood/gotorch/optim"
)

// trainer trains a resnet on noise, a step as ASCOOD takes it.
type trainer struct {
	net    *resnet
	sgd    *optim.SGD
	random *gotorch.Generator
	layout func(gotorch.Tensor) gotorch.Tensor // of the images
}

func newTrainer(tb testing.TB, s *gotorch.Scope, width int) *trainer {
	random := gotorch.NewGenerator(s, gotorch.CPU, 1)
	net := newResNet(s, random, width)
	sgd, err := optim.NewSGD(s, []optim.Group{{Params: net.params, LR: 0.01}},
		optim.SGDOptions{Momentum: 0.9, Nesterov: true, WeightDecay: 5e-4})
	if err != nil {
		tb.Fatal(err)
	}
	return &trainer{net: net, sgd: sgd, random: random, layout: gotorch.Tensor.ChannelsLast}
}

// step takes the gradient of the images in eval mode, and trains on a batch of
// the images and as many that were moved along it.
func (t *trainer) step(tb testing.TB, batch int) {
	s := gotorch.NewScope()
	defer s.Close()
	x := t.layout(gotorch.RandN(s, dims(batch, 3, 32, 32), t.random)).SetRequiresGrad(true)
	y := gotorch.RandInt(s, 0, 10, dims(batch), t.random)
	score := t.net.forward(x, false).Gather(1, y.Unsqueeze(1)).Sum()
	saliency := gotorch.Grad([]gotorch.Tensor{score}, []gotorch.Tensor{x}, gotorch.GradOptions{})[0]
	x = x.Detach()
	both := gotorch.Cat([]gotorch.Tensor{x, x.Add(saliency)}, 0)
	loss := F.CrossEntropy(t.net.forward(both, true), gotorch.Cat([]gotorch.Tensor{y, y}, 0), F.Mean)
	grads := gotorch.Grad([]gotorch.Tensor{loss}, t.sgd.Params(), gotorch.GradOptions{})
	if err := t.sgd.Step(grads); err != nil {
		tb.Fatal(err)
	}
	if err := s.Err(); err != nil {
		tb.Fatal(err)
	}
}
