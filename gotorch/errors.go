package gotorch

import (
	"errors"
	"slices"
	"strings"
)

// OpError is the failure of one operation.
type OpError struct {
	Op       string   // the operator, as PyTorch names it: "conv2d"
	Operands []string // what it was given, tensors by type and shape: "float32[8,3,32,32]"
	Err      error    // libtorch's message, or why libtorch was not asked
}

// Error reads like "conv2d(float32[8,3,32,32], float32[16,4,3,3]): Given groups=1, weight of size …".
func (e *OpError) Error() string {
	return "gotorch: " + e.Op + "(" + strings.Join(e.Operands, ", ") + "): " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *OpError) Unwrap() error { return e.Err }

// Is reports whether the operation failed for want of memory, if target is
// ErrOutOfMemory. libtorch, CUDA and its libraries say so in words of their own.
func (e *OpError) Is(target error) bool {
	if target != ErrOutOfMemory {
		return false
	}
	message := e.Err.Error()
	return slices.ContainsFunc([]string{"out of memory", "std::bad_alloc", "STATUS_ALLOC_FAILED"}, func(words string) bool {
		return strings.Contains(message, words)
	})
}

var (
	// ErrClosed is in the chain of the error of an operation on a tensor whose
	// scope has been closed.
	ErrClosed = errors.New("its scope is closed")

	// ErrOutOfMemory is in the chain of the error of an operation for which the
	// device has not enough memory.
	ErrOutOfMemory = errors.New("out of memory")

	// ErrUnavailable is in the chain of the error for a device that cannot be
	// had on this machine.
	ErrUnavailable = errors.New("device unavailable")
)
