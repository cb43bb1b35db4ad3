package gotorch

// View returns t with another shape, sharing its memory; one size may be -1.
// Memory that does not allow it is an error: Reshape copies instead.
func (t Tensor) View(shape ...int) Tensor { return Call(nil, "view", t, shape) }

// ViewAs is View with other's shape.
func (t Tensor) ViewAs(other Tensor) Tensor { return Call(nil, "view_as", t, other) }

// Reshape is View, copying if the memory does not allow a view.
func (t Tensor) Reshape(shape ...int) Tensor { return Call(nil, "reshape", t, shape) }

// Flatten joins the dimensions from start to end, both included, into one.
func (t Tensor) Flatten(start, end int) Tensor { return Call(nil, "flatten.using_ints", t, start, end) }

// Permute reorders the dimensions, sharing memory.
func (t Tensor) Permute(dims ...int) Tensor { return Call(nil, "permute", t, dims) }

// Transpose swaps two dimensions, sharing memory.
func (t Tensor) Transpose(a, b int) Tensor { return Call(nil, "transpose.int", t, a, b) }

// Squeeze drops a dimension of size 1.
func (t Tensor) Squeeze(dim int) Tensor { return Call(nil, "squeeze.dim", t, dim) }

// Unsqueeze inserts a dimension of size 1.
func (t Tensor) Unsqueeze(dim int) Tensor { return Call(nil, "unsqueeze", t, dim) }

// Expand repeats dimensions of size 1 to the given shape without copying; -1
// leaves a dimension as it is.
func (t Tensor) Expand(shape ...int) Tensor { return Call(nil, "expand", t, shape) }

// Contiguous returns t in dense row-major order, copying if it is not.
func (t Tensor) Contiguous() Tensor { return Call(nil, "contiguous", t) }

// ChannelsLast returns [N,C,H,W] laid out densely as N,H,W,C, copying if it is
// not. The shape stays [N,C,H,W].
func (t Tensor) ChannelsLast() Tensor { return Call(nil, "contiguous", t, memoryChannelsLast) }

// memoryChannelsLast is libtorch's number of that memory format.
const memoryChannelsLast = 2

// To converts to a DType, moves to a Device, or both. It returns t itself if
// nothing changes.
func (t Tensor) To(options ...CreateOption) Tensor {
	c := collect(nil, options)
	return Call(nil, "to.dtype_layout", t, c.dtype, nil, c.device)
}

// Detach returns t without what autograd recorded, sharing its memory.
func (t Tensor) Detach() Tensor { return Call(nil, "detach", t) }

// Clone returns a copy.
func (t Tensor) Clone() Tensor { return Call(nil, "clone", t) }

// Narrow returns length entries from start along a dimension, sharing memory.
func (t Tensor) Narrow(dim, start, length int) Tensor {
	return Call(nil, "narrow", t, dim, start, length)
}

// Select returns entry index along a dimension, which vanishes, sharing memory.
func (t Tensor) Select(dim, index int) Tensor { return Call(nil, "select.int", t, dim, index) }

// IndexSelect picks entries along a dimension by a vector of indices.
func (t Tensor) IndexSelect(dim int, index Tensor) Tensor {
	return Call(nil, "index_select", t, dim, index)
}

// MaskedSelect returns the elements where mask holds, as a vector.
func (t Tensor) MaskedSelect(mask Tensor) Tensor { return Call(nil, "masked_select", t, mask) }

// Gather picks along dim: out[i][j] = t[index[i][j]][j] for dim 0 of two.
func (t Tensor) Gather(dim int, index Tensor) Tensor { return Call(nil, "gather", t, dim, index) }

// Scatter returns a copy of t with src written along dim, the inverse of
// Gather: out[index[i][j]][j] = src[i][j] for dim 0 of two.
func (t Tensor) Scatter(dim int, index, src Tensor) Tensor {
	return Call(nil, "scatter.src", t, dim, index, src)
}

// ScatterScalar is Scatter of one value.
func (t Tensor) ScatterScalar(dim int, index Tensor, v float64) Tensor {
	return Call(nil, "scatter.value", t, dim, index, v)
}

// Split cuts t along a dimension into parts of the given sizes, sharing memory.
func (t Tensor) Split(dim int, sizes ...int) []Tensor {
	return CallN(nil, len(sizes), "split_with_sizes", t, sizes, dim)
}

// Cat joins tensors along a dimension.
func Cat(tensors []Tensor, dim int) Tensor { return Call(nil, "cat", tensors, dim) }

// Stack joins tensors of one shape along a new dimension.
func Stack(tensors []Tensor, dim int) Tensor { return Call(nil, "stack", tensors, dim) }
