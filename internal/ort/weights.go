package ort

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ascood/ascood/internal/kernels"
	"github.com/ascood/ascood/onnx"
)

// weights are initializers that a session takes from where they lie, beyond Go's memory: to write them into a file for
// it, and to read them from there, would take as long as all else that loading does.
type weights struct {
	maps   [][]byte
	shared []kernels.Shared
}

// shareable is the size from which initializers are shared, in bytes.
const shareable = 1 << 10

// Where a file says that the data of shared initializers is. ONNX Runtime reads nothing of it, but wants it to be there.
const dataFolder, dataFile = "/proc/self", "maps"

// line is how many bytes of memory the processor takes at once: kernels are slower on weights that begin elsewhere.
const line = 64

// read maps a file, whose tensors a model calls external, and has them in their places.
func (w *weights) read(m *onnx.ModelProto, file *os.File) error {
	info, err := file.Stat()
	if err != nil || info.Size() == 0 {
		return err
	}
	data, err := unix.Mmap(int(file.Fd()), 0, int(info.Size()), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return fmt.Errorf("map weights: %w", err)
	}
	w.maps = append(w.maps, data)
	for _, t := range m.Graph.Initializer {
		if t.GetDataLocation() != onnx.TensorProto_EXTERNAL {
			continue
		}
		from, errFrom := strconv.Atoi(external(t, "offset"))
		length, errLength := strconv.Atoi(external(t, "length"))
		if err := errors.Join(errFrom, errLength); err != nil || from < 0 || length < 0 || from+length > len(data) {
			return fmt.Errorf("initializer %s: bytes %d to %d of %d: %w", t.Name, from, from+length, len(data), errors.Join(err, io.ErrUnexpectedEOF))
		}
		t.RawData = data[from : from+length : from+length]
		t.DataLocation, t.ExternalData = onnx.TensorProto_DEFAULT, nil
	}
	return nil
}

func external(t *onnx.TensorProto, key string) string {
	for _, e := range t.ExternalData {
		if e.Key == key {
			return e.Value
		}
	}
	return "0"
}

// room returns zeros that lie beyond Go's memory.
func (w *weights) room(n int) ([]byte, error) {
	data, err := unix.Mmap(-1, 0, max(n, 1), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return nil, fmt.Errorf("memory for weights: %w", err)
	}
	w.maps = append(w.maps, data)
	return data[:n], nil
}

// forget gives back the memory of those initializers of a graph before it was rewritten that are gone.
func (w *weights) forget(before []*onnx.TensorProto, g *onnx.GraphProto) {
	kept := onnx.Constants(g)
	for _, t := range before {
		if kept[t.Name] != nil || len(t.RawData) < shareable || !w.holds(t.RawData) {
			continue
		}
		page := uintptr(os.Getpagesize())
		from := -uintptr(unsafe.Pointer(&t.RawData[0])) % page // to the first whole page
		if n := (uintptr(len(t.RawData)) - from) / page * page; from < uintptr(len(t.RawData)) && n > 0 {
			_ = unix.Madvise(t.RawData[from:from+n], unix.MADV_REMOVE) // without it there is more memory in use, no more
		}
	}
}

// share has sessions with some options take a graph's large initializers from where they lie.
func (w *weights) share(g *onnx.GraphProto, options unsafe.Pointer) error {
	for _, t := range g.Initializer {
		if len(t.RawData) < shareable {
			continue
		}
		if !w.holds(t.RawData) || uintptr(unsafe.Pointer(&t.RawData[0]))%line != 0 {
			place, err := w.room(len(t.RawData))
			if err != nil {
				return err
			}
			copy(place, t.RawData)
			t.RawData = place
		}
		value, err := kernels.Share(options, t)
		if err != nil {
			return err
		}
		w.shared = append(w.shared, value)
		t.RawData, t.DataLocation = nil, onnx.TensorProto_EXTERNAL
		t.ExternalData = []*onnx.StringStringEntryProto{{Key: "location", Value: dataFile}}
	}
	return nil
}

func (w *weights) holds(data []byte) bool {
	for _, m := range w.maps {
		if within := uintptr(unsafe.Pointer(&data[0])) - uintptr(unsafe.Pointer(&m[0])); within < uintptr(len(m)) {
			return true
		}
	}
	return false
}

// close frees the weights; the session is closed by then.
func (w *weights) close() error {
	if w == nil {
		return nil
	}
	var errs []error
	for _, s := range w.shared {
		s.Close()
	}
	for _, m := range w.maps {
		errs = append(errs, unix.Munmap(m))
	}
	return errors.Join(errs...)
}
