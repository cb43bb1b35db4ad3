package posthoc

import (
	"math"
	"slices"
)

// FDBD is the distance to the decision boundaries: the sum over classes of
// |z - z_pred| / ‖w - w_pred‖, divided by ‖h - mean(h)‖ with the mean over the
// training images, or by ‖h‖ (Liu and Qin, "Fast Decision Boundary based
// Out-of-Distribution Detector", 2024).
type FDBD struct {
	DistanceAsNormalizer bool `json:"distance_as_normalizer"` // to the mean; else the length of h

	mean      []float64
	distances [][]float64 // [C][C] between the classes' weights; 1 from a class to itself
}

func init() {
	register("fdbd", func() Method { return &FDBD{DistanceAsNormalizer: true} },
		sweepOf([]bool{true, false}, func(distance bool) Method { return &FDBD{DistanceAsNormalizer: distance} }))
}

func (*FDBD) Needs() Needs { return Needs{Linear: true, Train: true} }

func (m *FDBD) Fit(d *Data) (err error) {
	if m.mean, err = meanFeature(d.Train); err != nil {
		return err
	}
	m.distances = make([][]float64, d.Classes())
	for a := range m.distances {
		m.distances[a] = make([]float64, d.Classes())
		w := doubles(d.Weight.Row(a))
		for b := range m.distances[a] {
			m.distances[a][b] = math.Sqrt(squaredDistance(w, doubles(d.Weight.Row(b))))
		}
		m.distances[a][a] = 1
	}
	return nil
}

func (m *FDBD) Emit(p *Part) string {
	z, classes := p.Logits(), len(m.distances)
	distances := p.rows(p.doubles("distances", slices.Concat(m.distances...), classes, classes), p.prediction())
	sum := p.sum(p.div(p.abs(p.sub(z, p.max(z))), distances))
	h := p.Feature()
	if m.DistanceAsNormalizer {
		h = p.sub(h, p.doubles("mean", m.mean, len(m.mean)))
	}
	return p.score(p.div(sum, p.length(h)))
}
