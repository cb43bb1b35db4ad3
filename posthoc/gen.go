package posthoc

import (
	"math"
	"slices"

	"github.com/ascood/ascood"
)

// GEN is the generalised entropy -Σ p^γ·(1-p)^γ over the M largest p (Liu et
// al., "GEN: Pushing the Limits of Softmax-Based Out-of-Distribution Detection",
// 2023).
type GEN struct {
	Gamma float64 `json:"gamma"`
	M     int     `json:"m"` // classes; all where there are fewer
	precision
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

func (*GEN) Fit(*Data) error { return nil }

func (m *GEN) check(Sizes) error {
	if m.M < 1 || !(m.Gamma > 0) {
		return ascood.Errorf(ascood.Invalid, "m %d and gamma %v: must be at least 1 and greater than 0", m.M, m.Gamma)
	}
	return nil
}

func (m *GEN) Score(b *Batch) ([]float64, error) {
	return scoreImages(b, func(z, _ []float32) float64 {
		p := m.softmax(z, 1)
		slices.Sort(p)
		sum := 0.0
		for _, v := range p[max(0, len(p)-m.M):] {
			sum += math.Pow(v, m.Gamma) * math.Pow(1-v, m.Gamma)
		}
		return m.score(-sum)
	})
}
