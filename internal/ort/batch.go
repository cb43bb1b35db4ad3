package ort

import (
	"fmt"

	"github.com/ascood/ascood/onnx"
)

// paddedSizes are the batches that a GPU computes, ascending; others are padded to the
// next size or cut. Each has a program of its own, in which the number of images is
// fixed: cuDNN's convolutions remember the plan of one shape alone, so that a program
// that is given two in turn plans at every run, which takes several times as long as
// the run.
var paddedSizes = []int{1, 8, 32}

// piece is a part of a batch that is computed at once.
type piece struct{ from, to, size int } // images from:to, padded to size

// pieces cuts a batch of n images into pieces of the given sizes.
func pieces(n int, sizes []int) []piece {
	var cut []piece
	for from := 0; from < n; {
		size := sizes[len(sizes)-1]
		for i := len(sizes) - 1; i >= 0 && sizes[i] >= n-from; i-- {
			size = sizes[i]
		}
		to := min(from+size, n)
		cut = append(cut, piece{from, to, size})
		from = to
	}
	return cut
}

// cutAt cuts a batch of n images into pieces of at most so many.
func cutAt(n, most int) []piece {
	var cut []piece
	for from := 0; from < n; from += most {
		to := min(from+most, n)
		cut = append(cut, piece{from, to, to - from})
	}
	return cut
}

// batched returns which inputs or outputs have a row for each image: those whose first
// size is the batch's symbol, or 1 in a graph that takes one image at a time, and those
// of which the graph does not say the shape.
func batched(values []*onnx.ValueInfoProto, singly bool) map[string]bool {
	names := map[string]bool{}
	for _, v := range values {
		shape := v.GetType().GetTensorType().GetShape()
		if shape == nil || len(shape.Dim) > 0 && shape.Dim[0].GetDimParam() == batchDim || singly && ofOne(v) {
			names[v.Name] = true
		}
	}
	return names
}

// ofOne reports whether a value is of one image, whatever the batch.
func ofOne(v *onnx.ValueInfoProto) bool {
	dims := v.GetType().GetTensorType().GetShape().GetDim()
	return len(dims) > 0 && dims[0].GetDimValue() == 1
}

// batchSize returns how many images the batched inputs are of.
func batchSize(inputs map[string]Value, batched map[string]bool) (int, error) {
	n := 0
	for name := range batched {
		v, ok := inputs[name]
		if !ok {
			return 0, fmt.Errorf("no value for input %q", name)
		}
		if len(v.Shape) == 0 || v.Shape[0] == 0 || v.elements() != v.len() {
			return 0, fmt.Errorf("input %s: %d elements are no batch of the shape %v", name, v.len(), v.Shape)
		}
		if n != 0 && v.Shape[0] != n {
			return 0, fmt.Errorf("input %s: it is of %d images, another input of %d", name, v.Shape[0], n)
		}
		n = v.Shape[0]
	}
	return n, nil
}

// part returns the images of a piece of v, the last one repeated as padding: what a
// graph computes of a real image is sound.
func (p piece) part(v Value) Value {
	shape := append([]int{p.size}, v.Shape[1:]...)
	switch data := v.Data.(type) {
	case []float32:
		return Value{shape, rows(data, v.Shape[0], p)}
	case []float64:
		return Value{shape, rows(data, v.Shape[0], p)}
	case []int64:
		return Value{shape, rows(data, v.Shape[0], p)}
	case []uint8:
		return Value{shape, rows(data, v.Shape[0], p)}
	}
	return v // upload says that it cannot be handled
}

func rows[T any](data []T, n int, p piece) []T {
	each := len(data) / n
	part := data[p.from*each : p.to*each]
	if p.to-p.from == p.size {
		return part
	}
	padded := append(make([]T, 0, p.size*each), part...)
	for len(padded) < p.size*each {
		padded = append(padded, part[len(part)-each:]...)
	}
	return padded
}

// join appends the first n rows of part to v, which may be empty.
func join(v, part Value, n int) Value {
	shape := append([]int{n}, part.Shape[1:]...)
	if len(v.Shape) > 0 {
		shape[0] += v.Shape[0]
	}
	switch data := part.Data.(type) {
	case []float32:
		return Value{shape, append(v.Floats(), data[:len(data)/part.Shape[0]*n]...)}
	case []float64:
		return Value{shape, append(v.Doubles(), data[:len(data)/part.Shape[0]*n]...)}
	case []int64:
		return Value{shape, append(v.Ints(), data[:len(data)/part.Shape[0]*n]...)}
	case []uint8:
		before, _ := v.Data.([]uint8)
		return Value{shape, append(before, data[:len(data)/part.Shape[0]*n]...)}
	}
	return part
}
