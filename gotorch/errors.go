package gotorch

import (
	"errors"
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

var (
	// ErrClosed is in the chain of the error of an operation on a tensor whose
	// scope has been closed.
	ErrClosed = errors.New("its scope is closed")

	// ErrUnavailable is in the chain of the error for a device that cannot be
	// had on this machine.
	ErrUnavailable = errors.New("device unavailable")
)
