package posthoc

import (
	"slices"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"
)

// bank is a large set of rows to compare images with. It is compared in tiles,
// so that the memory needed beside it does not grow with it.
type bank struct {
	rows  Matrix    // as given, not copied
	scale []float32 // that brings each row to unit length; 0 for a row of zeros
}

func newBank(rows Matrix) *bank { return &bank{rows, inverseNorms(rows)} }

func inverseNorms(m Matrix) []float32 {
	scale := make([]float32, m.Rows())
	parallel(len(scale), func(i int) {
		if n := norm(m.Row(i)); n > 0 {
			scale[i] = float32(1 / n)
		}
	})
	return scale
}

// tile is how many images and how many rows are compared at once: their product
// of a feature's size is computed in the first-level cache.
const tile = 64

// comparison is a tile of compare's work.
type comparison struct {
	image, row int    // the first of the images and of the bank's rows
	cosines    Matrix // [images,rows]; may be changed
	scratch    []float32
}

// compare calls visit with the cosines of all images to all of the bank's rows.
// An image's tiles come one at a time, in the rows' order; images in parallel.
func (b *bank) compare(images Matrix, visit func(c comparison)) {
	scale := inverseNorms(images)
	parallel((images.Rows()+tile-1)/tile, func(k int) {
		from := k * tile
		some := images.Slice(from, min(from+tile, images.Rows()))
		buffer, scratch := make([]float32, tile*tile), make([]float32, tile*tile)
		for first := 0; first < b.rows.Rows(); first += tile {
			cosines := products(some, b.rows.Slice(first, min(first+tile, b.rows.Rows())), buffer)
			for i := range some.Rows() {
				for j := range cosines.Row(i) {
					cosines.Row(i)[j] *= scale[from+i] * b.scale[first+j]
				}
			}
			visit(comparison{from, first, cosines, scratch})
		}
	})
}

// products returns the inner products of a's rows with b's, [a.Rows, b.Rows], in
// the given memory.
func products(a, b Matrix, memory []float32) Matrix {
	general := func(m Matrix) blas32.General {
		return blas32.General{Rows: m.Rows(), Cols: m.Cols, Stride: m.Cols, Data: m.Data}
	}
	c := Matrix{memory[:a.Rows()*b.Rows()], b.Rows()}
	blas32.Gemm(blas.NoTrans, blas.Trans, 1, general(a), general(b), 0, general(c))
	return c
}

// largest keeps the k largest values that it is shown: a heap, the smallest on
// top.
type largest []float32

func newLargest(n, k int) []largest {
	all := make([]largest, n)
	for i := range all {
		all[i] = make(largest, 0, k)
	}
	return all
}

func (l *largest) add(v float32) {
	h := *l
	if len(h) < cap(h) {
		h = append(h, v)
		if len(h) == cap(h) {
			slices.Sort(h) // a sorted slice is a heap
		}
		*l = h
		return
	}
	if v <= h[0] {
		return
	}
	at := 0
	for {
		child := 2*at + 1
		if child >= len(h) {
			break
		}
		if child+1 < len(h) && h[child+1] < h[child] {
			child++
		}
		if v <= h[child] {
			break
		}
		h[at] = h[child]
		at = child
	}
	h[at] = v
}
