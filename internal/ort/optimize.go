package ort

import (
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"runtime/debug"
	"strconv"
	"sync"
	"unsafe"

	runtime "github.com/yalue/onnxruntime_go"
	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/proto"

	"github.com/ascood/ascood/internal/kernels"
	"github.com/ascood/ascood/internal/malloc"
	"github.com/ascood/ascood/onnx"
)

// withKernels returns a graph as ONNX Runtime optimizes it for this processor, with our own operators in it, and has
// options for a session of it. Where there is no place for an operator it is the graph as it was, and has no weights. They
// are for as long as the session.
func withKernels(m *onnx.ModelProto, p *program, options *runtime.SessionOptions) ([]byte, *weights, error) {
	lanes := blockSize()
	if !kernels.Supports(lanes) {
		data, err := encode(m)
		return data, nil, err
	}
	if prepared := kernels.Prepare(m, lanes); prepared != nil {
		m = prepared
	}
	m = arranged(m)
	if size := bytesOf(m); size > large {
		giveBack()               // what the file was read by
		malloc.Reserve(2 * size) // for what ONNX Runtime makes of them
		defer malloc.GiveBack()
	}
	optimized, detach, err := optimize(m, p.inputs, p.outputs)
	if err != nil {
		return nil, nil, err
	}
	defer detach()
	if !kernels.Rewrite(optimized, lanes) {
		data, err := encode(m)
		return data, nil, err
	}
	giveBack()
	native, err := register(options)
	if err != nil {
		return nil, nil, err
	}
	err = errors.Join(options.AddSessionConfigEntry(folderOfData, dataFolder),
		options.SetGraphOptimizationLevel(runtime.GraphOptimizationLevelDisableAll))
	if err != nil {
		return nil, nil, fmt.Errorf("session options: %w", err)
	}
	w, err := share(optimized.Graph, native)
	if err != nil {
		return nil, nil, err
	}
	data, err := encode(optimized)
	if err != nil {
		return nil, nil, errors.Join(err, w.close())
	}
	return data, w, nil
}

func encode(m *onnx.ModelProto) ([]byte, error) {
	data, err := proto.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encode model: %w", err)
	}
	if isLarge(data) {
		giveBack() // what the file was read by
	}
	return data, nil
}

// large is the size of graphs that take so much memory that what is freed is given back, in bytes.
const large = 32 << 20

func isLarge(data []byte) bool { return len(data) > large }

// bytesOf is how many bytes the initializers of a graph take.
func bytesOf(m *onnx.ModelProto) int {
	size := 0
	for _, t := range m.Graph.Initializer {
		size += len(t.RawData)
	}
	return size
}

// giveBack returns the memory to the system that nobody needs any more, of which the collector and the C library would wait
// for more.
func giveBack() {
	debug.FreeOSMemory()
	malloc.Trim()
}

// optimize returns a graph as ONNX Runtime optimizes it for this processor. Its weights are there until they are detached.
func optimize(m *onnx.ModelProto, inputs, outputs []string) (optimized *onnx.ModelProto, detach func() error, err error) {
	graph, err := memoryFile()
	if err != nil {
		return nil, nil, err
	}
	defer graph.Close()
	tensors, err := memoryFile()
	if err != nil {
		return nil, nil, err
	}
	defer tensors.Close()
	options, err := runtime.NewSessionOptions()
	if err != nil {
		return nil, nil, fmt.Errorf("session options: %w", err)
	}
	defer options.Destroy()
	err = errors.Join(options.SetIntraOpNumThreads(1), // none runs
		options.AddSessionConfigEntry(folderOfData, dataFolder),
		options.SetLogSeverityLevel(runtime.LoggingLevelError), // it warns that the file is for one processor
		options.AddSessionConfigEntry("session.disable_prepacking", "1"),
		options.SetOptimizedModelFilePath(fmt.Sprintf("/proc/self/fd/%d", graph.Fd())),
		options.AddSessionConfigEntry("session.optimized_model_external_initializers_file_name", strconv.Itoa(int(tensors.Fd()))),
		options.AddSessionConfigEntry("session.optimized_model_external_initializers_min_size_in_bytes", strconv.Itoa(shareable)))
	if err != nil {
		return nil, nil, fmt.Errorf("session options: %w", err)
	}
	native, err := register(options)
	if err != nil {
		return nil, nil, err
	}
	m, lent, err := lend(m, native)
	if err != nil {
		return nil, nil, err
	}
	defer lent.close()
	data, err := encode(m)
	if err != nil {
		return nil, nil, err
	}
	session, err := runtime.NewDynamicAdvancedSessionWithONNXData(data, inputs, outputs, options)
	if err != nil {
		return nil, nil, err
	}
	if err := session.Destroy(); err != nil {
		return nil, nil, err
	}
	written, err := io.ReadAll(graph)
	if err != nil {
		return nil, nil, fmt.Errorf("read the optimized model: %w", err)
	}
	optimized = &onnx.ModelProto{}
	if err := proto.Unmarshal(written, optimized); err != nil {
		return nil, nil, fmt.Errorf("read the optimized model: %w", err)
	}
	detach, err = attach(optimized, tensors)
	return optimized, detach, err
}

// folderOfData is the option that says where the files are that initializers are in.
const folderOfData = "session.model_external_initializers_file_folder_path"

// memoryFile is a file in memory alone.
func memoryFile() (*os.File, error) {
	fd, err := unix.MemfdCreate("model", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("make a file in memory: %w", err)
	}
	return os.NewFile(uintptr(fd), "model"), nil
}

// register has a session with these options know our operators.
func register(options *runtime.SessionOptions) (native unsafe.Pointer, err error) {
	pointer := reflect.ValueOf(options).Elem().FieldByName("o") // of the C library's options
	if pointer.Kind() != reflect.Pointer {
		return nil, errors.New("onnxruntime_go has its session's options elsewhere")
	}
	native = pointer.UnsafePointer()
	return native, kernels.Register(environment.library, native)
}

// blockSize is how many channels ONNX Runtime keeps side by side on this processor, 0 if its blocks are not as package
// kernels expects them: it is told by the weights of a convolution, whose order shows it.
var blockSize = sync.OnceValue(func() int {
	const channels = 32
	b := onnx.NewBuilder("blocks")
	b.Input("x", "", onnx.TensorProto_FLOAT, 1, channels, 4, 4)
	values := make([]float32, channels*channels)
	for i := range values {
		values[i] = float32(i)
	}
	y := b.Op("Conv", []string{"x", b.Weights("w", values, channels, channels, 1, 1)}, onnx.Ints("kernel_shape", 1, 1))
	b.Output(b.Rename(y, "y"), "", onnx.TensorProto_FLOAT, 1, channels, 4, 4)
	m, err := b.Model("", "")
	if err != nil {
		return 0
	}
	made, detach, err := optimize(m, []string{"x"}, []string{"y"})
	if err != nil {
		return 0
	}
	defer detach()
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
