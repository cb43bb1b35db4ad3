package ascood

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Device says where to compute. The zero Device is the CPU.
type Device struct {
	cuda, auto bool
	index      int // of the GPU
}

// CUDA is the GPU of the given index.
func CUDA(index int) Device { return Device{cuda: true, index: index} }

// ErrDeviceLost is in the chain of an error after which the device fails at all that
// this process asks of it. A new process may find it sound.
var ErrDeviceLost = errors.New("the GPU is lost to this process")

// ParseDevice reads cpu, cuda (the first GPU), cuda:N or auto.
func ParseDevice(s string) (Device, error) {
	switch s {
	case "cpu":
		return Device{}, nil
	case "auto":
		return Device{auto: true}, nil
	case "cuda":
		return CUDA(0), nil
	}
	if number, ok := strings.CutPrefix(s, "cuda:"); ok {
		if n, err := strconv.ParseUint(number, 10, 7); err == nil {
			return CUDA(int(n)), nil
		}
		return Device{}, Errorf(Invalid, "device %q: %q is not the number of a GPU", s, number)
	}
	return Device{}, Errorf(Invalid, "unknown device %q; known are cpu, cuda, cuda:N and auto", s)
}

// IsAuto reports whether the device is yet to be chosen: a GPU if one can be had,
// else the CPU.
func (d Device) IsAuto() bool { return d.auto }

// IsCUDA reports whether the device is a GPU.
func (d Device) IsCUDA() bool { return d.cuda }

// Index is which GPU it is.
func (d Device) Index() int { return d.index }

// String is the form that ParseDevice reads.
func (d Device) String() string {
	switch {
	case d.auto:
		return "auto"
	case d.cuda:
		return fmt.Sprintf("cuda:%d", d.index)
	}
	return "cpu"
}
