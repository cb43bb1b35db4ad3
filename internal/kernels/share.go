package kernels

// #include <stdlib.h>
// #include "register.h"
import "C"

import (
	"fmt"
	"unsafe"

	"github.com/ascood/ascood/onnx"
)

// Shared is an initializer that sessions take from where it is in memory.
type Shared struct{ value unsafe.Pointer }

// Share has sessions with some options, which were registered, take the data of one of a graph's initializers from where it
// is, which must not be Go's memory, or pinned there; the file need not have it. It must stay there, and Shared open, as long
// as the session. If it is constant, ONNX Runtime may compute with it as it optimizes the graph, and write the results.
func Share(options unsafe.Pointer, t *onnx.TensorProto, constant bool) (Shared, error) {
	name := C.CString(t.Name)
	defer C.free(unsafe.Pointer(name))
	dims := append([]int64{0}, t.Dims...)[1:]
	var computed C.int
	if constant {
		computed = 1
	}
	value := C.kernels_share(options, name, unsafe.Pointer(unsafe.SliceData(t.RawData)), C.size_t(len(t.RawData)),
		(*C.int64_t)(unsafe.SliceData(dims)), C.size_t(len(dims)), C.int(t.DataType), computed)
	if value == nil {
		return Shared{}, fmt.Errorf("ONNX Runtime does not take initializer %s", t.Name)
	}
	return Shared{value}, nil
}

// Close lets go of it.
func (s Shared) Close() { C.kernels_release(s.value) }
