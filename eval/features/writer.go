package features

import (
	"encoding/binary"
	"os"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/internal/atomicfile"
	"github.com/ascood/ascood/posthoc"
)

// Writer writes a File as the images come.
type Writer struct {
	layout
	path    string // "" for a temporary file
	inputs  string
	file    *os.File
	pending *atomicfile.File // of file, unless it is temporary
	written int              // images
}

// Create begins a file of so many images that were computed from the inputs. It
// appears at path with Finish. With path empty it has no name, and its room is
// free again when it is closed or the process ends.
func Create(path, inputs string, images int) (*Writer, error) {
	w := &Writer{layout: layout{images: images}, path: path, inputs: inputs}
	var err error
	if path == "" {
		w.file, err = createTemporary()
		return w, err
	}
	if w.pending, err = atomicfile.Create(path); err != nil {
		return nil, err
	}
	w.file = w.pending.File
	return w, nil
}

func createTemporary() (*os.File, error) {
	f, err := os.CreateTemp("", "ascood-features-*")
	if err != nil {
		return nil, ascood.Errorf(ascood.Invalid, "features: %w", err)
	}
	if err := os.Remove(f.Name()); err != nil {
		f.Close()
		return nil, ascood.Errorf(ascood.Invalid, "features: %w", err)
	}
	return f, nil
}

// Write appends images, at least one.
func (w *Writer) Write(s *posthoc.Set) error {
	if err := w.write(s); err != nil {
		where := w.path
		if where == "" {
			where = os.TempDir() + " (TMPDIR names another folder)"
		}
		return ascood.Errorf(ascood.Invalid, "write features of %d images to %s: %w", w.images, where, err)
	}
	return nil
}

func (w *Writer) write(s *posthoc.Set) error {
	if w.written == 0 {
		w.dim, w.classes = s.Feature.Cols, s.Logits.Cols
		header, err := w.encode(w.inputs)
		if err != nil {
			return err
		}
		if _, err := w.file.WriteAt(header, 0); err != nil {
			return err
		}
	}
	labels := make([]int64, s.Len())
	for i, label := range s.Labels {
		labels[i] = int64(label)
	}
	for _, rows := range []struct {
		values any
		at     int
	}{{s.Feature.Data, w.feature(w.written)}, {s.Logits.Data, w.logits(w.written)}, {labels, w.label(w.written)}} {
		content, err := binary.Append(nil, binary.LittleEndian, rows.values)
		if err != nil {
			return err
		}
		if _, err := w.file.WriteAt(content, int64(rows.at)); err != nil {
			return err
		}
	}
	w.written += s.Len()
	return nil
}

// Finish ends the writing, and opens the file. There may be fewer images than Create
// was told, but not none and not more.
func (w *Writer) Finish() (*File, error) {
	if w.written == 0 || w.written > w.images {
		return nil, ascood.Errorf(ascood.Internal, "features of %d images, %d were announced", w.written, w.images)
	}
	if w.written < w.images {
		if err := w.shrink(); err != nil {
			return nil, ascood.Errorf(ascood.Invalid, "write features of %d images: %w", w.written, err)
		}
	}
	if w.pending == nil {
		f := &File{file: w.file, layout: w.layout, inputs: w.inputs}
		w.file = nil
		return f, nil
	}
	if err := w.pending.Commit(); err != nil {
		return nil, err
	}
	return Open(w.path)
}

// shrink moves the tensors together to where they lie in a file of the images written.
func (w *Writer) shrink() error {
	from := w.layout
	w.images = w.written
	header, err := w.encode(w.inputs)
	if err != nil {
		return err
	}
	for _, part := range [][3]int{
		{from.feature(0), w.feature(0), w.feature(w.images)},
		{from.logits(0), w.logits(0), w.logits(w.images)},
		{from.label(0), w.label(0), w.label(w.images)},
	} {
		if err := w.move(part[0], part[1], part[2]-part[1]); err != nil {
			return err
		}
	}
	if _, err := w.file.WriteAt(header, 0); err != nil {
		return err
	}
	return w.file.Truncate(int64(w.label(w.images)))
}

// move moves size bytes of the file towards its beginning.
func (w *Writer) move(from, to, size int) error {
	block := make([]byte, 1<<20)
	for done := 0; done < size; {
		n := min(size-done, len(block))
		if _, err := w.file.ReadAt(block[:n], int64(from+done)); err != nil {
			return err
		}
		if _, err := w.file.WriteAt(block[:n], int64(to+done)); err != nil {
			return err
		}
		done += n
	}
	return nil
}

// Discard drops what was written; after Finish it does nothing.
func (w *Writer) Discard() {
	if w.pending != nil {
		w.pending.Discard()
	} else if w.file != nil {
		w.file.Close()
	}
}
