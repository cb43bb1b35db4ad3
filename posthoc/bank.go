package posthoc

import (
	"iter"
	"slices"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"
)

// Bank is a set of labelled images that need not fit into memory: they come in
// blocks, in the same order each time. Its methods may be called concurrently.
type Bank interface {
	Len() int
	// Blocks yields runs of at most BlockRows images. A block's memory is the
	// bank's own: it is not to be changed, nor kept beyond the loop's body. The
	// first error ends the sequence.
	Blocks() iter.Seq2[*Set, error]
}

// BlockRows is how many images a Bank yields at most at once. It bounds the
// memory of what is computed in double precision or for many images at a time.
const BlockRows = 1024

// Len returns the number of images.
func (s *Set) Len() int { return s.Logits.Rows() }

// Blocks makes a set in memory a Bank.
func (s *Set) Blocks() iter.Seq2[*Set, error] {
	return func(yield func(*Set, error) bool) {
		for from := 0; from < s.Len(); from += BlockRows {
			to := min(from+BlockRows, s.Len())
			block := &Set{
				Batch:  Batch{Logits: s.Logits.Slice(from, to), Feature: s.Feature.Slice(from, to)},
				Labels: s.Labels[from:to],
			}
			if !yield(block, nil) {
				return
			}
		}
	}
}

// tile is how many images and how many of a bank's are compared at once: their
// product of a feature's size is computed in the first-level cache.
const tile = 64

// comparison is a tile of compare's work: some images beside some of a block.
type comparison struct {
	image, row int    // the first of the images, and of the block's
	cosines    Matrix // [images,rows] of their features
	scratch    []float32
}

// comparer is a method that compares images with a bank. Several share the way
// through it.
type comparer interface {
	Method
	compared() Bank
	// begin starts to score images. For each block of the bank in turn, prepare
	// makes a visit, which is called with every tile; an image's tiles come one at
	// a time, in the bank's order, images in parallel. finish gives the scores.
	begin(b *Batch) (prepare func(block *Set) (visit func(comparison)), finish func() []float64)
}

// scoreCompared is Score of a comparer.
func scoreCompared(m comparer, b *Batch) ([]float64, error) {
	scores, err := compare(m.compared(), b, []comparer{m})
	if err != nil {
		return nil, err
	}
	return scores[0], nil
}

// compare goes once through a bank, and returns the scores of each method. The
// memory needed does not grow with the bank.
func compare(bank Bank, b *Batch, methods []comparer) ([][]float64, error) {
	prepare, finish := make([]func(*Set) func(comparison), len(methods)), make([]func() []float64, len(methods))
	for i, m := range methods {
		prepare[i], finish[i] = m.begin(b)
	}
	images, scale := b.Feature, inverseNorms(b.Feature)
	tiles := (images.Rows() + tile - 1) / tile
	memory := make([][2 * tile * tile]float32, tiles)
	visits := make([]func(comparison), len(methods))
	for block, err := range bank.Blocks() {
		if err != nil {
			return nil, err
		}
		for i := range methods {
			visits[i] = prepare[i](block)
		}
		blockScale := inverseNorms(block.Feature)
		parallel(tiles, func(k int) {
			from := k * tile
			some := images.Slice(from, min(from+tile, images.Rows()))
			product, scratch := memory[k][:tile*tile], memory[k][tile*tile:]
			for first := 0; first < block.Len(); first += tile {
				cosines := products(some, block.Feature.Slice(first, min(first+tile, block.Len())), product)
				for i := range some.Rows() {
					for j := range cosines.Row(i) {
						cosines.Row(i)[j] *= scale[from+i] * blockScale[first+j]
					}
				}
				for _, visit := range visits {
					visit(comparison{from, first, cosines, scratch})
				}
			}
		})
	}
	scores := make([][]float64, len(methods))
	for i := range methods {
		scores[i] = finish[i]()
	}
	return scores, nil
}

// inverseNorms returns what brings each row to unit length, 0 for a row of zeros.
func inverseNorms(m Matrix) []float32 {
	scale := make([]float32, m.Rows())
	parallel(len(scale), func(i int) {
		if n := norm(m.Row(i)); n > 0 {
			scale[i] = float32(1 / n)
		}
	})
	return scale
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
