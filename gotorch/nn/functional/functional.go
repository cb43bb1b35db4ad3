// Package functional holds the operations of neural networks as functions, after
// torch.nn.functional; it is usually imported as F. Results and errors belong to
// scopes as package gotorch describes.
package functional

import "github.com/ascood/ascood/gotorch"

// ConvOptions are the settings of a convolution, equal in both directions.
type ConvOptions struct {
	Stride   int // 0 means 1
	Padding  int // zeros on each side
	Dilation int // 0 means 1
	Groups   int // 0 means 1
}

// Conv2d convolves x [N,C,H,W] with weight [O,C/groups,kH,kW] and adds bias [O],
// which may be the zero Tensor.
//
// Kernels of 3x3 with stride 1 over a multiple of 8 channels go through Winograd's algorithm
// (shim/winograd.cc), in float32 and channels-last order on a CPU with AVX2 or AVX-512:
// faster by half and more, off by up to 1e-5 of the largest value in place of 4e-7, and without
// second derivatives.
//
// Before a 1x1 convolution it leaves out what the stride passes over. That gives the
// same, and keeps clear of a fault of oneDNN 2.6, which libtorch 1.13 has: with a
// stride and fewer than 16 channels, it writes the gradient of such weights past
// its memory.
func Conv2d(x, weight, bias gotorch.Tensor, opt ConvOptions) gotorch.Tensor {
	stride := orOne(opt.Stride)
	if shape := weight.Shape(); stride > 1 && opt.Padding == 0 && len(shape) == 4 && shape[2] == 1 && shape[3] == 1 {
		x, stride = everyNth(everyNth(x, 2, stride), 3, stride), 1
	}
	return gotorch.Call(nil, "gotorch::conv2d", x, weight, bias,
		pair(stride), pair(opt.Padding), pair(orOne(opt.Dilation)), orOne(opt.Groups))
}

// everyNth keeps the elements 0, n, 2n, … of a dimension.
func everyNth(x gotorch.Tensor, dim, n int) gotorch.Tensor {
	return gotorch.Call(nil, "slice.Tensor", x, dim, 0, nil, n)
}

// Linear returns x·weightᵀ + bias for x [N,in], weight [out,in], bias [out],
// which may be the zero Tensor.
func Linear(x, weight, bias gotorch.Tensor) gotorch.Tensor {
	return gotorch.Call(nil, "linear", x, weight, bias)
}

// ReLU returns max(x, 0).
func ReLU(x gotorch.Tensor) gotorch.Tensor { return gotorch.Call(nil, "relu", x) }

// BatchNormOptions are the state and the settings of a batch normalisation over
// C channels. Weight and Bias [C] may be the zero Tensor for 1 and 0, and so may Added
// for nothing.
type BatchNormOptions struct {
	Weight, Bias            gotorch.Tensor
	RunningMean, RunningVar gotorch.Tensor // [C]; updated in place when Training
	Training                bool           // normalise by the batch's statistics, not the running ones
	Momentum                float64        // weight of the batch in the update; PyTorch's default is 0.1
	Eps                     float64        // added to the variance; PyTorch's default is 1e-5
	Added                   gotorch.Tensor // of x's shape: is added to what is normalised
	ReLU                    bool           // the sum, or what is normalised, goes through ReLU
}

// BatchNorm normalises each channel of x [N,C,…]. When Training it, the addition and the
// ReLU are one pass over memory, which has no second derivative, for float32 in
// channels-last order on the CPU whose C is a multiple of 8.
func BatchNorm(x gotorch.Tensor, opt BatchNormOptions) gotorch.Tensor {
	var none gotorch.Tensor
	if opt.Training && opt.Weight != none && opt.Bias != none && opt.RunningMean != none && opt.RunningVar != none {
		var added []gotorch.Tensor
		if opt.Added != none {
			added = append(added, opt.Added)
		}
		return gotorch.Call(nil, "gotorch::batch_norm", x, added, opt.Weight, opt.Bias, opt.RunningMean, opt.RunningVar,
			opt.Momentum, opt.Eps, opt.ReLU)
	}
	const cudnn = true
	y := gotorch.Call(nil, "batch_norm", x, opt.Weight, opt.Bias, opt.RunningMean, opt.RunningVar,
		opt.Training, opt.Momentum, opt.Eps, cudnn)
	if opt.Added != none {
		y = y.Add(opt.Added)
	}
	if opt.ReLU {
		y = ReLU(y)
	}
	return y
}

// PoolOptions are the settings of a pooling window, equal in both directions.
type PoolOptions struct {
	Kernel  int
	Stride  int // 0 means Kernel
	Padding int
}

// MaxPool2d takes the maximum of each window of x [N,C,H,W].
func MaxPool2d(x gotorch.Tensor, opt PoolOptions) gotorch.Tensor {
	return gotorch.Call(nil, "max_pool2d", x, pair(opt.Kernel), pair(opt.stride()), pair(opt.Padding))
}

// AvgPool2d averages each window of x [N,C,H,W], padding counted as zeros.
func AvgPool2d(x gotorch.Tensor, opt PoolOptions) gotorch.Tensor {
	return gotorch.Call(nil, "avg_pool2d", x, pair(opt.Kernel), pair(opt.stride()), pair(opt.Padding))
}

// AdaptiveAvgPool2d averages x [N,C,H,W] to [N,C,height,width].
func AdaptiveAvgPool2d(x gotorch.Tensor, height, width int) gotorch.Tensor {
	return gotorch.Call(nil, "adaptive_avg_pool2d", x, []int{height, width})
}

func (o PoolOptions) stride() int {
	if o.Stride == 0 {
		return o.Kernel
	}
	return o.Stride
}

func orOne(v int) int {
	if v == 0 {
		return 1
	}
	return v
}

func pair(v int) []int { return []int{v, v} }
