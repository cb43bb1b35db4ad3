package gotorch

/*
#cgo LDFLAGS: -L${SRCDIR}/../lib -lgotorch -Wl,--allow-shlib-undefined -Wl,-rpath,$ORIGIN/../lib -Wl,-rpath,${SRCDIR}/../lib
#cgo noescape gt_call
#cgo nocallback gt_call
#cgo noescape gt_info
#cgo nocallback gt_info
#include <stdlib.h>
#include "shim/gotorch.h"
*/
import "C"

import (
	"errors"
	"sync"
	"unsafe"
)

// This file is the only one that sees C; the rest of the package deals in these
// names. The linker is not to look for what libtorch's CUDA libraries need: they
// find it at run time.
type (
	cArg        = C.gt_arg
	cInfo       = C.gt_tensor_info
	cTensor     = *C.gt_tensor
	cGenerator  = *C.gt_generator
	cOp         = *C.gt_op
	cBuild      = C.gt_build_info
	cInt        = C.int64_t
	cFloat      = C.double
	cHandle     = unsafe.Pointer
	cHandleList = []unsafe.Pointer
)

const (
	kindNone      = C.GT_NONE
	kindBool      = C.GT_BOOL
	kindInt       = C.GT_INT
	kindFloat     = C.GT_FLOAT
	kindString    = C.GT_STRING
	kindDevice    = C.GT_DEVICE
	kindTensor    = C.GT_TENSOR
	kindGenerator = C.GT_GENERATOR
	kindInts      = C.GT_INTS
	kindTensors   = C.GT_TENSORS
)

const (
	flagBenchmarkCuDNN = C.GT_BENCHMARK_CUDNN
	flagTF32CuDNN      = C.GT_TF32_CUDNN
	flagTF32CuBLAS     = C.GT_TF32_CUBLAS
	flagDeterministic  = C.GT_DETERMINISTIC
)

// cError takes over a message from C; nil is no error.
func cError(message *C.char) error {
	if message == nil {
		return nil
	}
	defer C.gt_free_message(message)
	return errors.New(C.GoString(message))
}

func cBool(b bool) C.int {
	if b {
		return 1
	}
	return 0
}

// operators caches the operators found so far by the name that Go uses.
var operators sync.Map // string → cOp

func cFindOp(key, name, overload string) (cOp, error) {
	if op, ok := operators.Load(key); ok {
		return op.(cOp), nil
	}
	cName, cOverload := C.CString(name), C.CString(overload)
	defer C.free(unsafe.Pointer(cName))
	defer C.free(unsafe.Pointer(cOverload))
	var op cOp
	if err := cError(C.gt_find_op(cName, cOverload, &op)); err != nil {
		return nil, err
	}
	operators.Store(key, op)
	return op, nil
}

func cCall(op cOp, grad bool, a *arguments, outs []cTensor) error {
	return cError(C.gt_call(op, cBool(grad), unsafe.SliceData(a.args), C.size_t(len(a.args)),
		unsafe.SliceData(a.handles), unsafe.SliceData(a.ints), (*C.char)(unsafe.Pointer(unsafe.StringData(a.text))),
		unsafe.SliceData(outs), C.size_t(len(outs))))
}

func cGrad(outputs, seeds, inputs []cTensor, opt GradOptions, grads []cTensor) error {
	return cError(C.gt_grad(unsafe.SliceData(outputs), unsafe.SliceData(seeds), C.size_t(len(outputs)),
		unsafe.SliceData(inputs), C.size_t(len(inputs)),
		cBool(opt.RetainGraph), cBool(opt.CreateGraph), cBool(opt.AllowUnused), unsafe.SliceData(grads)))
}

func cFromData(data unsafe.Pointer, bytes int, dtype DType, shape []cInt) (out cTensor, err error) {
	err = cError(C.gt_from_data(data, C.size_t(bytes), C.int(dtype), unsafe.SliceData(shape), C.size_t(len(shape)), &out))
	return out, err
}

func cToData(t cTensor, data unsafe.Pointer, bytes int) error {
	return cError(C.gt_to_data(t, data, C.size_t(bytes)))
}

func cFetch(t cTensor) (out cTensor, err error) {
	err = cError(C.gt_fetch(t, &out))
	return out, err
}

func cItem(t cTensor) (float64, error) {
	var v C.double
	err := cError(C.gt_item(t, &v))
	return float64(v), err
}

// maxDims is the number of dimensions whose sizes can be read.
const maxDims = 16

func cTensorInfo(t cTensor) (tensorInfo, error) {
	var c cInfo
	var sizes [maxDims]cInt
	dims := C.size_t(maxDims)
	if err := cError(C.gt_info(t, &c, &sizes[0], &dims)); err != nil {
		return tensorInfo{}, err
	}
	info := tensorInfo{
		numel:        int(c.numel),
		dtype:        DType(c.dtype),
		device:       Device{Type: DeviceType(c.device), Index: max(0, int(c.device_index))},
		requiresGrad: c.requires_grad != 0,
		contiguous:   c.contiguous != 0,
		channelsLast: c.channels_last != 0,
		shape:        make([]int, min(dims, maxDims)),
	}
	for i := range info.shape {
		info.shape[i] = int(sizes[i])
	}
	return info, nil
}

func cSetRequiresGrad(t cTensor, on bool) error { return cError(C.gt_set_requires_grad(t, cBool(on))) }

func cAlias(t cTensor) (out cTensor, err error) {
	err = cError(C.gt_alias(t, &out))
	return out, err
}

func cFreeTensors(list []cTensor) { C.gt_free_tensors(unsafe.SliceData(list), C.size_t(len(list))) }

func cFreeGenerators(list []cGenerator) {
	C.gt_free_generators(unsafe.SliceData(list), C.size_t(len(list)))
}

func cNewGenerator(d Device, seed uint64) (out cGenerator, err error) {
	err = cError(C.gt_new_generator(C.int(d.Type), C.int(d.Index), C.uint64_t(seed), &out))
	return out, err
}

func cDefaultGenerator(d Device) (out cGenerator, err error) {
	err = cError(C.gt_default_generator(C.int(d.Type), C.int(d.Index), &out))
	return out, err
}

func cGeneratorSeed(g cGenerator, seed uint64) error {
	return cError(C.gt_generator_seed(g, C.uint64_t(seed)))
}

func cGeneratorState(g cGenerator) (out cTensor, err error) {
	err = cError(C.gt_generator_state(g, &out))
	return out, err
}

func cGeneratorSetState(g cGenerator, state cTensor) error {
	return cError(C.gt_generator_set_state(g, state))
}

func cLiveHandles() int { return int(C.gt_live_handles()) }

func cManualSeed(seed uint64) error { return cError(C.gt_manual_seed(C.uint64_t(seed))) }

func cSetNumThreads(n int) error { return cError(C.gt_set_num_threads(C.int(n))) }

func cNumThreads() (int, error) {
	var n C.int
	err := cError(C.gt_num_threads(&n))
	return int(n), err
}

func cSetFlag(f Flag, on bool) error { return cError(C.gt_set_flag(C.int(f), cBool(on))) }

func cFlagIsOn(f Flag) (bool, error) {
	var on C.int
	err := cError(C.gt_flag_is_on(C.int(f), &on))
	return on != 0, err
}

func cPeakMemory(d Device) (int, error) {
	var bytes C.int64_t
	err := cError(C.gt_peak_memory(C.int(d.Type), C.int(d.Index), &bytes))
	return int(bytes), err
}

func cBuildInfo() (BuildInfo, error) {
	var c cBuild
	if err := cError(C.gt_build(&c)); err != nil {
		return BuildInfo{}, err
	}
	return BuildInfo{
		Version: C.GoString(&c.torch[0]),
		CUDA:    c.cuda != 0,
		GPUs:    int(c.gpus),
		OneDNN:  c.onednn != 0,
	}, nil
}
