package ort

import (
	"errors"
	"testing"

	"github.com/ascood/ascood"
)

// TestRunError tells errors that last from those that may not come again.
func TestRunError(t *testing.T) {
	t.Cleanup(func() { deviceLost.Store(false) })
	for text, lost := range map[string]bool{
		"CUDA failure 700: an illegal memory access was encountered ; GPU=0 ; hostname=h ; file=/onnxruntime_src/gpu_data_transfer.cc ; line=64": true,
		"CUDA failure 719: unspecified launch failure ; GPU=0 ; hostname=h":                                                                      true,
		"CUDA error cudaErrorIllegalAddress:an illegal memory access was encountered":                                                            true,
		"Non-zero status code returned while running Conv node. Status Message: CUDNN failure 5000: CUDNN_STATUS_EXECUTION_FAILED ; GPU=0":       true,
		"CUBLAS failure 13: CUBLAS_STATUS_EXECUTION_FAILED ; GPU=0":                                                                              true,
		"CUDA failure 2: out of memory ; GPU=0 ; hostname=h ; line=700":                                                                          false,
		"CUBLAS failure 3: CUBLAS_STATUS_ALLOC_FAILED ; GPU=0":                                                                                   false,
		"CUDA failure 7000: no such error":                                                                                                       false,
		"Failed to allocate memory for requested buffer of size 700":                                                                             false,
		"NOT_IMPLEMENTED : cuDNN is unavailable or disabled for CUDA Execution Provider":                                                         false,
	} {
		deviceLost.Store(false)
		err := runError(ascood.CUDA(0), errors.New(text))
		if errors.Is(err, ascood.ErrDeviceLost) != lost || deviceLost.Load() != lost || (ascood.CodeOf(err) == ascood.Unavailable) != lost {
			t.Errorf("%q becomes %v (%s), lost %v; want lost %v", text, err, ascood.CodeOf(err), deviceLost.Load(), lost)
		}
		if err := runError(ascood.Device{}, errors.New(text)); errors.Is(err, ascood.ErrDeviceLost) {
			t.Errorf("on the CPU %q becomes %v", text, err)
		}
	}
}

// TestCloseOfLostDevice: what a lost device holds is left alone.
func TestCloseOfLostDevice(t *testing.T) {
	s := open(t)
	deviceLost.Store(true)
	err := s.Close()
	deviceLost.Store(false)
	if err != nil {
		t.Error(err)
	}
	live.Add(1) // for the Close at the test's end
	if _, err := s.Run(map[string]Value{"x": {[]int{1}, []float32{1}}, "k": {[]int{1}, []int64{1}}, "b": {[]int{1}, []uint8{1}}}); err != nil {
		t.Errorf("it was freed: %v", err)
	}
}
