package posthoc

import "github.com/ascood/ascood"

// GEN is the generalised entropy -Σ p^γ·(1-p)^γ over the M largest p (Liu et
// al., "GEN: Pushing the Limits of Softmax-Based Out-of-Distribution Detection",
// 2023).
type GEN struct {
	Gamma float64 `json:"gamma"`
	M     int     `json:"m"` // classes; all where there are fewer
	precision
	classes int
}

func init() {
	register("gen", func() Method { return &GEN{Gamma: 0.1, M: 100} }, func() []Method {
		var all []Method
		for _, m := range []int{10, 50, 100, 200, 500, 1000} {
			for _, gamma := range []float64{.01, .1, .5, 1, 2, 5, 10} {
				all = append(all, &GEN{Gamma: gamma, M: m})
			}
		}
		return all
	})
}

func (*GEN) Needs() Needs { return Needs{} }

func (m *GEN) Fit(d *Data) error {
	m.classes = d.Classes()
	return nil
}

func (m *GEN) check(Sizes) error {
	if m.M < 1 || !(m.Gamma > 0) {
		return ascood.Errorf(ascood.Invalid, "m %d and gamma %v: must be at least 1 and greater than 0", m.M, m.Gamma)
	}
	return nil
}

func (m *GEN) Emit(p *Part) string {
	most := m.precision.softmax(p, 1)
	if m.M < m.classes {
		most, _ = p.top(most, m.M)
	}
	rest := p.sub(p.number(1), most)
	return m.round(p, p.negated(p.total(p.mul(p.pow(most, m.Gamma), p.pow(rest, m.Gamma)))))
}
