package models

import "fmt"

// Op is one operation of a network. The set of implementations is closed. A new
// one concerns package train in its interpreter (network.go) and, if it has
// parameters, in what they start from (init.go); and package export, which needs a
// lowering (forward.go) into operators that package gradient has rules for, unless it
// computes the operation into another one before that (fold.go).
type Op interface {
	// Params lists the tensors of PyTorch's module of the same name, in the
	// order of its state dict, under names relative to the module.
	Params() []Param
	// Shape returns the output's shape for inputs of the given shapes, all
	// without the batch dimension.
	Shape(in ...[]int) ([]int, error)
}

// Param is a tensor of a state dict.
type Param struct {
	Name      string
	Shape     []int
	Trainable bool // updated by the optimiser; the others are buffers and constants
	Integer   bool // int64 instead of float32
}

// Conv2d is a 2-D convolution with a square kernel.
type Conv2d struct {
	In, Out, Kernel, Stride, Padding int
	Bias                             bool
}

// BatchNorm2d normalises each channel of [C,H,W].
type BatchNorm2d struct {
	Features      int
	Eps, Momentum float64
}

// ReLU is max(x, 0).
type ReLU struct{}

// MaxPool2d takes the maximum over square windows; of equal values the first in
// row-major order is the maximum, which matters to the gradient alone.
type MaxPool2d struct{ Kernel, Stride, Padding int }

// Add sums two values of one shape.
type Add struct{}

// GlobalAvgPool averages [C,H,W] over H and W to [C].
type GlobalAvgPool struct{}

// Flatten turns [C,H,W] into [C·H·W].
type Flatten struct{}

// ZScore standardises a feature vector [D] and scales it by the state-dict
// scalar sigma: sigma·(x - mean)/(std + Eps), with the unbiased std over D
// (the head of ASCOOD, Regmi 2024).
type ZScore struct{ Eps float64 }

// Linear is x·Wᵀ + b from [In] to [Out].
type Linear struct{ In, Out int }

func (o Conv2d) Params() []Param {
	p := []Param{{Name: "weight", Shape: []int{o.Out, o.In, o.Kernel, o.Kernel}, Trainable: true}}
	if o.Bias {
		p = append(p, Param{Name: "bias", Shape: []int{o.Out}, Trainable: true})
	}
	return p
}

func (o BatchNorm2d) Params() []Param {
	c := []int{o.Features}
	return []Param{
		{Name: "weight", Shape: c, Trainable: true},
		{Name: "bias", Shape: c, Trainable: true},
		{Name: "running_mean", Shape: c},
		{Name: "running_var", Shape: c},
		{Name: "num_batches_tracked", Shape: []int{}, Integer: true},
	}
}

func (ReLU) Params() []Param          { return nil }
func (MaxPool2d) Params() []Param     { return nil }
func (Add) Params() []Param           { return nil }
func (GlobalAvgPool) Params() []Param { return nil }
func (Flatten) Params() []Param       { return nil }

func (ZScore) Params() []Param { return []Param{{Name: "sigma", Shape: []int{}}} }

func (o Linear) Params() []Param {
	return []Param{
		{Name: "weight", Shape: []int{o.Out, o.In}, Trainable: true},
		{Name: "bias", Shape: []int{o.Out}, Trainable: true},
	}
}

func (o Conv2d) Shape(in ...[]int) ([]int, error) {
	if err := wantMaps(o.In, in); err != nil {
		return nil, err
	}
	return slide(o.Out, in[0], o.Kernel, o.Stride, o.Padding)
}

func (o BatchNorm2d) Shape(in ...[]int) ([]int, error) { return in[0], wantMaps(o.Features, in) }

func (ReLU) Shape(in ...[]int) ([]int, error) { return in[0], nil }

func (o MaxPool2d) Shape(in ...[]int) ([]int, error) {
	return slide(in[0][0], in[0], o.Kernel, o.Stride, o.Padding)
}

func (Add) Shape(in ...[]int) ([]int, error) {
	if fmt.Sprint(in[0]) != fmt.Sprint(in[1]) {
		return nil, fmt.Errorf("cannot add %v and %v", in[0], in[1])
	}
	return in[0], nil
}

func (GlobalAvgPool) Shape(in ...[]int) ([]int, error) { return in[0][:1], nil }

func (Flatten) Shape(in ...[]int) ([]int, error) {
	n := 1
	for _, d := range in[0] {
		n *= d
	}
	return []int{n}, nil
}

func (ZScore) Shape(in ...[]int) ([]int, error) { return in[0], nil }

func (o Linear) Shape(in ...[]int) ([]int, error) {
	if len(in[0]) != 1 || in[0][0] != o.In {
		return nil, fmt.Errorf("want a vector of %d values, got %v", o.In, in[0])
	}
	return []int{o.Out}, nil
}

func wantMaps(channels int, in [][]int) error {
	if len(in[0]) != 3 || in[0][0] != channels {
		return fmt.Errorf("want %d feature maps, got shape %v", channels, in[0])
	}
	return nil
}

// slide is the output shape of a window sliding over the maps of in.
func slide(channels int, in []int, kernel, stride, padding int) ([]int, error) {
	h, w := in[1]+2*padding-kernel, in[2]+2*padding-kernel
	if h < 0 || w < 0 {
		return nil, fmt.Errorf("%dx%d maps are smaller than the %dx%d window", in[1], in[2], kernel, kernel)
	}
	return []int{channels, h/stride + 1, w/stride + 1}, nil
}
