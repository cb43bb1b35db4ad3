// Package features keeps what a network makes of a set of images in a file, from
// which it is streamed: a bank may be larger than memory. The files are
// safetensors, so that other programs can read them, too.
package features

import (
	"encoding/binary"
	"io"
	"iter"
	"os"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/posthoc"
)

// File is a posthoc.Bank in a file. It may be used from several goroutines.
type File struct {
	layout
	file   *os.File
	inputs string
}

// Open opens a file that a Writer wrote. Any other is ascood.Invalid.
func Open(path string) (*File, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, ascood.Errorf(ascood.Invalid, "%w", err)
	}
	f, err := read(file)
	if err != nil {
		file.Close()
		return nil, ascood.Errorf(ascood.Invalid, "%s: %w", path, err)
	}
	return f, nil
}

// mostHeader is far more than a header needs.
const mostHeader = 1 << 16

func read(file *os.File) (*File, error) {
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	start := make([]byte, min(info.Size(), lengthSize+mostHeader))
	if _, err := io.ReadFull(file, start); err != nil {
		return nil, err
	}
	if len(start) < lengthSize || binary.LittleEndian.Uint64(start) > uint64(len(start)-lengthSize) {
		return nil, ascood.Errorf(ascood.Invalid, "not a safetensors file")
	}
	length := binary.LittleEndian.Uint64(start)
	f := &File{file: file}
	f.layout, f.inputs, err = decode(start[lengthSize:lengthSize+length], info.Size())
	return f, err
}

// Inputs returns what the file was computed from, as Create was told.
func (f *File) Inputs() string { return f.inputs }

// Len returns the number of images.
func (f *File) Len() int { return f.images }

// Dim returns how many numbers a feature has.
func (f *File) Dim() int { return f.dim }

// Close frees the file; a temporary one is gone with that.
func (f *File) Close() error { return f.file.Close() }

// Blocks streams the images.
func (f *File) Blocks() iter.Seq2[*posthoc.Set, error] {
	return func(yield func(*posthoc.Set, error) bool) {
		for from := 0; from < f.images; from += posthoc.BlockRows {
			block, err := f.rows(from, min(from+posthoc.BlockRows, f.images))
			if !yield(block, err) || err != nil {
				return
			}
		}
	}
}

// Load reads all images into memory.
func (f *File) Load() (*posthoc.Set, error) { return f.rows(0, f.images) }

// rows reads images from up to but without to.
func (f *File) rows(from, to int) (*posthoc.Set, error) {
	feature, logits := make([]float32, (to-from)*f.dim), make([]float32, (to-from)*f.classes)
	labels := make([]int64, to-from)
	for _, part := range []struct {
		values     any
		start, end int
	}{
		{feature, f.feature(from), f.feature(to)}, {logits, f.logits(from), f.logits(to)}, {labels, f.label(from), f.label(to)},
	} {
		content := make([]byte, part.end-part.start)
		if _, err := f.file.ReadAt(content, int64(part.start)); err != nil {
			return nil, ascood.Errorf(ascood.Internal, "read features: %w", err)
		}
		if _, err := binary.Decode(content, binary.LittleEndian, part.values); err != nil {
			return nil, ascood.Errorf(ascood.Internal, "read features: %w", err)
		}
	}
	s := &posthoc.Set{Batch: posthoc.Batch{
		Feature: posthoc.Matrix{Data: feature, Cols: f.dim}, Logits: posthoc.Matrix{Data: logits, Cols: f.classes},
	}}
	for _, label := range labels {
		s.Labels = append(s.Labels, int(label))
	}
	return s, nil
}
