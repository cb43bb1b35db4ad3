package gotorch

// CreateOption is an option of the functions that make or convert tensors: a
// DType, a Device or a *Generator, each given at most once.
type CreateOption interface{ applyTo(*creation) }

// creation collects options; nil fields were not given.
type creation struct {
	dtype     any
	device    any
	generator any
}

func (d DType) applyTo(c *creation)      { c.dtype = d }
func (d Device) applyTo(c *creation)     { c.device = d }
func (g *Generator) applyTo(c *creation) { c.generator = g }

// collect gathers options; dtype nil leaves the default to libtorch.
func collect(dtype any, options []CreateOption) creation {
	c := creation{dtype: dtype}
	for _, o := range options {
		o.applyTo(&c)
	}
	return c
}

// tail is the end that the schemas of factories share: dtype, layout, device.
func (c creation) tail(args ...any) []any { return append(args, c.dtype, nil, c.device) }

// Zeros returns a tensor of zeros: float32 on the CPU unless options say otherwise.
func Zeros(s *Scope, shape []int, options ...CreateOption) Tensor {
	return Call(s, "zeros", collect(nil, options).tail(shape)...)
}

// Ones returns a tensor of ones: float32 on the CPU unless options say otherwise.
func Ones(s *Scope, shape []int, options ...CreateOption) Tensor {
	return Call(s, "ones", collect(nil, options).tail(shape)...)
}

// Full returns a tensor of one value: float32 on the CPU unless options say otherwise.
func Full(s *Scope, shape []int, value float64, options ...CreateOption) Tensor {
	return Call(s, "full", collect(nil, options).tail(shape, value)...)
}

// Arange returns start, start+1, … end-1: int64 on the CPU unless options say otherwise.
func Arange(s *Scope, start, end int, options ...CreateOption) Tensor {
	return Call(s, "arange.start", collect(Int64, options).tail(start, end)...)
}

// Rand returns values uniform in [0,1).
func Rand(s *Scope, shape []int, options ...CreateOption) Tensor {
	c := collect(nil, options)
	return Call(s, "rand.generator", c.tail(shape, c.generator)...)
}

// RandN returns values of the standard normal distribution.
func RandN(s *Scope, shape []int, options ...CreateOption) Tensor {
	c := collect(nil, options)
	return Call(s, "randn.generator", c.tail(shape, c.generator)...)
}

// RandInt returns integers uniform in [low,high): int64 unless options say otherwise.
func RandInt(s *Scope, low, high int, shape []int, options ...CreateOption) Tensor {
	c := collect(Int64, options)
	return Call(s, "randint.low_generator", c.tail(low, high, shape, c.generator)...)
}

// RandPerm returns the numbers 0 … n-1 in random order: int64 unless options say otherwise.
func RandPerm(s *Scope, n int, options ...CreateOption) Tensor {
	c := collect(Int64, options)
	return Call(s, "randperm.generator", c.tail(n, c.generator)...)
}

// ZerosLike returns zeros of t's shape, type, device and memory layout.
func ZerosLike(t Tensor) Tensor { return Call(nil, "zeros_like", t) }

// OnesLike returns ones of t's shape, type, device and memory layout.
func OnesLike(t Tensor) Tensor { return Call(nil, "ones_like", t) }
