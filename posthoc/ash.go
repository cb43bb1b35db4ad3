package posthoc

import (
	"cmp"
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"

	"github.com/ascood/ascood"
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

func (*ASH) Needs() Needs { return Needs{} }

func (m *ASH) check(s Sizes) error { return checkShaping(m.Percentile, s.Dim) }

func (m *ASH) Fit(d *Data) error {
	m.linear = d.linear()
	return nil
}

func (m *ASH) Score(b *Batch) ([]float64, error) {
	return m.linear.scoreChanged(b, func(h []float64) {
		sum, top := floats.Sum(h), strongest(h, m.Percentile)
		clear(h)
		for _, i := range top {
			h[i] = sum / float64(len(top))
		}
	})
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

// strongest returns the indices of the largest activations, all but a
// percentile; of equal ones the first.
func strongest(h []float64, percentile float64) []int {
	order := make([]int, len(h))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(h[b], h[a]) })
	return order[:kept(len(h), percentile)]
}
