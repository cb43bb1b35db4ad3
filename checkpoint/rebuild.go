package checkpoint

import (
	"fmt"

	"github.com/nlpodyssey/gopickle/types"

	"github.com/ascood/ascood"
)

// maxElements keeps products of sizes from overflowing.
const maxElements = 1 << 40

// storageType stands for a class such as torch.FloatStorage.
type storageType struct{ dtype DType }

var storageTypes = map[string]storageType{
	"torch.FloatStorage":    {F32},
	"torch.DoubleStorage":   {F64},
	"torch.HalfStorage":     {F16},
	"torch.BFloat16Storage": {BF16},
	"torch.LongStorage":     {I64},
	"torch.IntStorage":      {I32},
	"torch.ShortStorage":    {I16},
	"torch.CharStorage":     {I8},
	"torch.ByteStorage":     {U8},
	"torch.BoolStorage":     {Bool},
}

// storage is the memory that tensors are views of.
type storage struct {
	dtype    DType
	elements int
	data     []byte // of elements·dtype.Size() bytes once it is read
}

// strided is a tensor as PyTorch has it: a view of a storage.
type strided struct {
	storage *storage
	offset  int // in elements, as are strides
	shape   []int
	strides []int
}

// findClass resolves what a state dict may refer to, and refuses all else by
// name. collections.OrderedDict is resolved by the library itself.
func findClass(module, name string) (any, error) {
	full := module + "." + name
	if t, ok := storageTypes[full]; ok {
		return t, nil
	}
	switch full {
	case "torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2":
		return callable(rebuildTensor), nil
	case "torch._utils._rebuild_parameter":
		return callable(rebuildParameter), nil
	}
	return nil, ascood.Errorf(ascood.Invalid, "it refers to %s: only tensors are loaded, no code is run; save the model's state_dict() alone", full)
}

// callable makes a function a types.Callable.
type callable func(args []any) (any, error)

func (f callable) Call(args ...any) (any, error) { return f(args) }

// rebuildTensor takes storage, offset, size and stride; what follows them
// (requires_grad, hooks) says nothing about the values.
func rebuildTensor(args []any) (any, error) {
	if len(args) < 4 {
		return nil, fmt.Errorf("a tensor of %d arguments, want at least 4", len(args))
	}
	source, ok1 := args[0].(*storage)
	offset, ok2 := args[1].(int)
	shape, ok3 := ints(args[2])
	strides, ok4 := ints(args[3])
	if !ok1 || !ok2 || !ok3 || !ok4 || len(shape) != len(strides) {
		return nil, fmt.Errorf("malformed tensor: arguments %T, %T, %T, %T", args[0], args[1], args[2], args[3])
	}
	t := &strided{source, offset, shape, strides}
	return t, t.validate()
}

// rebuildParameter takes the parameter's tensor first.
func rebuildParameter(args []any) (any, error) {
	if len(args) > 0 {
		if t, ok := args[0].(*strided); ok {
			return t, nil
		}
	}
	return nil, fmt.Errorf("malformed parameter")
}

func ints(tuple any) ([]int, bool) {
	t, ok := tuple.(*types.Tuple)
	if !ok {
		return nil, false
	}
	values := make([]int, t.Len())
	for i := range values {
		if values[i], ok = t.Get(i).(int); !ok {
			return nil, false
		}
	}
	return values, true
}

// validate checks that every element lies in the storage.
func (t *strided) validate() error {
	const maxDims = 64 // PyTorch's
	if len(t.shape) > maxDims {
		return fmt.Errorf("a tensor of %d dimensions", len(t.shape))
	}
	count, last := 1, t.offset
	for i, size := range t.shape {
		stride := t.strides[i]
		if size < 0 || stride < 0 || size > maxElements || stride > maxElements {
			return fmt.Errorf("malformed tensor: shape %v, strides %v", t.shape, t.strides)
		}
		if size > 1 && stride > maxElements/size || size > 0 && count > maxElements/size {
			return fmt.Errorf("tensor too large: shape %v, strides %v", t.shape, t.strides)
		}
		count *= size
		last += max(0, size-1) * stride
	}
	if t.offset < 0 || count > 0 && last >= t.storage.elements {
		return fmt.Errorf("tensor of shape %v, strides %v at %d exceeds its storage of %d elements", t.shape, t.strides, t.offset, t.storage.elements)
	}
	return nil
}

func (t *strided) size() int { return (&Tensor{Shape: t.shape}).Len() }

// tensor returns the elements in C order, of the storage's memory where they
// are already so.
func (t *strided) tensor() *Tensor {
	out := &Tensor{DType: t.storage.dtype, Shape: t.shape}
	size, count := out.DType.Size(), t.size()
	switch {
	case count == 0:
	case t.contiguous():
		out.Data = t.storage.data[t.offset*size : (t.offset+count)*size : (t.offset+count)*size]
	default:
		out.Data = gather(make([]byte, 0, count*size), t.storage.data, t.shape, t.strides, t.offset, size)
	}
	return out
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
