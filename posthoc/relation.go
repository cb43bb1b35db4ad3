package posthoc

import (
	"github.com/ascood/ascood"
	"github.com/ascood/ascood/onnx"
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

func (m *Relation) Emit(p *Part) string {
	relation := p.mul(p.cosines(), p.agreements())
	relation = p.Op("ThresholdedRelu", []string{relation}, onnx.Float("alpha", leastRelation))
	if m.Power != 1 {
		relation = p.Op("Pow", []string{relation, p.Scalar(float32(m.Power))})
	}
	return p.score(p.sumOverBank(relation))
}

func (m *Relation) compared() Bank { return m.bank }
