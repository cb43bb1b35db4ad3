package posthoc

import "github.com/ascood/ascood"

// VRA is E(W·clip(h, low, high)+b), with the bounds percentiles of all activations of the
// validation images (Xu et al., "VRA: Variational Rectified Activation for
// Out-of-distribution Detection", 2023).
type VRA struct {
	High   float64 `json:"high"` // percentiles
	Low    float64 `json:"low"`
	linear linear
	bounds [2]float64
}

func init() {
	register("vra", func() Method { return &VRA{High: 90, Low: 10} }, func() []Method {
		var all []Method
		for _, low := range []float64{1, 5, 10, 15} {
			for _, high := range []float64{85, 90, 95, 99} {
				all = append(all, &VRA{High: high, Low: low})
			}
		}
		return all
	})
}

func (*VRA) Needs() Needs { return Needs{Linear: true, ValidID: true} }

func (m *VRA) check(Sizes) error {
	for _, q := range []float64{m.Low, m.High} {
		if err := checkPercentile(q); err != nil {
			return err
		}
	}
	if m.Low >= m.High {
		return ascood.Errorf(ascood.Invalid, "low %v and high %v: the first must be less than the second", m.Low, m.High)
	}
	return nil
}

func (m *VRA) Fit(d *Data) error {
	m.linear = d.linear()
	h := d.ValidID.Feature.Data
	m.bounds = [2]float64{percentile(h, m.Low), percentile(h, m.High)}
	return nil
}

func (m *VRA) Emit(p *Part) string {
	h := p.atMost(p.atLeast(p.Feature(), p.number(m.bounds[0])), p.number(m.bounds[1]))
	return p.energy(p.classLogits(m.linear, h))
}
