// Package windows writes what pools do to the elements of maps, and how that is differentiated, in operators that ONNX
// Runtime has in its blocked layout.
package windows

import "github.com/ascood/ascood/onnx"

// Places are elements along an axis, some of which may be beyond its ends.
type Places struct{ Stride, First, Count int }

// Whole are all places of an axis.
func Whole(size int) Places { return Places{1, 0, size} }

// Take takes elements of maps, times a factor, and zeros where there are none: by a convolution of each channel.
func Take(b *onnx.Builder, x string, factor float32, rows, columns Places) string {
	s := shape(b, x)
	if factor == 1 && rows == Whole(s[2].Size) && columns == Whole(s[3].Size) {
		return x
	}
	var kernel, strides, before, after [2]int
	at := 0
	for i, p := range []Places{rows, columns} {
		size := s[i+2].Size
		before[i] = max(0, -p.First)
		from := p.First + before[i]
		kernel[i] = max(from+1, size+before[i]-p.Count*p.Stride+1) // no more windows than places
		after[i] = max(0, (p.Count-1)*p.Stride+kernel[i]-size-before[i])
		strides[i] = p.Stride
		at = at*kernel[i] + from
	}
	numbers := make([]float32, kernel[0]*kernel[1])
	numbers[at] = factor
	return Filter(b, x, kernel, numbers, onnx.Ints("strides", strides[:]...), onnx.Ints("pads", before[0], before[1], after[0], after[1]))
}

// Filter is a convolution of each channel by the same kernel. It is in the blocked layout, whatever maps it is given.
func Filter(b *onnx.Builder, maps string, kernel [2]int, numbers []float32, more ...onnx.Attr) string {
	channels := shape(b, maps)[1].Size
	weight := b.Op("Expand", []string{b.Const([]int{1, 1, kernel[0], kernel[1]}, numbers...), b.Int64s(channels, 1, 1, 1)})
	return b.Op("Conv", []string{maps, weight}, append(more, onnx.Int("group", channels), onnx.Ints("kernel_shape", kernel[:]...))...)
}

// shape is that of maps, which b knows.
func shape(b *onnx.Builder, maps string) onnx.Shape {
	s, err := b.Shape(maps)
	if err != nil || len(s) != 4 {
		b.Fail(err)
		return onnx.Static(1, 1, 1, 1)
	}
	return s
}
