package posthoc

// GradNorm is the L1 norm of the gradient of Σ_c -log softmax(Wh+b)_c by W
// (Huang et al., "On the Importance of Gradients for Detecting Distributional
// Shifts in the Wild", 2021), which is Σ_c |C·p_c - 1| · Σ|h|.
type GradNorm struct {
	linear linear
}

func init() { register("gradnorm", func() Method { return &GradNorm{} }, nil) }

func (*GradNorm) Needs() Needs { return Needs{Linear: true} }

func (m *GradNorm) Fit(d *Data) error {
	m.linear = d.linear()
	return nil
}

func (m *GradNorm) Emit(p *Part) string {
	h := p.Feature()
	probabilities := p.softmax(p.classLogits(m.linear, h), 1)
	uniform := p.number(1)
	byLogits := p.sum(p.abs(p.sub(p.scaled(probabilities, float64(len(m.linear.bias))), uniform)))
	return p.score(p.mul(byLogits, p.sum(p.abs(h))))
}
