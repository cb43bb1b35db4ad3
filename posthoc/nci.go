package posthoc

import "github.com/ascood/ascood"

// NCI is w·(h-μ)/‖h-μ‖ + Alpha·‖h‖₁, with w the weights of the predicted class and μ the
// mean training feature: how close a feature is to the weights of its class, as neural
// collapse has it, and how long it is (Liu and Qin, "Detecting Out-of-distribution through
// the Lens of Neural Collapse", 2025).
type NCI struct {
	Alpha  float64 `json:"alpha"`
	weight Matrix
	mean   []float64
}

func init() {
	register("nci", func() Method { return &NCI{Alpha: 0.001} },
		sweepOf([]float64{0.0001, 0.001, 0.01, 0.1}, func(alpha float64) Method { return &NCI{Alpha: alpha} }))
}

func (*NCI) Needs() Needs { return Needs{Linear: true, Train: true} }

func (m *NCI) check(Sizes) error {
	if !(m.Alpha >= 0) {
		return ascood.Errorf(ascood.Invalid, "alpha %v: must not be negative", m.Alpha)
	}
	return nil
}

func (m *NCI) Fit(d *Data) (err error) {
	m.weight = d.Weight
	m.mean, err = meanFeature(d.Train)
	return err
}

func (m *NCI) Emit(p *Part) string {
	h := p.Feature()
	centred := p.sub(h, p.doubles("mean", m.mean, len(m.mean)))
	weight := p.rows(p.matrix("weight", m.weight), p.prediction())
	closeness := p.div(p.sum(p.mul(weight, centred)), p.atLeast(p.length(centred), p.number(tiny)))
	return p.score(p.add(closeness, p.scaled(p.sum(p.abs(h)), m.Alpha)))
}
