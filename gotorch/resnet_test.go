package gotorch_test

import (
	"math"

	"github.com/ascood/ascood/gotorch"
	F "github.com/ascood/ascood/gotorch/nn/functional"
)

// resnet is a ResNet-18 for [N,3,32,32] images in 10 classes, to measure with.
type resnet struct {
	params []gotorch.Tensor
	convs  []conv
	fc     gotorch.Tensor
}

// conv is a convolution followed by batch normalisation.
type conv struct {
	weight, gamma, beta, mean, variance gotorch.Tensor
	stride, kernel                      int
}

func newResNet(s *gotorch.Scope, g *gotorch.Generator, width int) *resnet {
	r := &resnet{}
	r.conv(s, g, 3, width, 3, 1)
	in := width
	for stage := range 4 {
		for block := range 2 {
			out, stride := width<<stage, 1
			if stage > 0 && block == 0 {
				stride = 2
			}
			r.conv(s, g, in, out, 3, stride)
			r.conv(s, g, out, out, 3, 1)
			if in != out {
				r.conv(s, g, in, out, 1, stride)
			}
			in = out
		}
	}
	r.fc = r.param(gotorch.RandN(s, []int{10, in}, g).MulScalarI(1 / math.Sqrt(float64(in))))
	return r
}

func (r *resnet) param(t gotorch.Tensor) gotorch.Tensor {
	r.params = append(r.params, t.SetRequiresGrad(true))
	return t
}

func (r *resnet) conv(s *gotorch.Scope, g *gotorch.Generator, in, out, kernel, stride int) {
	std := math.Sqrt(2 / float64(in*kernel*kernel))
	r.convs = append(r.convs, conv{
		weight:   r.param(gotorch.RandN(s, []int{out, in, kernel, kernel}, g).MulScalarI(std)),
		gamma:    r.param(gotorch.Ones(s, []int{out})),
		beta:     r.param(gotorch.Zeros(s, []int{out})),
		mean:     gotorch.Zeros(s, []int{out}),
		variance: gotorch.Ones(s, []int{out}),
		stride:   stride,
		kernel:   kernel,
	})
}

func (c conv) forward(x gotorch.Tensor, train bool) gotorch.Tensor {
	x = F.Conv2d(x, c.weight, gotorch.Tensor{}, F.ConvOptions{Stride: c.stride, Padding: c.kernel / 2})
	return F.BatchNorm(x, F.BatchNormOptions{Weight: c.gamma, Bias: c.beta, RunningMean: c.mean, RunningVar: c.variance,
		Training: train, Momentum: 0.1, Eps: 1e-5})
}

func (r *resnet) forward(x gotorch.Tensor, train bool) gotorch.Tensor {
	convs := r.convs
	next := func() conv { c := convs[0]; convs = convs[1:]; return c }
	x = F.ReLU(next().forward(x, train))
	for stage := range 4 {
		for block := range 2 {
			y := F.ReLU(next().forward(x, train))
			y = next().forward(y, train)
			if stage > 0 && block == 0 {
				x = next().forward(x, train)
			}
			x = F.ReLU(y.Add(x))
		}
	}
	return F.Linear(F.AdaptiveAvgPool2d(x, 1, 1).Flatten(1, 3), r.fc, gotorch.Tensor{})
}
