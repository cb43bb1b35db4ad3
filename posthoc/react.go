package posthoc

// ReAct is E(W·min(h,t)+b), with t a percentile of all activations (Sun et al.,
// "ReAct: Out-of-distribution Detection With Rectified Activations", 2021): as in
// OpenOOD those of the validation images, not of the training images.
type ReAct struct {
	Percentile float64 `json:"percentile"`
	linear     linear
	threshold  float64
}

func init() {
	register("react", func() Method { return &ReAct{Percentile: 90} },
		sweepOf([]float64{85, 90, 95, 99}, func(q float64) Method { return &ReAct{Percentile: q} }))
}

func (*ReAct) Needs() Needs { return Needs{Linear: true, ValidID: true} }

func (m *ReAct) check(Sizes) error { return checkPercentile(m.Percentile) }

func (m *ReAct) Fit(d *Data) error {
	m.linear, m.threshold = d.linear(), percentile(d.ValidID.Feature.Data, m.Percentile)
	return nil
}

func (m *ReAct) Emit(p *Part) string {
	return p.energy(p.classLogits(m.linear, p.atMost(p.Feature(), p.number(m.threshold))))
}
