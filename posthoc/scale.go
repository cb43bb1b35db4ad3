package posthoc

import (
	"math"

	"gonum.org/v1/gonum/floats"
)

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

func (*Scale) Needs() Needs { return Needs{} }

func (m *Scale) check(s Sizes) error { return checkShaping(m.Percentile, s.Dim) }

func (m *Scale) Fit(d *Data) error {
	m.linear = d.linear()
	return nil
}

func (m *Scale) Score(b *Batch) ([]float64, error) {
	return m.linear.scoreChanged(b, func(h []float64) {
		top := 0.0
		for _, i := range strongest(h, m.Percentile) {
			top += h[i]
		}
		if top != 0 {
			floats.Scale(math.Exp(floats.Sum(h)/top), h)
		}
	})
}
