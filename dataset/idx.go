package dataset

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"image"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/preprocess"
)

// idx is a set of gray images in the format of the MNIST family.
type idx struct {
	name          string // of the images file
	width, height int
	pixels        []uint8 // [n, height, width]
	labels        []uint8 // [n]; nil if unlabelled
}

// OpenIDX reads an IDX file of unsigned bytes [n, height, width], the format of
// the MNIST family, and one of labels [n], each plain or gzipped. Without a
// labels file ("") the images are unlabelled. A file that is something else, is
// truncated or has data left over, or a number of labels other than that of the
// images is ascood.Invalid.
func OpenIDX(images, labels string) (Dataset, error) {
	shape, pixels, err := readIDXFile(images, 3)
	if err != nil {
		return nil, err
	}
	d := &idx{
		name:   strings.TrimSuffix(filepath.Base(images), ".gz"),
		height: shape[1], width: shape[2], pixels: pixels,
	}
	if labels == "" {
		return d, nil
	}
	_, d.labels, err = readIDXFile(labels, 1)
	if err != nil {
		return nil, err
	}
	if len(d.labels) != d.Len() {
		return nil, ascood.Errorf(ascood.Invalid, "%s has %d labels for the %d images of %s",
			labels, len(d.labels), d.Len(), images)
	}
	return d, nil
}

func (d *idx) Len() int          { return len(d.pixels) / (d.width * d.height) }
func (d *idx) Name(i int) string { return fmt.Sprintf("%s[%d]", d.name, i) }

func (d *idx) Label(i int) int {
	if d.labels == nil {
		return Unlabelled
	}
	return int(d.labels[i])
}

func (d *idx) Load(_ context.Context, i int, _ preprocess.Reading) (image.Image, error) {
	size := d.width * d.height
	return &image.Gray{Pix: d.pixels[i*size:][:size:size], Stride: d.width, Rect: image.Rect(0, 0, d.width, d.height)}, nil
}

func (d *idx) Digest(h hash.Hash, picked []int) error {
	fmt.Fprintf(h, "IDX %dx%d ", d.width, d.height)
	size := d.width * d.height
	for _, i := range picked {
		fmt.Fprintf(h, "%q %d ", d.Name(i), d.Label(i))
		h.Write(d.pixels[i*size:][:size])
	}
	return nil
}

func readIDXFile(path string, dims int) (shape []int, data []uint8, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, ascood.Errorf(ascood.Invalid, "%w", err)
	}
	defer f.Close()
	r, err := gunzip(f)
	if err == nil {
		shape, data, err = readIDX(r, dims)
	}
	if err != nil {
		return nil, nil, ascood.Errorf(ascood.Invalid, "%s: %w", path, err)
	}
	return shape, data, nil
}

// gunzip returns what r holds, decompressed if it is gzipped.
func gunzip(r io.Reader) (io.Reader, error) {
	buffered := bufio.NewReader(r)
	if magic, _ := buffered.Peek(2); string(magic) != "\x1f\x8b" {
		return buffered, nil
	}
	return gzip.NewReader(buffered)
}

// maxIDX bounds what a header may claim: 2 GiB, 45 times MNIST.
const maxIDX = 1 << 31

// idxType is the third byte of the magic number of unsigned bytes.
const idxType = 0x08

// readIDX reads an IDX array of unsigned bytes with the given number of
// dimensions, none of them 0. It takes memory as data arrives, whatever the
// header claims.
func readIDX(r io.Reader, dims int) (shape []int, data []uint8, err error) {
	header := make([]uint8, 4+4*dims)
	if _, err := io.ReadFull(r, header[:4]); err != nil {
		return nil, nil, truncated("header", err)
	}
	if want := []uint8{0, 0, idxType, uint8(dims)}; string(header[:4]) != string(want) {
		return nil, nil, fmt.Errorf("not an IDX file of unsigned bytes in %d dimensions: begins with % x, want % x", dims, header[:4], want)
	}
	if _, err := io.ReadFull(r, header[4:]); err != nil {
		return nil, nil, truncated("header", err)
	}
	total := 1
	for i := range dims {
		side := int(binary.BigEndian.Uint32(header[4+4*i:]))
		if side == 0 || side > maxIDX/total {
			return nil, nil, fmt.Errorf("dimension %d is %d: must be at least 1 and make no more than %d bytes", i, side, maxIDX)
		}
		shape = append(shape, side)
		total *= side
	}
	data, err = io.ReadAll(io.LimitReader(r, int64(total)+1))
	switch {
	case err != nil:
		return nil, nil, truncated("data", err)
	case len(data) < total:
		return nil, nil, fmt.Errorf("truncated: %d bytes of data, want %v = %d", len(data), shape, total)
	case len(data) > total:
		return nil, nil, fmt.Errorf("data left over after %v = %d bytes", shape, total)
	}
	return shape, data, nil
}

func truncated(part string, err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("truncated %s", part)
	}
	return fmt.Errorf("%s: %w", part, err)
}
