package checkpoint

import (
	"strings"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/internal/pickle"
)

// storages are the classes of torch storages. Those of elements that no network is
// made of can be passed over by their size.
var storages = map[string]element{
	"FloatStorage":         elementOf(F32),
	"DoubleStorage":        elementOf(F64),
	"HalfStorage":          elementOf(F16),
	"BFloat16Storage":      elementOf(BF16),
	"LongStorage":          elementOf(I64),
	"IntStorage":           elementOf(I32),
	"ShortStorage":         elementOf(I16),
	"CharStorage":          elementOf(I8),
	"ByteStorage":          elementOf(U8),
	"BoolStorage":          elementOf(Bool),
	"ComplexFloatStorage":  {size: 8},
	"ComplexDoubleStorage": {size: 16},
	"QInt8Storage":         {size: 1},
	"QUInt8Storage":        {size: 1},
	"QInt32Storage":        {size: 4},
	"QUInt4x2Storage":      {size: 1},
	"QUInt2x4Storage":      {size: 1},
	"UntypedStorage":       {size: 1}, // of tensors that name their type themselves
	"_UntypedStorage":      {size: 1},
}

// dtypes are the types of elements that a tensor may name itself.
var dtypes = map[pickle.Class]DType{
	"torch.float32": F32, "torch.float64": F64, "torch.float16": F16, "torch.bfloat16": BF16, "torch.bool": Bool,
	"torch.int8": I8, "torch.int16": I16, "torch.int32": I32, "torch.int64": I64,
	"torch.uint8": U8, "torch.uint16": U16, "torch.uint32": U32, "torch.uint64": U64,
}

// storageElement returns the type of elements of a storage's class.
func storageElement(class pickle.Class) (element, bool) {
	name, ok := strings.CutPrefix(string(class), "torch.")
	for _, module := range []string{"cuda.", "storage."} {
		name = strings.TrimPrefix(name, module)
	}
	e, known := storages[name]
	return e, ok && known
}

// rebuilders are the functions of PyTorch whose call makes a tensor.
var rebuilders = map[string]func(args []any) (any, error){
	"torch._utils._rebuild_tensor":                        rebuildTensor,
	"torch._utils._rebuild_tensor_v2":                     rebuildTensor,
	"torch._utils._rebuild_tensor_v3":                     rebuildTyped,
	"torch._utils._rebuild_parameter":                     first,
	"torch._utils._rebuild_parameter_with_state":          first,
	"torch._utils._rebuild_device_tensor_from_cpu_tensor": first,
	"torch.nn.parameter.Parameter":                        first,
	"torch.nn.parameter.Buffer":                           first,
	"torch.autograd.variable.Variable":                    first,
}

// call returns the tensor that a call makes, and leaves all other calls alone.
func call(function string, args []any) (value any, known bool, err error) {
	if function == "torch._tensor._rebuild_from_type_v2" && len(args) > 2 { // a function, a subclass, the function's arguments
		inner, ok1 := args[0].(pickle.Class)
		list, ok2 := args[2].(*pickle.List)
		if ok1 && ok2 {
			function, args = string(inner), list.Items
		}
	}
	rebuild, ok := rebuilders[function]
	if !ok {
		return nil, false, nil
	}
	value, err = rebuild(args)
	return value, value != nil, err
}

// rebuildTensor takes storage, offset, size and stride; what follows them
// (requires_grad, hooks) says nothing about the values.
func rebuildTensor(args []any) (any, error) {
	t, err := viewOf(args)
	if err != nil {
		return nil, err
	}
	t.element = t.storage.element
	return t, t.validate()
}

// rebuildTyped takes the type of the elements as the seventh argument.
func rebuildTyped(args []any) (any, error) {
	t, err := viewOf(args)
	if err != nil || len(args) < 7 {
		return nil, err
	}
	class, _ := args[6].(pickle.Class)
	dtype, ok := dtypes[class]
	if !ok {
		return nil, nil // stays an object
	}
	t.element = elementOf(dtype)
	return t, t.validate()
}

func viewOf(args []any) (*strided, error) {
	if len(args) < 4 {
		return nil, ascood.Errorf(ascood.Invalid, "malformed tensor: %d arguments, want at least 4", len(args))
	}
	source, ok1 := args[0].(*storage)
	offset, ok2 := args[1].(int)
	shape, ok3 := ints(args[2])
	strides, ok4 := ints(args[3])
	if !ok1 || !ok2 || !ok3 || !ok4 || len(shape) != len(strides) {
		return nil, ascood.Errorf(ascood.Invalid, "malformed tensor: want a storage, an offset, sizes and strides")
	}
	return &strided{storage: source, offset: offset, shape: shape, strides: strides}, nil
}

// first takes a tensor first.
func first(args []any) (any, error) {
	if len(args) > 0 {
		if t, ok := args[0].(*strided); ok {
			return t, nil
		}
	}
	return nil, nil // stays an object
}

// ints returns the numbers of a tuple or of a torch.Size.
func ints(value any) ([]int, bool) {
	if size, ok := value.(*pickle.Object); ok && size.Class == "torch.Size" && len(size.Args) == 1 {
		value = size.Args[0]
	}
	list, ok := value.(*pickle.List)
	if !ok {
		return nil, false
	}
	values := make([]int, len(list.Items))
	for i, item := range list.Items {
		if values[i], ok = item.(int); !ok {
			return nil, false
		}
	}
	return values, true
}
