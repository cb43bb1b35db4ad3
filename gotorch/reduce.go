package gotorch

// Sum adds over the given dimensions, which vanish; over all without any.
func (t Tensor) Sum(dims ...int) Tensor {
	if len(dims) == 0 {
		return Call(nil, "sum", t)
	}
	return Call(nil, "sum.dim_IntList", t, dims)
}

// Mean averages over the given dimensions, which vanish; over all without any.
func (t Tensor) Mean(dims ...int) Tensor {
	if len(dims) == 0 {
		return Call(nil, "mean", t)
	}
	return Call(nil, "mean.dim", t, dims)
}

// Std is the unbiased standard deviation (dividing by n-1) over the given
// dimensions, which vanish; over all without any.
func (t Tensor) Std(dims ...int) Tensor {
	if len(dims) == 0 {
		return Call(nil, "std", t)
	}
	return Call(nil, "std.dim", t, dims)
}

// Max returns the largest element.
func (t Tensor) Max() Tensor { return Call(nil, "max", t) }

// Min returns the smallest element.
func (t Tensor) Min() Tensor { return Call(nil, "min", t) }

// MaxDim returns the largest elements along a dimension, which vanishes, and
// their indices.
func (t Tensor) MaxDim(dim int) (values, indices Tensor) {
	r := CallN(nil, 2, "max.dim", t, dim)
	return r[0], r[1]
}

// MinDim returns the smallest elements along a dimension, which vanishes, and
// their indices.
func (t Tensor) MinDim(dim int) (values, indices Tensor) {
	r := CallN(nil, 2, "min.dim", t, dim)
	return r[0], r[1]
}

// ArgMax returns the index of the largest element along a dimension, which
// vanishes.
func (t Tensor) ArgMax(dim int) Tensor { return Call(nil, "argmax", t, dim) }

// LogSumExp returns log(sum(exp(t))) over a dimension, which vanishes, without
// overflow.
func (t Tensor) LogSumExp(dim int) Tensor { return Call(nil, "logsumexp", t, []int{dim}) }

// Softmax returns exp(t)/sum(exp(t)) along a dimension.
func (t Tensor) Softmax(dim int) Tensor { return Call(nil, "softmax.int", t, dim) }

// LogSoftmax returns log(softmax(t)) along a dimension.
func (t Tensor) LogSoftmax(dim int) Tensor { return Call(nil, "log_softmax.int", t, dim) }

// TopK returns the k largest elements along a dimension, in descending order,
// and their indices; with largest false, the smallest in ascending order.
func (t Tensor) TopK(k, dim int, largest bool) (values, indices Tensor) {
	r := CallN(nil, 2, "topk", t, k, dim, largest, true)
	return r[0], r[1]
}

// Sort returns the elements in order along a dimension, and their indices.
func (t Tensor) Sort(dim int, descending bool) (values, indices Tensor) {
	r := CallN(nil, 2, "sort", t, dim, descending)
	return r[0], r[1]
}
