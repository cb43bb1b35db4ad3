package ort

import (
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"sync"

	runtime "github.com/yalue/onnxruntime_go"
	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/proto"

	"github.com/ascood/ascood/internal/kernels"
	"github.com/ascood/ascood/onnx"
)

// withKernels returns a graph as ONNX Runtime optimizes it for this processor, with our own operators in it, and
// nil where there is no place for any.
func withKernels(data []byte, p *program, opt Options) ([]byte, error) {
	lanes := blockSize()
	if !kernels.Supports(lanes) || len(data) > maxOptimized {
		return nil, nil
	}
	m, err := optimized(data, p.inputs, p.outputs)
	if err != nil {
		return nil, err
	}
	if !kernels.Rewrite(m, lanes) {
		return nil, nil
	}
	return proto.Marshal(m)
}

// maxOptimized bounds the files that are optimized: what ONNX Runtime writes may be several times as large, and
// less than 2 GiB.
const maxOptimized = 400 << 20

// optimized is a graph as ONNX Runtime optimizes it for this processor.
func optimized(data []byte, inputs, outputs []string) (*onnx.ModelProto, error) {
	file, err := memoryFile()
	if err != nil {
		return nil, err
	}
	defer file.Close()
	options, err := runtime.NewSessionOptions()
	if err != nil {
		return nil, fmt.Errorf("session options: %w", err)
	}
	defer options.Destroy()
	err = errors.Join(options.SetIntraOpNumThreads(1), // none runs
		options.SetLogSeverityLevel(runtime.LoggingLevelError), // it warns that the file is for one processor
		options.AddSessionConfigEntry("session.disable_prepacking", "1"),
		options.SetOptimizedModelFilePath(fmt.Sprintf("/proc/self/fd/%d", file.Fd())))
	if err != nil {
		return nil, fmt.Errorf("session options: %w", err)
	}
	session, err := runtime.NewDynamicAdvancedSessionWithONNXData(data, inputs, outputs, options)
	if err != nil {
		return nil, err
	}
	if err := session.Destroy(); err != nil {
		return nil, err
	}
	written, err := io.ReadAll(file)
	if err != nil {
		return nil, fmt.Errorf("read the optimized model: %w", err)
	}
	m := &onnx.ModelProto{}
	if err := proto.Unmarshal(written, m); err != nil {
		return nil, fmt.Errorf("read the optimized model: %w", err)
	}
	return m, nil
}

// memoryFile is a file in memory alone.
func memoryFile() (*os.File, error) {
	fd, err := unix.MemfdCreate("model", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("make a file in memory: %w", err)
	}
	return os.NewFile(uintptr(fd), "model"), nil
}

// register has a session with these options know our operators.
func register(options *runtime.SessionOptions) error {
	pointer := reflect.ValueOf(options).Elem().FieldByName("o") // of the C library's options
	if pointer.Kind() != reflect.Pointer {
		return errors.New("onnxruntime_go has its session's options elsewhere")
	}
	return kernels.Register(environment.library, pointer.UnsafePointer())
}

// blockSize is how many channels ONNX Runtime keeps side by side on this processor, 0 if its blocks are not as package
// kernels expects them: it is told by the weights of a convolution, whose order shows it.
var blockSize = sync.OnceValue(func() int {
	const channels = 32
	b := onnx.NewBuilder("blocks")
	b.Input("x", "", onnx.TensorProto_FLOAT, 1, channels, 4, 4)
	weights := make([]float32, channels*channels)
	for i := range weights {
		weights[i] = float32(i)
	}
	y := b.Op("Conv", []string{"x", b.Weights("w", weights, channels, channels, 1, 1)}, onnx.Ints("kernel_shape", 1, 1))
	b.Output(b.Rename(y, "y"), "", onnx.TensorProto_FLOAT, 1, channels, 4, 4)
	m, err := b.Model("", "")
	if err != nil {
		return 0
	}
	data, err := proto.Marshal(m)
	if err != nil {
		return 0
	}
	made, err := optimized(data, []string{"x"}, []string{"y"})
	if err != nil {
		return 0
	}
	for _, n := range made.Graph.Node {
		if n.OpType == "Conv" {
			return orderOf(onnx.Constants(made.Graph)[n.Operand(1)], channels)
		}
	}
	return 0
})

// orderOf returns the block size L for which the weights of blockSize's convolution are [out/L,in/L,L of in,L of out],
// 0 if there is none.
func orderOf(w *onnx.TensorProto, channels int) int {
	values, err := w.Float32s()
	if err != nil {
		return 0
	}
	for _, lanes := range []int{4, 8, 16} {
		matches := true
		for i, v := range values {
			out := i/(channels*lanes)*lanes + i%lanes
			in := i / lanes % channels
			matches = matches && v == float32(out*channels+in)
		}
		if matches {
			return lanes
		}
	}
	return 0
}
