package gotorch

import (
	"fmt"
	"unsafe"
)

// FromSlice copies row-major data into a new tensor of the given shape on the
// CPU; without a shape, into a scalar. The element type is T's.
func FromSlice[T Element](s *Scope, data []T, shape ...int) Tensor {
	dtype := dtypeOf[T]()
	return s.one("from_slice", []any{shape, dtype}, func([]cTensor) (cTensor, error) {
		n := 1
		for _, d := range shape {
			if d < 0 {
				return nil, fmt.Errorf("dimension %d in shape %v", d, shape)
			}
			n *= d
		}
		if n != len(data) {
			return nil, fmt.Errorf("shape %v holds %d values, not %d", shape, n, len(data))
		}
		sizes := make([]cInt, len(shape))
		for i, d := range shape {
			sizes[i] = cInt(d)
		}
		var zero T
		return cFromData(unsafe.Pointer(unsafe.SliceData(data)), len(data)*int(unsafe.Sizeof(zero)), dtype, sizes)
	})
}

// ToSlice copies a tensor of elements T, on any device, to a slice in row-major
// order. Another element type is an error, not a conversion: say t.To(Float32)
// first. After an error it returns nil.
func ToSlice[T Element](t Tensor) []T {
	var data []T
	run(t.s, "to_slice", []any{t}, func(_ *Scope, a *arguments) error {
		info, err := cTensorInfo(t.t)
		if err != nil {
			return err
		}
		if want := dtypeOf[T](); info.dtype != want {
			return fmt.Errorf("the elements are %s, not %s", info.dtype, want)
		}
		out := make([]T, info.numel)
		var zero T
		if err := cToData(t.t, unsafe.Pointer(unsafe.SliceData(out)), len(out)*int(unsafe.Sizeof(zero))); err != nil {
			return err
		}
		data = out
		return nil
	})
	return data
}

// Fetch begins to copy t to the CPU and returns at once. Whatever reads the copy
// waits until it is there, though not for what the GPU was told to do afterwards, as
// ToSlice of t itself would. On the CPU the copy shares t's memory. It is constant to
// autograd.
func (t Tensor) Fetch() Tensor {
	if t.s == nil {
		return t
	}
	return t.s.one("fetch", []any{t}, func(in []cTensor) (cTensor, error) { return cFetch(in[0]) })
}

// Send begins to copy t from the CPU to a device and returns at once, where To waits
// until the device has done all that it was told before. What is computed from the
// copy comes after it.
func (t Tensor) Send(d Device) Tensor {
	if d == CPU {
		return t
	}
	const nonBlocking = true
	return Call(nil, "to.dtype_layout", Call(nil, "pin_memory", t), nil, nil, d, nil, nonBlocking)
}
