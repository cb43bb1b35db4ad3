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

func (m *KNN) Fit(d *Data) error {
	m.bank = d.Train
	return checkNeighbours(m.K, d.Train)
}

func checkNeighbours(k int, train Bank) error {
	if n := train.Len(); k < 1 || k > n {
		return ascood.Errorf(ascood.Invalid, "k %d: must be from 1 to the number of training images, %d", k, n)
	}
	return nil
}

func (m *KNN) Score(b *Batch) ([]float64, error) {
	nearest := newLargest(b.Feature.Rows(), m.K)
	err := compare(m.bank, b.Feature, func(*Set) func(comparison) {
		return func(c comparison) {
			for i := range c.cosines.Rows() {
				for _, v := range c.cosines.Row(i) {
					nearest[c.image+i].add(v)
				}
			}
		}
	})
	if err != nil {
		return nil, err
	}
	scores := make([]float64, len(nearest))
	for i := range scores {
		scores[i] = 2*float64(nearest[i][0]) - 2
	}
	return scores, nil
}
