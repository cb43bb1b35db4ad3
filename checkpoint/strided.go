package checkpoint

import (
	"github.com/ascood/ascood"
)

// maxElements keeps products of sizes from overflowing.
const maxElements = 1 << 40

// element is the type of a storage's or a tensor's elements.
type element struct {
	dtype DType // "" for one that no network is made of, such as complex numbers
	size  int   // bytes
}

func elementOf(dtype DType) element { return element{dtype, dtype.Size()} }

// storage is the memory that tensors are views of.
type storage struct {
	element
	elements int
	data     []byte
	read     func() ([]byte, error) // returns the data, where they are not there yet
}

// bytes returns the elements.
func (s *storage) bytes() ([]byte, error) {
	if s.data != nil || s.read == nil {
		return s.data, nil
	}
	data, err := s.read()
	if err != nil {
		return nil, err
	}
	s.data = data
	return data, nil
}

// strided is a tensor as PyTorch has it: a view of a storage.
type strided struct {
	storage *storage
	element
	offset  int // in elements, as are strides
	shape   []int
	strides []int
}

// validate checks that every element lies in the storage.
func (t *strided) validate() error {
	const maxDims = 64 // PyTorch's
	if len(t.shape) > maxDims {
		return ascood.Errorf(ascood.Invalid, "a tensor of %d dimensions", len(t.shape))
	}
	count, last := 1, t.offset
	for i, size := range t.shape {
		stride := t.strides[i]
		if size < 0 || stride < 0 || size > maxElements || stride > maxElements {
			return ascood.Errorf(ascood.Invalid, "malformed tensor: shape %v, strides %v", t.shape, t.strides)
		}
		if size > 1 && stride > maxElements/size || size > 0 && count > maxElements/size {
			return ascood.Errorf(ascood.Invalid, "tensor too large: shape %v, strides %v", t.shape, t.strides)
		}
		count *= size
		last += max(0, size-1) * stride
	}
	if room := t.storage.elements * t.storage.size / t.size; t.offset < 0 || count > 0 && last >= room {
		return ascood.Errorf(ascood.Invalid, "tensor of shape %v, strides %v at %d exceeds its storage of %d elements", t.shape, t.strides, t.offset, room)
	}
	return nil
}

func (t *strided) count() int { return (&Tensor{Shape: t.shape}).Len() }

// tensor returns the elements in C order, of the storage's memory where they
// are already so.
func (t *strided) tensor() (*Tensor, error) {
	out := &Tensor{DType: t.dtype, Shape: t.shape}
	if t.dtype == "" {
		return nil, ascood.Errorf(ascood.Invalid, "its elements are of a type that no network here has: want floating-point numbers")
	}
	data, err := t.storage.bytes()
	count := t.count()
	switch {
	case err != nil:
		return nil, err
	case count == 0:
	case t.contiguous():
		out.Data = data[t.offset*t.size : (t.offset+count)*t.size : (t.offset+count)*t.size]
	default:
		out.Data = gather(make([]byte, 0, count*t.size), data, t.shape, t.strides, t.offset, t.size)
	}
	return out, nil
}

func (t *strided) contiguous() bool {
	expected := 1
	for i := len(t.shape) - 1; i >= 0; i-- {
		if t.shape[i] != 1 && t.strides[i] != expected {
			return false
		}
		expected *= t.shape[i]
	}
	return true
}

// gather appends the elements, of size bytes each, in C order.
func gather(dst, src []byte, shape, strides []int, offset, size int) []byte {
	if len(shape) == 0 {
		return append(dst, src[offset*size:][:size]...)
	}
	for i := range shape[0] {
		dst = gather(dst, src, shape[1:], strides[1:], offset+i*strides[0], size)
	}
	return dst
}
