package ort

import (
	"os"
	"path/filepath"

	"github.com/ascood/ascood"
)

// checkCUDA names the first part of what CUDA needs that is not there: the
// provider beside the library, the driver, a GPU.
func checkCUDA(library string) error {
	provider := filepath.Join(filepath.Dir(library), "libonnxruntime_providers_cuda.so")
	if _, err := os.Stat(provider); err != nil {
		return ascood.Errorf(ascood.Unavailable, "no CUDA provider: %s has no %s beside it; run \"make setup-cuda\"", library, filepath.Base(provider))
	}
	if _, err := os.Stat("/dev/nvidiactl"); err != nil {
		return ascood.Errorf(ascood.Unavailable, "CUDA needs the NVIDIA driver: /dev/nvidiactl is missing")
	}
	if gpus, _ := filepath.Glob("/dev/nvidia[0-9]*"); len(gpus) == 0 {
		return ascood.Errorf(ascood.Unavailable, "no NVIDIA GPU: /dev holds no nvidia0")
	}
	return nil
}
