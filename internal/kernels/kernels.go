// Package kernels has operators of ours that ONNX Runtime runs on CPUs, where they are faster than its own. They work in its
// blocked layout, in which maps of C channels are [N,C/L,H,W,L], L of them side by side. Files have none of
// them: Prepare puts operators into a graph on its way to ONNX Runtime that stand for what a gradient does by dozens of
// nodes, and Rewrite into the graph that it has made of that, in the place of a few. A file of the package is an operator, or
// what makes a place for one; what it computes is in the file of the same name in C++.
package kernels

/*
#cgo CXXFLAGS: -O3 -std=c++20 -Wall -fno-exceptions -fno-rtti
#cgo LDFLAGS: -ldl
#include <dlfcn.h>
#include <stdlib.h>
#include "register.h"

// base is OrtGetApiBase of a library that is loaded.
static void *base(const char *path) {
	void *library = dlopen(path, RTLD_NOW | RTLD_NOLOAD);
	if (library == NULL) return NULL;
	void *(*get)(void) = (void *(*)(void))dlsym(library, "OrtGetApiBase");
	dlclose(library);
	return get == NULL ? NULL : get();
}
*/
import "C"

import (
	"fmt"
	"unsafe"
)

// Domain is that of the operators.
const Domain = "ascood"

// Register has sessions with some options, an *OrtSessionOptions of the library at a path, know the operators.
func Register(library string, options unsafe.Pointer) error {
	path := C.CString(library)
	defer C.free(unsafe.Pointer(path))
	base := C.base(path)
	if base == nil {
		return fmt.Errorf("%s is not loaded", library)
	}
	if C.kernels_register(base, options) == 0 {
		return fmt.Errorf("%s is of a version that is too old", library)
	}
	return nil
}

// Supports reports whether there are kernels for this processor, and for maps in blocks of so many channels.
func Supports(lanes int) bool { return C.kernels_supports(C.int(lanes)) != 0 }
