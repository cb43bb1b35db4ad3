package posthoc

import "math"

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

func (*FDBD) Needs() Needs { return Needs{Train: true} }

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

func (m *FDBD) Score(b *Batch) ([]float64, error) {
	return scoreImages(b, func(z, h []float32) float64 {
		pred, sum := argmax(z), 0.0
		for c, v := range z {
			sum += math.Abs(float64(v)-float64(z[pred])) / m.distances[pred][c]
		}
		if !m.DistanceAsNormalizer {
			return sum / norm(h)
		}
		return sum / math.Sqrt(squaredDistance(doubles(h), m.mean))
	})
}
