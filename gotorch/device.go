package gotorch

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/ascood/ascood/internal/sigstack"
)

// DeviceType is a kind of device, numbered as in libtorch.
type DeviceType int8

// The kinds of device.
const (
	DeviceCPU  DeviceType = 0
	DeviceCUDA DeviceType = 1
)

// Device is where tensors lie and operations run. The zero Device is the CPU.
type Device struct {
	Type  DeviceType
	Index int // which GPU; 0 for the CPU
}

// CPU is the main processor.
var CPU = Device{}

// CUDA is the GPU of the given index. Available tells whether it can be had.
func CUDA(index int) Device { return Device{DeviceCUDA, index} }

// String returns PyTorch's name: "cpu", "cuda:0".
func (d Device) String() string {
	switch d.Type {
	case DeviceCPU:
		return "cpu"
	case DeviceCUDA:
		return "cuda:" + strconv.Itoa(d.Index)
	}
	return fmt.Sprintf("device(%d):%d", d.Type, d.Index)
}

// Available makes sure that the device works. The error for one that does not
// wraps ErrUnavailable and names what is missing: CUDA in libtorch, the driver, or
// that GPU.
func (d Device) Available() error {
	if d == CPU {
		return nil
	}
	build, err := Build()
	if err != nil {
		return err
	}
	if !build.CUDA {
		return fmt.Errorf("gotorch: %s: %w: libtorch %s was built without CUDA; build against one that has it (LIBTORCH=/path)", d, ErrUnavailable, build.Version)
	}
	if build.GPUs > 0 && d.Index >= build.GPUs {
		return fmt.Errorf("gotorch: %s: %w: GPUs are numbered from 0, and there are %d", d, ErrUnavailable, build.GPUs)
	}
	s := NewScope()
	defer s.Close()
	Zeros(s, []int{1}, d).Item() // waits for the device, which may have failed since it was last used
	sigstack.Use()               // CUDA's driver has installed its handlers by now
	if failure, ok := errors.AsType[*OpError](s.Err()); ok {
		return fmt.Errorf("gotorch: %s: %w: %w", d, ErrUnavailable, failure.Err)
	}
	return nil
}

// PeakMemory returns the most bytes that tensors on the device took at once since it
// was last called. ok is false if this libtorch does not tell, as for GPUs before
// 2.14.
func (d Device) PeakMemory() (bytes int, ok bool, err error) {
	bytes, err = cPeakMemory(d)
	return bytes, err == nil && bytes >= 0, err
}

// BuildInfo describes libtorch and what it finds on this machine.
type BuildInfo struct {
	Version string // "1.13.1"
	CUDA    bool   // has CUDA kernels
	GPUs    int    // GPUs that can be used
	OneDNN  bool   // has oneDNN, which makes convolutions on the CPU fast
}

// Build asks libtorch about itself.
func Build() (BuildInfo, error) { return cBuildInfo() }
