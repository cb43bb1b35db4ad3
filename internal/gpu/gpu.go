// Package gpu asks NVIDIA's driver which GPUs there are. The driver is loaded when
// first asked, so that programs run where there is none.
package gpu

/*
#cgo LDFLAGS: -ldl
#include <stdlib.h>
#include "gpu.h"
*/
import "C"

import (
	"fmt"
	"runtime"
	"unsafe"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/internal/sigstack"
)

// GPU is one of NVIDIA's.
type GPU struct {
	Name         string
	Major, Minor int   // compute capability
	Memory       int64 // bytes in all
}

func (g GPU) String() string {
	return fmt.Sprintf("%s, compute capability %d.%d, %.1f GiB", g.Name, g.Major, g.Minor, float64(g.Memory)/(1<<30))
}

// List returns the GPUs by CUDA's numbers. It is ascood.Unavailable without a driver
// that works.
func List() ([]GPU, error) {
	defer sigstack.Use() // the driver installs handlers
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var n C.int
	if err := failure(C.gpu_count(&n)); err != nil {
		return nil, err
	}
	gpus := make([]GPU, n)
	for i := range gpus {
		var g C.struct_gpu
		if err := failure(C.gpu_describe(C.int(i), &g)); err != nil {
			return nil, err
		}
		gpus[i] = GPU{C.GoString(&g.name[0]), int(g.major), int(g.minor), int64(g.memory)}
	}
	return gpus, nil
}

// Available returns how many bytes of a GPU no process has taken. List comes first.
func Available(index int) (int64, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var bytes C.size_t
	err := failure(C.gpu_available(C.int(index), &bytes))
	return int64(bytes), err
}

// failure is the error of a call; its text is the thread's own.
func failure(wrong *C.char) error {
	if wrong == nil {
		return nil
	}
	return ascood.Errorf(ascood.Unavailable, "NVIDIA's driver: %s", C.GoString(wrong))
}

// CuDNN returns the version of a cuDNN library, "" if it has none.
func CuDNN(path string) string {
	name := C.CString(path)
	defer C.free(unsafe.Pointer(name))
	v := int(C.gpu_cudnn(name))
	if v == 0 {
		return ""
	}
	return fmt.Sprintf("%d.%d.%d", v/10000, v/100%100, v%100) // since cuDNN 9
}
