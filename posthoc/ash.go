package posthoc

import (
	"math"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/onnx"
)

// ASH is E(Wh'+b), where h' keeps the largest activations of h, all but a
// percentile, and gives each the same share of their former sum: ASH-B
// (Djurisic et al., "Extremely Simple Activation Shaping for Out-of-Distribution
// Detection", 2023).
type ASH struct {
	Percentile float64 `json:"percentile"`
	linear     linear
}

func init() {
	register("ash", func() Method { return &ASH{Percentile: 90} },
		sweepOf(shapings, func(q float64) Method { return &ASH{Percentile: q} }))
}

// shapings are the published percentiles of ASH and SCALE.
var shapings = []float64{65, 70, 75, 80, 85, 90, 95}

func (*ASH) Needs() Needs { return Needs{Linear: true} }

func (m *ASH) check(s Sizes) error { return checkShaping(m.Percentile, s.Dim) }

func (m *ASH) Fit(d *Data) error {
	m.linear = d.linear()
	return nil
}

func (m *ASH) Emit(p *Part) string {
	h := p.Feature()
	top, at := p.top(h, kept(m.linear.weight.Cols, m.Percentile))
	share := p.scaled(p.sum(h), 1/float64(kept(m.linear.weight.Cols, m.Percentile)))
	shares := p.add(p.scaled(top, 0), share) // one for each of the largest
	shaped := p.Op("ScatterElements", []string{p.scaled(h, 0), at, shares}, onnx.Int("axis", 1))
	return p.energy(p.classLogits(m.linear, shaped))
}

// checkShaping reports a percentile that leaves none of dim activations.
func checkShaping(percentile float64, dim int) error {
	if err := checkPercentile(percentile); err != nil {
		return err
	}
	if kept(dim, percentile) == 0 {
		return ascood.Errorf(ascood.Invalid, "percentile %v keeps none of %d activations", percentile, dim)
	}
	return nil
}

// kept is how many of n activations are the largest, all but a percentile.
func kept(n int, percentile float64) int {
	return n - int(math.RoundToEven(float64(n)*percentile/100))
}
