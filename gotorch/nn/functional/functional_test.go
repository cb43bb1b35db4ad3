package functional_test

import (
	"math"
	"slices"
	"testing"

	"github.com/ascood/ascood/gotorch"
	F "github.com/ascood/ascood/gotorch/nn/functional"
)

func newScope(t *testing.T) *gotorch.Scope {
	s := gotorch.NewScope()
	t.Cleanup(func() {
		if err := s.Err(); err != nil {
			t.Error(err)
		}
		s.Close()
	})
	return s
}

func want(t *testing.T, name string, got gotorch.Tensor, shape []int, values ...float32) {
	t.Helper()
	if have := got.Shape(); !slices.Equal(have, shape) {
		t.Errorf("%s: shape %v, want %v (%v)", name, have, shape, got.Err())
	}
	have := gotorch.ToSlice[float32](got)
	near := func(a, b float32) bool { return math.Abs(float64(a-b)) < 2e-6*math.Max(1, math.Abs(float64(b))) }
	if len(have) != len(values) || slices.CompareFunc(have, values, func(a, b float32) int {
		if near(a, b) {
			return 0
		}
		return 1
	}) != 0 {
		t.Errorf("%s: %v, want %v", name, have, values)
	}
}

func dims(d ...int) []int { return d }

// image is [1,1,4,4] with values -5/4, -4/4, … 10/4.
func image(s *gotorch.Scope) gotorch.Tensor {
	return gotorch.Arange(s, -5, 11, gotorch.Float32).DivScalar(4).View(1, 1, 4, 4)
}

// The numbers in this file are PyTorch 1.13's.

func TestConv2d(t *testing.T) {
	s := newScope(t)
	x := image(s)
	w := gotorch.FromSlice(s, []float32{0.5, -1, 1.5, 0.25, 0.5, -0.5, 1, 0, -1.5}, 1, 1, 3, 3)
	none := gotorch.Tensor{}
	want(t, "bias", F.Conv2d(x, w, gotorch.Full(s, dims(1), 0.25), F.ConvOptions{Padding: 1}), dims(1, 1, 4, 4),
		0.125, -0.8125, -0.875, 0.0625, -1.625, -1.8125, -1.625, 1.9375, -2.625, -1.0625, -0.875, 3.1875, 0.875, 1.8125, 2.125, 1.1875)
	want(t, "stride", F.Conv2d(x, w, none, F.ConvOptions{Stride: 2, Padding: 1}), dims(1, 1, 2, 2), -0.125, -1.125, -2.875, -1.125)
	padded := F.Conv2d(x, w, none, F.ConvOptions{Padding: 2, Dilation: 2})
	want(t, "dilation", padded.Narrow(2, 1, 2).Narrow(3, 1, 2), dims(1, 1, 2, 2), -4.0, 1.8125, 0, 0.9375)
	flipped := w.IndexSelect(2, gotorch.FromSlice(s, []int64{2, 1, 0}, 3))
	grouped := F.Conv2d(gotorch.Cat([]gotorch.Tensor{x, x.Mul(x)}, 1), gotorch.Cat([]gotorch.Tensor{w, flipped}, 0), none, F.ConvOptions{Groups: 2})
	want(t, "groups", grouped, dims(1, 2, 2, 2), -2.0625, -1.875, -1.3125, -1.125, 2.328125, 2.84375, 4.953125, 5.84375)
}

func TestBatchNorm(t *testing.T) {
	s := newScope(t)
	x := gotorch.FromSlice(s, []float32{1, 0, 2, 3, 4, 15, 3, 8, -1, 0, 0.5, -0.75}, 2, 3, 1, 2)
	opt := F.BatchNormOptions{
		Weight: gotorch.FromSlice(s, []float32{1, 0.5, 2}, 3), Bias: gotorch.FromSlice(s, []float32{0, 1, -1}, 3),
		RunningMean: gotorch.FromSlice(s, []float32{0.1, 0.2, 0.3}, 3), RunningVar: gotorch.FromSlice(s, []float32{1, 2, 3}, 3),
		Momentum: 0.1, Eps: 1e-5,
	}
	want(t, "eval", F.BatchNorm(x, opt), dims(2, 3, 1, 2),
		0.8999955, -0.0999995, 1.6363945, 1.989947, 3.2723849, 15.9740696, 2.8999856, 7.8999605, 0.575737, 0.9292895, -0.7690603, -2.2124336)
	want(t, "mean after eval", opt.RunningMean, dims(3), 0.1, 0.2, 0.3)
	opt.Training = true
	want(t, "train", F.BatchNorm(x, opt), dims(2, 3, 1, 2),
		-0.6488854, -0.9733281, 1.3162272, 1.6324543, -1.2216575, 2.324863, 0.0, 1.6222134, 0.3675457, 0.6837729, -2.3500957, -2.7531095)
	want(t, "mean after train", opt.RunningMean, dims(3), 0.39, 0.28, 0.73875)
	want(t, "variance after train", opt.RunningVar, dims(3), 2.1666667, 2.1333332, 7.830729)
}

func TestPools(t *testing.T) {
	s := newScope(t)
	x := image(s)
	want(t, "max", F.MaxPool2d(x, F.PoolOptions{Kernel: 3, Stride: 2, Padding: 1}), dims(1, 1, 2, 2), 0, 0.5, 2, 2.5)
	want(t, "average", F.AvgPool2d(x, F.PoolOptions{Kernel: 2}), dims(1, 1, 2, 2), -0.625, -0.125, 1.375, 1.875)
	want(t, "adaptive", F.AdaptiveAvgPool2d(x, 1, 2), dims(1, 1, 1, 2), 0.375, 0.875)
}

func TestLinearAndReLU(t *testing.T) {
	s := newScope(t)
	x := gotorch.FromSlice(s, []float32{1, -2}, 1, 2)
	w := gotorch.FromSlice(s, []float32{1, 1, 3, -1, 0, 2}, 3, 2)
	want(t, "linear", F.Linear(x, w, gotorch.FromSlice(s, []float32{0.5, 0, 0}, 3)), dims(1, 3), -0.5, 5, -4)
	want(t, "without bias", F.Linear(x, w, gotorch.Tensor{}), dims(1, 3), -1, 5, -4)
	want(t, "relu", F.ReLU(x), dims(1, 2), 1, 0)
}

func TestLosses(t *testing.T) {
	s := newScope(t)
	logits := gotorch.FromSlice(s, []float32{1, 2, 3, 0.5, -1, 0}, 2, 3)
	target := gotorch.FromSlice(s, []int64{2, 0}, 2)
	want(t, "cross entropy", F.CrossEntropy(logits, target, F.None), dims(2), 0.4076059, 0.6041306)
	want(t, "mean", F.CrossEntropy(logits, target, F.Mean), dims(), 0.5058683)
	want(t, "sum", F.CrossEntropy(logits, target, F.Sum), dims(), 1.0117366)
	logProbs := logits.LogSoftmax(1)
	want(t, "nll", F.NLLLoss(logProbs, target, F.Mean), dims(), 0.5058683)
	want(t, "nll of what does not sum to 1", F.NLLLoss(logits, target, F.Sum), dims(), -3.5)
	want(t, "kl", F.KLDiv(logProbs, gotorch.Full(s, dims(2, 3), 1.0/3), F.Sum), dims(), 0.4811786)
	want(t, "mse", F.MSELoss(logits, gotorch.ZerosLike(logits), F.Mean), dims(), 2.5416667)
}

// TestStridedPointwiseConv2d compares strided 1x1 convolutions of few channels, on
// which oneDNN once overran its memory, with libtorch's own in float64.
func TestStridedPointwiseConv2d(t *testing.T) {
	for _, size := range []int{56, 57} {
		s := newScope(t)
		random := gotorch.NewGenerator(s, gotorch.CPU, 1)
		images := gotorch.RandN(s, dims(16, 8, size, size), random)
		weights := gotorch.RandN(s, dims(16, 8, 1, 1), random)
		gradients := func(conv func(x, w gotorch.Tensor) gotorch.Tensor, dtype gotorch.DType, layout func(gotorch.Tensor) gotorch.Tensor) []gotorch.Tensor {
			x, w := layout(images.To(dtype)).SetRequiresGrad(true), layout(weights.To(dtype)).SetRequiresGrad(true)
			y := conv(x, w)
			return append(gotorch.Grad([]gotorch.Tensor{y.Mul(y).Mean()}, []gotorch.Tensor{x, w}, gotorch.GradOptions{}), y.Detach())
		}
		own := func(x, w gotorch.Tensor) gotorch.Tensor {
			return gotorch.Call(nil, "conv2d", x, w, gotorch.Tensor{}, dims(2, 2), dims(0, 0), dims(1, 1), 1)
		}
		ours := func(x, w gotorch.Tensor) gotorch.Tensor {
			return F.Conv2d(x, w, gotorch.Tensor{}, F.ConvOptions{Stride: 2})
		}
		rowMajor := func(t gotorch.Tensor) gotorch.Tensor { return t.Clone() }
		want := gradients(own, gotorch.Float64, rowMajor)
		for name, layout := range map[string]func(gotorch.Tensor) gotorch.Tensor{"row-major": rowMajor, "channels last": gotorch.Tensor.ChannelsLast} {
			for i, got := range gradients(ours, gotorch.Float32, layout) {
				if d := got.To(gotorch.Float64).Sub(want[i]).Abs().Max().Item() / want[i].Abs().Max().Item(); !(d < 1e-5) {
					t.Errorf("%s, %dx%d: value %d is off by %.2g", name, size, size, i, d)
				}
			}
		}
	}
}
