package posthoc

import "github.com/ascood/ascood"

// KNN is the negated squared distance of unit(h) to the K-th nearest unit(h) of
// the training images (Sun et al., "Out-of-Distribution Detection with Deep
// Nearest Neighbors", 2022). A feature of zeros counts as at right angles to all.
type KNN struct {
	K    int `json:"k"`
	bank Bank
}

func init() {
	register("knn", func() Method { return &KNN{K: 50} },
		sweepOf([]int{50, 100, 200, 500, 1000}, func(k int) Method { return &KNN{K: k} }))
}

func (*KNN) Needs() Needs { return Needs{Train: true} }

func (m *KNN) check(s Sizes) error { return checkNeighbours(m.K, s.Train) }

func (m *KNN) Fit(d *Data) error {
	m.bank = d.Train
	return nil
}

func checkNeighbours(k, train int) error {
	if k < 1 || k > train {
		return ascood.Errorf(ascood.Invalid, "k %d: must be from 1 to the number of training images, %d", k, train)
	}
	return nil
}

func (m *KNN) Score(b *Batch) ([]float64, error) { return scoreCompared(m, b) }
func (m *KNN) compared() Bank                    { return m.bank }

func (m *KNN) begin(b *Batch) (func(*Set) func(comparison), func() []float64) {
	nearest := newLargest(b.Feature.Rows(), m.K)
	visit := func(c comparison) {
		for i := range c.cosines.Rows() {
			for _, v := range c.cosines.Row(i) {
				nearest[c.image+i].add(v)
			}
		}
	}
	finish := func() []float64 {
		scores := make([]float64, len(nearest))
		for i := range scores {
			scores[i] = 2*float64(nearest[i][0]) - 2
		}
		return scores
	}
	return func(*Set) func(comparison) { return visit }, finish
}
