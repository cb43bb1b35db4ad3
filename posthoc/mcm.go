package posthoc

// MCM is max softmax(z/Tau) (Ming et al., "Delving into Out-of-Distribution Detection with
// Vision-Language Representations", 2022; there z are similarities of images and texts).
type MCM struct {
	Tau float64 `json:"tau"` // > 0
	precision
}

func init() {
	register("mcm", func() Method { return &MCM{Tau: 1} },
		sweepOf([]float64{0.01, 1, 10}, func(tau float64) Method { return &MCM{Tau: tau} }))
}

func (*MCM) Needs() Needs { return Needs{} }

func (m *MCM) check(Sizes) error { return checkTemperature(m.Tau) }
func (*MCM) Fit(*Data) error     { return nil }

func (m *MCM) Emit(p *Part) string { return m.round(p, p.largest(m.softmax(p, m.Tau))) }
