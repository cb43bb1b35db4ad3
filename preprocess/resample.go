package preprocess

import (
	"image"
	"math"
	"sync"
)

// The resampler below computes what PIL's Image.resize computes, bit for bit: a
// triangle or cubic filter as wide as the reduction (so it antialiases), weights in 22-bit fixed point, first along rows and then along columns, with
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
	exact   []float64 // the weights of one output
}

type span struct{ first, n int }

// reset computes the filters for outputs from to from+count of a resize from
// size inputs to resized outputs.
func (t *taps) reset(size, resized, from, count int, by filter) {
	scale := float64(size) / float64(resized)
	stretch := max(scale, 1)
	support := by.support * stretch
	t.width = 2*int(math.Ceil(support)) + 1
	t.spans = grow(t.spans, count)
	t.weights = grow(t.weights, count*t.width)
	t.exact = grow(t.exact, t.width)
	exact := t.exact
	for i := range count {
		center := (float64(from+i) + 0.5) * scale
		first := max(0, int(center-support+0.5))
		n := min(size, int(center+support+0.5)) - first
		sum := 0.0
		for j := range n {
			exact[j] = by.at((float64(first+j) - center + 0.5) / stretch)
			sum += exact[j]
		}
		for j := range n {
			t.weights[i*t.width+j] = fixed(exact[j] / sum)
		}
		t.spans[i] = span{first, n}
	}
}

// fixed is a weight in fixed point, rounded half away from zero.
func fixed(weight float64) int32 {
	return int32(weight*(1<<weightBits) + math.Copysign(0.5, weight))
}

// filter is a kernel that is 0 from support on.
type filter struct {
	support float64
	at      func(x float64) float64
}

var filters = map[Interpolation]filter{Bilinear: {1, triangle}, Bicubic: {2, cubic}}

func triangle(x float64) float64 { return max(0, 1-math.Abs(x)) }

// cubic is the convolution kernel of Keys ("Cubic Convolution Interpolation for Digital
// Image Processing", 1981) with a = -1/2, in PIL's order of operations.
func cubic(x float64) float64 {
	const a = -0.5
	switch x = math.Abs(x); {
	case x < 1:
		return ((a+2)*x-(a+3))*x*x + 1
	case x < 2:
		return (((x-5)*x+8)*x - 4) * a
	}
	return 0
}

// first and end are the inputs that some output needs.
func (t *taps) first() int { return t.spans[0].first }
func (t *taps) end() int   { last := t.spans[len(t.spans)-1]; return last.first + last.n }

// resampler is the scratch memory of a resize.
type resampler struct {
	columns, rows taps
	source        rowReader
	narrow        []uint8 // the source rows that matter, resized along x
	sums          []int32 // one row
}

var resamplers = sync.Pool{New: func() any { return new(resampler) }}

// resize writes the window of part of img resized to size as RGB rows, stride
// bytes apart, to dst. The window lies within the size.
func resize(dst []uint8, stride int, img image.Image, part image.Rectangle, size image.Point, window image.Rectangle, by Interpolation) {
	s := resamplers.Get().(*resampler)
	defer resamplers.Put(s)
	s.columns.reset(part.Dx(), size.X, window.Min.X, window.Dx(), filters[by])
	s.rows.reset(part.Dy(), size.Y, window.Min.Y, window.Dy(), filters[by])
	s.narrowRows(img, part, window.Dx()*3)

	width, top := window.Dx()*3, s.rows.first()
	s.sums = grow(s.sums, width)
	for i, span := range s.rows.spans {
		weights := s.rows.weights[i*s.rows.width:][:span.n]
		sumRows(s.sums, s.narrow[(span.first-top)*width:], weights)
		round(dst[i*stride:][:width], s.sums)
	}
}

// narrowRows resizes along x what the window needs of the part, to rows of the
// given number of bytes.
func (s *resampler) narrowRows(img image.Image, part image.Rectangle, width int) {
	left, top := s.columns.first(), s.rows.first()
	needed := image.Rect(left, top, s.columns.end(), s.rows.end()).Add(part.Min)
	source := s.source.open(img, needed)
	s.narrow = grow(s.narrow, needed.Dy()*width)
	for y := range needed.Dy() {
		s.columns.alongRow(s.narrow[y*width:][:width], source.row(needed.Min.Y+y), left)
	}
}

// halfLevel is one half in the weights' precision, for rounding.
const halfLevel = 1 << (weightBits - 1)

// alongRow filters a row of RGBA pixels, which begins with input first, into RGB
// ones. Most filters have two or three taps, so that to take two at a time
// saves a quarter.
func (t *taps) alongRow(dst, src []uint8, first int) {
	for i, span := range t.spans {
		var r, g, b int32 = halfLevel, halfLevel, halfLevel
		weights := t.weights[i*t.width:][:span.n]
		pixels := src[(span.first-first)*4:][:span.n*4]
		for len(weights) >= 2 {
			p, w0, w1 := pixels[:7:7], weights[0], weights[1]
			r += int32(p[0])*w0 + int32(p[4])*w1
			g += int32(p[1])*w0 + int32(p[5])*w1
			b += int32(p[2])*w0 + int32(p[6])*w1
			pixels, weights = pixels[8:], weights[2:]
		}
		if len(weights) == 1 {
			p, w := pixels[:3:3], weights[0]
			r += int32(p[0]) * w
			g += int32(p[1]) * w
			b += int32(p[2]) * w
		}
		d := dst[i*3 : i*3+3 : i*3+3]
		d[0], d[1], d[2] = level(r), level(g), level(b)
	}
}

// sumRows sets sums to one half plus the weighted sum of consecutive rows.
func sumRows(sums []int32, rows []uint8, weights []int32) {
	for x := range sums {
		sums[x] = halfLevel
	}
	n := len(sums)
	for len(weights) >= 2 {
		a, b, w0, w1 := rows[:n], rows[n:][:n], weights[0], weights[1]
		for x := range sums {
			sums[x] += int32(a[x])*w0 + int32(b[x])*w1
		}
		rows, weights = rows[2*n:], weights[2:]
	}
	if len(weights) == 1 {
		w := weights[0]
		for x, v := range rows[:n] {
			sums[x] += int32(v) * w
		}
	}
}

func round(dst []uint8, sums []int32) {
	for x, sum := range sums {
		dst[x] = level(sum)
	}
}

// level is the pixel value of a sum, which the cubic filter may take beyond the range.
func level(sum int32) uint8 { return uint8(max(0, min(sum>>weightBits, 255))) }

// grow returns a slice of length n, of s's memory where that suffices.
func grow[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}
