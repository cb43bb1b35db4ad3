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

func (m *KNN) Emit(p *Part) string {
	cosine := p.double(p.least(p.topOfBank(p.cosines(), m.K)))
	return p.sub(p.scaled(cosine, 2), p.number(2))
}

func (m *KNN) compared() Bank { return m.bank }
