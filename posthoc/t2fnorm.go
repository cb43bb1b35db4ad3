package posthoc

// T2FNorm is max softmax(W·h/Tau + b), with the feature as it is: the score of networks that
// were trained on W·unit(h)/Tau + b (Regmi et al., "T2FNorm: Train-time Feature
// Normalization for OOD Detection in Image Classification", 2024).
type T2FNorm struct {
	Tau    float64 `json:"tau"` // > 0, that of training; published with 1 for 1,000 classes
	linear linear
}

func init() { register("t2fnorm", func() Method { return &T2FNorm{Tau: 0.1} }, nil) }

func (*T2FNorm) Needs() Needs { return Needs{Linear: true} }

func (m *T2FNorm) check(Sizes) error { return checkTemperature(m.Tau) }

func (m *T2FNorm) Fit(d *Data) error {
	m.linear = d.linear()
	return nil
}

func (m *T2FNorm) Emit(p *Part) string {
	return p.largest(p.softmax(p.classLogits(m.linear, p.div(p.Feature(), p.number(m.Tau))), 1))
}
