package posthoc

import (
	"math"

	"github.com/ascood/ascood"
)

// Relation sums r^Power over the training images, r = max(0, cos(h,h_i))·(p·p_i)
// where that exceeds 0.03 (Kim et al., "Neural Relation Graph: A Unified
// Framework for Identifying Label Noise and Outlier Data", 2023).
type Relation struct {
	Power float64 `json:"power"`
	bank  Bank
}

// leastRelation is the r that counts as none.
const leastRelation = 0.03

func init() {
	register("relation", func() Method { return &Relation{Power: 1} },
		sweepOf([]float64{1, 2, 4, 6, 8}, func(p float64) Method { return &Relation{Power: p} }))
}

func (*Relation) Needs() Needs { return Needs{Train: true} }

func (m *Relation) check(Sizes) error {
	if !(m.Power > 0) {
		return ascood.Errorf(ascood.Invalid, "power %v: must be greater than 0", m.Power)
	}
	return nil
}

func (m *Relation) Fit(d *Data) error {
	m.bank = d.Train
	return nil
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

func (m *Relation) Score(b *Batch) ([]float64, error) { return scoreCompared(m, b) }
func (m *Relation) compared() Bank                    { return m.bank }

func (m *Relation) begin(b *Batch) (func(*Set) func(comparison), func() []float64) {
	scores := make([]float64, b.Feature.Rows())
	p := probabilities(b.Logits)
	prepare := func(block *Set) func(comparison) {
		blockP := probabilities(block.Logits)
		return func(c comparison) {
			n, rows := c.cosines.Rows(), c.cosines.Cols
			agreement := products(p.Slice(c.image, c.image+n), blockP.Slice(c.row, c.row+rows), c.scratch)
			for i := range n {
				for j, v := range c.cosines.Row(i) {
					if r := v * agreement.Row(i)[j]; r > leastRelation {
						scores[c.image+i] += m.raise(float64(r))
					}
				}
			}
		}
	}
	return prepare, func() []float64 { return scores }
}

func (m *Relation) raise(r float64) float64 {
	if m.Power == 1 {
		return r
	}
	return math.Pow(r, m.Power)
}
