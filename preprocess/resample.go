package preprocess

import (
	"image"
	"math"
	"sync"
)

// The resampler below computes what PIL's Image.resize(BILINEAR) computes, bit
// for bit: a triangle filter as wide as the reduction (so it antialiases),
// weights in 22-bit fixed point, first along rows and then along columns, with
// the intermediate result rounded to 8 bits. Floating point would break ties
// at random, which at reductions by powers of two are every eighth value.
//
// It computes only the wanted window of the resized image. A 1x50000 image
// resized to a shorter side of 256 would have 3 billion pixels.

// weightBits is the precision of a weight: 8 bits of pixel, 22 of weight and
// a sign and spare bit fill an int32.
const weightBits = 32 - 8 - 2

// taps are the filters of consecutive output positions along one axis. Output
// i is the sum over j < n of weights[i·width+j] · input[first+j].
type taps struct {
	spans   []span
	weights []int32
	width   int
}

type span struct{ first, n int }

// reset computes the filters for outputs from to from+count of a resize from
// size inputs to resized outputs.
func (t *taps) reset(size, resized, from, count int) {
	scale := float64(size) / float64(resized)
	support := max(scale, 1)
	t.width = 2*int(math.Ceil(support)) + 1
	t.spans = grow(t.spans, count)
	t.weights = grow(t.weights, count*t.width)
	exact := make([]float64, t.width)
	for i := range count {
		center := (float64(from+i) + 0.5) * scale
		first := max(0, int(center-support+0.5))
		n := min(size, int(center+support+0.5)) - first
		sum := 0.0
		for j := range n {
			exact[j] = max(0, 1-math.Abs((float64(first+j)-center+0.5)/support))
			sum += exact[j]
		}
		for j := range n {
			t.weights[i*t.width+j] = int32(exact[j]/sum*(1<<weightBits) + 0.5)
		}
		t.spans[i] = span{first, n}
	}
}

// resampler is the scratch memory of a resize.
type resampler struct {
	columns, rows taps
	narrow        []uint8 // the source rows that matter, resized along x
	sums          []int32 // one row
}

var resamplers = sync.Pool{New: func() any { return new(resampler) }}

// resize writes the window of src resized to size as RGB rows, stride bytes
// apart, to dst. The window lies within the size.
func resize(dst []uint8, stride int, src *image.NRGBA, size image.Point, window image.Rectangle) {
	s := resamplers.Get().(*resampler)
	defer resamplers.Put(s)
	s.columns.reset(src.Rect.Dx(), size.X, window.Min.X, window.Dx())
	s.rows.reset(src.Rect.Dy(), size.Y, window.Min.Y, window.Dy())

	last := s.rows.spans[len(s.rows.spans)-1]
	top, bottom := s.rows.spans[0].first, last.first+last.n
	width := window.Dx() * 3
	s.narrow = grow(s.narrow, (bottom-top)*width)
	s.sums = grow(s.sums, width)
	for y := top; y < bottom; y++ {
		s.columns.alongRow(s.narrow[(y-top)*width:][:width], src.Pix[y*src.Stride:])
	}
	for i, span := range s.rows.spans {
		weights := s.rows.weights[i*s.rows.width:][:span.n]
		sumRows(s.sums, s.narrow[(span.first-top)*width:], weights)
		round(dst[i*stride:][:width], s.sums)
	}
}

// alongRow filters a row of RGBA pixels into RGB ones.
func (t *taps) alongRow(dst, src []uint8) {
	for i, span := range t.spans {
		var r, g, b int32 = 1 << (weightBits - 1), 1 << (weightBits - 1), 1 << (weightBits - 1)
		pixels := src[span.first*4:][:span.n*4]
		for _, w := range t.weights[i*t.width:][:span.n] {
			r += int32(pixels[0]) * w
			g += int32(pixels[1]) * w
			b += int32(pixels[2]) * w
			pixels = pixels[4:]
		}
		d := dst[i*3 : i*3+3 : i*3+3]
		d[0], d[1], d[2] = level(r), level(g), level(b)
	}
}

// sumRows sets sums to one half plus the weighted sum of consecutive rows.
func sumRows(sums []int32, rows []uint8, weights []int32) {
	for x := range sums {
		sums[x] = 1 << (weightBits - 1)
	}
	for _, w := range weights {
		row := rows[:len(sums)]
		for x, v := range row {
			sums[x] += int32(v) * w
		}
		rows = rows[len(sums):]
	}
}

func round(dst []uint8, sums []int32) {
	for x, sum := range sums {
		dst[x] = level(sum)
	}
}

// level is the pixel value of a sum of weights that exceeds 1 by rounding only.
func level(sum int32) uint8 { return uint8(min(sum>>weightBits, 255)) }

// grow returns a slice of length n, of s's memory where that suffices.
func grow[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}
