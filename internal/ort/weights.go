package ort

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ascood/ascood/internal/kernels"
	"github.com/ascood/ascood/onnx"
)

// shareable is the size from which initializers are shared with ONNX Runtime, in bytes.
const shareable = 1 << 10

// Where a file says that the data of shared initializers is. ONNX Runtime reads nothing of it, but wants it to be there.
const dataFolder, dataFile = "/proc/self", "maps"

// elsewhere is an initializer without its data, which is shared.
func elsewhere(t *onnx.TensorProto) *onnx.TensorProto {
	return &onnx.TensorProto{Name: t.Name, DataType: t.DataType, Dims: t.Dims, DataLocation: onnx.TensorProto_EXTERNAL,
		ExternalData: []*onnx.StringStringEntryProto{{Key: "location", Value: dataFile}}}
}

// shared are initializers that sessions take from where they are.
type shared []kernels.Shared

func (s shared) close() {
	for _, v := range s {
		v.Close()
	}
}

// lent are a graph's large initializers, while a session optimizes it: to write all of them into a file for that, and to read
// them from there, would take a third of the time.
type lent struct {
	shared
	pinned runtime.Pinner
}

// lend returns a model whose large initializers sessions with some options take from those of m. What nobody takes is not in it.
func lend(m *onnx.ModelProto, options unsafe.Pointer) (*onnx.ModelProto, *lent, error) {
	l, taken := &lent{}, takenIn(m.Graph)
	g := onnx.WithOutputs(m.Graph, m.Graph.Output)
	g.Initializer = nil
	for _, t := range m.Graph.Initializer {
		if !taken[t.Name] {
			continue
		}
		if len(t.RawData) >= shareable {
			l.pinned.Pin(unsafe.SliceData(t.RawData))
			value, err := kernels.Share(options, t, true)
			if err != nil {
				l.close()
				return nil, nil, err
			}
			l.shared = append(l.shared, value)
			t = elsewhere(t)
		}
		g.Initializer = append(g.Initializer, t)
	}
	return onnx.WithGraph(m, g), l, nil
}

// takenIn are the values that a graph's nodes take, and its outputs.
func takenIn(g *onnx.GraphProto) map[string]bool {
	taken := map[string]bool{}
	for _, n := range g.Node {
		for _, in := range n.Input {
			taken[in] = true
		}
	}
	for _, out := range g.Output {
		taken[out.Name] = true
	}
	return taken
}

func (l *lent) close() {
	l.shared.close()
	l.pinned.Unpin()
}

// weights are the large initializers of a session that runs, beyond Go's memory. They
// lie in large pages: a network's last layers do little else than read them, a fifth faster from there.
type weights struct {
	region []byte
	shared
}

// line is how many bytes of memory the processor takes at once: kernels are slower on weights that begin elsewhere.
const line = 64

// share has sessions with some options take a graph's large initializers from a copy.
func share(g *onnx.GraphProto, options unsafe.Pointer) (*weights, error) {
	size := 0
	for _, t := range g.Initializer {
		if len(t.RawData) >= shareable {
			size += inLines(len(t.RawData))
		}
	}
	w := &weights{}
	if err := w.reserve(size); err != nil {
		return nil, err
	}
	at := 0
	for i, t := range g.Initializer {
		if len(t.RawData) < shareable {
			continue
		}
		data := w.region[at:][:len(t.RawData)]
		at += inLines(copy(data, t.RawData))
		t.RawData = data
		value, err := kernels.Share(options, t, false)
		if err != nil {
			return nil, errors.Join(err, w.close())
		}
		w.shared, g.Initializer[i] = append(w.shared, value), elsewhere(t)
	}
	return w, nil
}

func inLines(bytes int) int { return (bytes + line - 1) / line * line }

// reserve makes the region.
func (w *weights) reserve(size int) (err error) {
	if w.region, err = unix.Mmap(-1, 0, max(size, 1), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON); err != nil {
		return fmt.Errorf("%d bytes for weights: %w", size, err)
	}
	_ = unix.Madvise(w.region, unix.MADV_HUGEPAGE) // where the kernel has none, small ones do
	return nil
}

// close frees the weights; the session is closed by then.
func (w *weights) close() error {
	if w == nil {
		return nil
	}
	w.shared.close()
	return unix.Munmap(w.region)
}

// attach gives a model's tensors the data that they say is in a file, and returns what takes it away again.
func attach(m *onnx.ModelProto, file *os.File) (detach func() error, err error) {
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	data := []byte{}
	detach = func() error { return nil }
	if info.Size() > 0 {
		if data, err = unix.Mmap(int(file.Fd()), 0, int(info.Size()), unix.PROT_READ, unix.MAP_SHARED); err != nil {
			return nil, fmt.Errorf("map weights: %w", err)
		}
		detach = func() error { return unix.Munmap(data) }
	}
	for _, t := range m.Graph.Initializer {
		if t.GetDataLocation() != onnx.TensorProto_EXTERNAL {
			continue
		}
		from, errFrom := strconv.Atoi(external(t, "offset"))
		length, errLength := strconv.Atoi(external(t, "length"))
		if err := errors.Join(errFrom, errLength); err != nil || from < 0 || length < 0 || from+length > len(data) {
			return nil, errors.Join(fmt.Errorf("initializer %s: bytes %d to %d of %d: %w", t.Name, from, from+length, len(data), errors.Join(err, io.ErrUnexpectedEOF)), detach())
		}
		t.RawData = data[from : from+length : from+length]
		if length < shareable {
			t.RawData = slices.Clone(t.RawData) // which stays in the graph
		}
		t.DataLocation, t.ExternalData = onnx.TensorProto_DEFAULT, nil
	}
	return detach, nil
}

func external(t *onnx.TensorProto, key string) string {
	for _, e := range t.ExternalData {
		if e.Key == key {
			return e.Value
		}
	}
	return "0"
}
