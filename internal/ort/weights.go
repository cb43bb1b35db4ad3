package ort

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ascood/ascood/internal/kernels"
	"github.com/ascood/ascood/onnx"
)

// weights are the large initializers of a session, which takes them from where they lie, beyond Go's memory: to write
// them into a file for it, and to read them from there, would take as long as all else that loading does. They
// lie in large pages: a network's last layers do little else than read them, a fifth faster from there.
type weights struct {
	region []byte
	shared []kernels.Shared
}

// shareable is the size from which initializers are shared, in bytes.
const shareable = 1 << 10

// line is how many bytes of memory the processor takes at once: kernels are slower on weights that begin elsewhere.
const line = 64

// Where a file says that the data of shared initializers is. ONNX Runtime reads nothing of it, but wants it to be there.
const dataFolder, dataFile = "/proc/self", "maps"

// share has sessions with some options take a graph's large initializers from a copy.
func share(g *onnx.GraphProto, options unsafe.Pointer) (*weights, error) {
	var large []*onnx.TensorProto
	size := 0
	for _, t := range g.Initializer {
		if len(t.RawData) >= shareable {
			large = append(large, t)
			size += inLines(len(t.RawData))
		}
	}
	w := &weights{}
	if err := w.reserve(size); err != nil {
		return nil, err
	}
	for at := 0; len(large) > 0; large = large[1:] {
		t, data := large[0], w.region[at:][:len(large[0].RawData)]
		at += inLines(copy(data, t.RawData))
		t.RawData = data
		value, err := kernels.Share(options, t)
		if err != nil {
			return nil, errors.Join(err, w.close())
		}
		w.shared = append(w.shared, value)
		t.RawData, t.DataLocation = nil, onnx.TensorProto_EXTERNAL
		t.ExternalData = []*onnx.StringStringEntryProto{{Key: "location", Value: dataFile}}
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
	for _, s := range w.shared {
		s.Close()
	}
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
