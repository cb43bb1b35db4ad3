package ioodin

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/ascood/ascood"
)

// Device is where a model runs.
type Device struct {
	cuda, auto bool
	index      int // of the GPU
}

// ParseDevice reads cpu, cuda (the first GPU), cuda:N or auto.
func ParseDevice(s string) (Device, error) {
	switch s {
	case "cpu":
		return Device{}, nil
	case "auto":
		return Device{auto: true}, nil
	case "cuda":
		return Device{cuda: true}, nil
	}
	if number, ok := strings.CutPrefix(s, "cuda:"); ok {
		if n, err := strconv.Atoi(number); err == nil && n >= 0 {
			return Device{cuda: true, index: n}, nil
		}
	}
	return Device{}, ascood.Errorf(ascood.Invalid, "unknown device %q; known are cpu, cuda, cuda:N and auto", s)
}

// CUDA reports whether the device is a GPU.
func (d Device) CUDA() bool { return d.cuda }

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

// checkCUDA names the first part of what CUDA needs that is not there: the
// provider beside the library, the driver, a GPU.
func checkCUDA(library string) error {
	provider := filepath.Join(filepath.Dir(library), "libonnxruntime_providers_cuda.so")
	if _, err := os.Stat(provider); err != nil {
		return ascood.Errorf(ascood.Unavailable, "no CUDA provider: %s has no %s beside it; run \"make setup-cuda\"", library, filepath.Base(provider))
	}
	if _, err := os.Stat("/dev/nvidiactl"); err != nil {
		return ascood.Errorf(ascood.Unavailable, "no NVIDIA driver: /dev/nvidiactl is missing")
	}
	if gpus, _ := filepath.Glob("/dev/nvidia[0-9]*"); len(gpus) == 0 {
		return ascood.Errorf(ascood.Unavailable, "no NVIDIA GPU: /dev holds no nvidia0")
	}
	return nil
}
