package posthoc

// Scale is E(W·(h·exp(s₁/s₂))+b), with s₁ the sum of all activations and s₂ of
// the largest, all but a percentile (Xu et al., "Scaling for Training Time and
// Post-hoc Out-of-distribution Detection Enhancement", 2024). A feature of zeros
// stays one.
type Scale struct {
	Percentile float64 `json:"percentile"`
	linear     linear
}

func init() {
	register("scale", func() Method { return &Scale{Percentile: 85} },
		sweepOf(shapings, func(q float64) Method { return &Scale{Percentile: q} }))
}

func (*Scale) Needs() Needs { return Needs{Linear: true} }

func (m *Scale) check(s Sizes) error { return checkShaping(m.Percentile, s.Dim) }

func (m *Scale) Fit(d *Data) error {
	m.linear = d.linear()
	return nil
}

func (m *Scale) Emit(p *Part) string {
	h := p.Feature()
	top, _ := p.top(h, kept(m.linear.weight.Cols, m.Percentile))
	all, strongest := p.sum(h), p.sum(top)
	factor := p.where(p.equal(strongest, p.number(0)), p.number(1), p.exp(p.div(all, strongest)))
	return p.energy(p.classLogits(m.linear, p.mul(h, factor)))
}
