package ort

import (
	"os"
	"strings"
	"testing"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/internal/cudastub"
	"github.com/ascood/ascood/onnx"
)

// convolution is a graph of one convolution, which is cuDNN's on a GPU.
func convolution(t *testing.T) *onnx.ModelProto {
	t.Helper()
	b := onnx.NewBuilder("convolution")
	b.Input("x", "", onnx.TensorProto_FLOAT, "N", 1, 4, 4)
	y := b.Op("Conv", []string{"x", b.Const([]int{1, 1, 3, 3}, make([]float32, 9)...)})
	b.Output(b.Rename(y, "y"), "", onnx.TensorProto_FLOAT, "N", 1, 2, 2)
	m, err := b.Model("test", "1")
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestWithoutCuDNN: a machine on which everything loads and nothing runs is found out
// when a model is opened, so that "auto" can take the CPU.
func TestWithoutCuDNN(t *testing.T) {
	if (machine{libraryPath: os.Getenv("LD_LIBRARY_PATH")}).find(cudnn) != "" {
		t.Skip("this machine has cuDNN")
	}
	if !cudastub.Here() {
		cudastub.Rerun(t, os.Getenv(LibraryEnv))
		return
	}
	foundCUDA.Store(true)
	gpu := Options{Device: ascood.CUDA(0), TF32: true, GPUMemory: 1 << 30}
	s, err := Open(convolution(t), gpu)
	if err == nil {
		s.Close()
	}
	if ascood.CodeOf(err) != ascood.Unavailable || !strings.Contains(err.Error(), "try the model on cuda:0: ") || !strings.Contains(err.Error(), "cuDNN is unavailable") {
		t.Errorf("error %v", err)
	}
	auto, err := ascood.ParseDevice("auto")
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	s, err = Open(convolution(t), Options{Device: auto, Logger: textLogger(&log)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if s.Device() != (ascood.Device{}) || !strings.Contains(log.String(), "device=cpu") || !strings.Contains(log.String(), "cuDNN is unavailable") {
		t.Errorf("on %s, the log is %s", s.Device(), &log)
	}
	if Live() != 1 {
		t.Errorf("%d sessions are open", Live())
	}
}
