package ort

import (
	"regexp"
	"sync/atomic"

	"github.com/ascood/ascood"
)

// deviceLost is whether a GPU has failed for good in this process. What it holds is
// not freed then: the attempt may end the process.
var deviceLost atomic.Bool

// lasting recognises the errors after which CUDA returns nothing but errors until the
// process ends (CUDA Runtime API, "cudaError"), as ONNX Runtime words them: "CUDA
// failure 700: an illegal memory access was encountered", by name, or as the failure of
// a library's kernel. Want of memory is none of them.
var lasting = regexp.MustCompile(`CUDA failure (214|220|226|700|702|709|71[04-9]|721|999)\b` +
	`|cudaError(ECCUncorrectable|NvlinkUncorrectable|Contained|IllegalAddress|LaunchTimeout|ContextIsDestroyed|Assert|HardwareStackError` +
	`|IllegalInstruction|MisalignedAddress|InvalidAddressSpace|InvalidPc|LaunchFailure|TensorMemoryLeak|Unknown)\b` +
	`|(CUDNN|CUBLAS)_STATUS_EXECUTION_FAILED`)

// runError is the error of a run on a device: it wraps ascood.ErrDeviceLost if the
// device is of no more use.
func runError(device ascood.Device, err error) error {
	if device.IsCUDA() && lasting.MatchString(err.Error()) {
		deviceLost.Store(true)
		return ascood.Errorf(ascood.Unavailable, "run model on %s: %w: %s", device, ascood.ErrDeviceLost, err)
	}
	return ascood.Errorf(ascood.Internal, "run model: %w", err)
}
