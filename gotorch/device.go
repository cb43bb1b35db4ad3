package gotorch

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
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

// CUDA is the GPU of the given index. OpenDevice tells whether it can be had.
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

// OpenDevice returns the device named "cpu", "cuda" (the first GPU) or "cuda:N",
// having made sure that it works. The error for one that does not wraps
// ErrUnavailable and names what is missing: CUDA in libtorch, the driver, or
// that GPU.
func OpenDevice(name string) (Device, error) {
	if name == "cpu" {
		return CPU, nil
	}
	kind, number, numbered := strings.Cut(name, ":")
	index := 0
	if numbered {
		n, err := strconv.ParseUint(number, 10, 7)
		if err != nil {
			return CPU, fmt.Errorf("gotorch: device %q: %q is not the number of a GPU", name, number)
		}
		index = int(n)
	}
	if kind != "cuda" {
		return CPU, fmt.Errorf("gotorch: unknown device %q; known are cpu, cuda, cuda:N", name)
	}
	build, err := Build()
	if err != nil {
		return CPU, err
	}
	if !build.CUDA {
		return CPU, fmt.Errorf("gotorch: %s: %w: libtorch %s was built without CUDA; build against one that has it (LIBTORCH=/path)", name, ErrUnavailable, build.Version)
	}
	if build.GPUs > 0 && index >= build.GPUs {
		return CPU, fmt.Errorf("gotorch: %s: %w: GPUs are numbered from 0, and there are %d", name, ErrUnavailable, build.GPUs)
	}
	s := NewScope()
	defer s.Close()
	Zeros(s, []int{1}, CUDA(index))
	if failure, ok := errors.AsType[*OpError](s.Err()); ok {
		return CPU, fmt.Errorf("gotorch: %s: %w: %w", name, ErrUnavailable, failure.Err)
	}
	return CUDA(index), nil
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
