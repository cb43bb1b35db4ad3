package posthoc

import (
	"fmt"
	"iter"

	"github.com/ascood/ascood/onnx"
)

// Bank is a set of labelled images that need not fit into memory: they come in
// blocks, in the same order each time. Its methods may be called concurrently.
type Bank interface {
	Len() int
	Dim() int // numbers of a feature
	// Blocks yields runs of at most BlockRows images. A block's memory is the
	// bank's own: it is not to be changed, nor kept beyond the loop's body. The
	// first error ends the sequence.
	Blocks() iter.Seq2[*Set, error]
}

// BlockRows is how many images a Bank yields at most at once. It bounds the
// memory of what is computed in double precision or for many images at a time.
const BlockRows = 4096

// Dim returns how many numbers a feature has.
func (s *Set) Dim() int { return s.Feature.Cols }

// Blocks makes a set in memory a Bank.
func (s *Set) Blocks() iter.Seq2[*Set, error] {
	return func(yield func(*Set, error) bool) {
		for from := 0; from < s.Len(); from += BlockRows {
			if !yield(s.slice(from, min(from+BlockRows, s.Len())), nil) {
				return
			}
		}
	}
}

// slice returns images from up to but without to, which share the set's memory.
func (s *Set) slice(from, to int) *Set {
	return &Set{Batch{Logits: s.Logits.Slice(from, to), Feature: s.Feature.Slice(from, to)}, s.Labels[from:to]}
}

// comparer is a method that compares images with a bank. In a Part the bank is there as
// a whole, or comes tile by tile: then what a method keeps of the tiles before is an
// input beside the next one, and memory does not grow with the bank.
type comparer interface {
	Method
	compared() Bank
}

// BankPrefix begins the names of what is compared of a bank's images, which an artifact
// has as constants.
const BankPrefix = "bank/"

// What is compared of a bank's images, float32.
const (
	bankUnit        = BankPrefix + "unit"        // unit(h), [R,D]
	bankEnergy      = BankPrefix + "energy"      // E(z), [R]
	bankProbability = BankPrefix + "probability" // p, [R,C]
)

// banked returns what is compared of a block of a bank, by the names above, of those
// that are asked for.
func banked(name string, block *Set) Matrix {
	switch name {
	case bankUnit:
		return units(block.Feature)
	case bankEnergy:
		return Matrix{energies(block.Logits), 1}
	}
	return probabilities(block.Logits)
}

// merge is what a method keeps of the tiles of a bank: an output of the part that is an
// input with the next tile.
type merge struct {
	in, out string
	width   int     // values for each image
	start   float32 // each of them before the first tile
	double  bool    // float64, else float32
}

// keep makes kept, [N,width], what is kept of the tiles so far. combine takes its name,
// and that of what was kept of those before.
func (p *Part) keep(kept string, width int, start float32, double bool, combine func(before string) string) string {
	if p.merges == nil {
		return kept
	}
	in := p.Input(fmt.Sprintf("kept/%d", len(*p.merges)), "", elementType(double), onnx.Batch, width)
	out := combine(in)
	*p.merges = append(*p.merges, merge{in, out, width, start, double})
	return out
}

func elementType(double bool) onnx.TensorProto_DataType {
	if double {
		return onnx.TensorProto_DOUBLE
	}
	return onnx.TensorProto_FLOAT
}

// topOfBank is the k largest over the whole bank of values [N,R], [N,k].
func (p *Part) topOfBank(values string, k int) string {
	top := func(x string) string {
		return p.Ops("TopK", 2, []string{x, p.Int64s(k)}, onnx.Int("axis", 1), onnx.Int("sorted", 0))[0]
	}
	if p.merges == nil {
		return top(values)
	}
	const none = -1e30 // less than any cosine, times any energy
	return p.keep(values, k, none, false, func(before string) string {
		return top(p.Op("Concat", []string{before, values}, onnx.Int("axis", 1)))
	})
}

// sumOverBank is the sum over the whole bank of values [N,R], [N,1].
func (p *Part) sumOverBank(values string) string {
	sum := p.sum(p.double(values))
	return p.keep(sum, 1, 0, true, func(before string) string { return p.add(before, sum) })
}

// cosines are the inner products of the images' unit(h) with the bank's, float32 [N,R].
func (p *Part) cosines() string {
	return p.share("cosines", func() string {
		h := p.Feature()
		unit := p.div(h, p.atLeast(p.length(h), p.number(tiny)))
		return p.products(p.single(unit), p.banked(bankUnit, "D"))
	})
}

// agreements are the inner products of the images' p with the bank's, float32 [N,R].
func (p *Part) agreements() string {
	return p.share("agreements", func() string {
		return p.products(p.single(p.softmax(p.Logits(), 1)), p.banked(bankProbability, "C"))
	})
}

// bankEnergies are E(z) of the bank, float32 [R].
func (p *Part) bankEnergies() string { return p.banked(bankEnergy) }

// units brings each row to unit length, but for those of zeros.
func units(m Matrix) Matrix {
	u := Matrix{make([]float32, len(m.Data)), m.Cols}
	parallel(m.Rows(), func(i int) {
		if length := norm(m.Row(i)); length > 0 {
			for k, v := range m.Row(i) {
				u.Row(i)[k] = float32(float64(v) / length)
			}
		}
	})
	return u
}

// energies returns E(z) of each row.
func energies(logits Matrix) []float32 {
	all := make([]float32, logits.Rows())
	parallel(len(all), func(i int) { all[i] = float32(energy(logits.Row(i))) })
	return all
}

func probabilities(logits Matrix) Matrix {
	p := Matrix{make([]float32, len(logits.Data)), logits.Cols}
	parallel(logits.Rows(), func(i int) {
		for c, v := range softmax(logits.Row(i), 1) {
			p.Row(i)[c] = float32(v)
		}
	})
	return p
}
