package posthoc

import "math"

// KLM is the negated smallest divergence KL(p ‖ q_c) over the classes, with q_c
// the mean p of the validation images that are predicted c (Hendrycks et al.,
// "Scaling Out-of-Distribution Detection for Real-World Settings", 2022). A
// class that no validation image is predicted as has the one-hot q_c, from which
// all but certain images are infinitely far. (In float32 more images are certain.)
type KLM struct {
	precision
	templates [][]float64 // [C][C]
	unseen    []int       // classes with a one-hot template
}

func init() { register("klm", func() Method { return &KLM{} }, nil) }

func (*KLM) Needs() Needs { return Needs{ValidID: true} }

func (m *KLM) Fit(d *Data) error {
	m.templates = make([][]float64, d.Classes())
	for c := range m.templates {
		m.templates[c] = make([]float64, d.Classes())
	}
	counts := make([]float64, d.Classes())
	for i := range d.ValidID.Logits.Rows() {
		c := d.ValidID.Prediction(i)
		counts[c]++
		for k, v := range m.softmax(d.ValidID.Logits.Row(i), 1) {
			m.templates[c][k] += v
		}
	}
	for c, q := range m.templates {
		if counts[c] == 0 {
			q[c], counts[c] = 1, 1
			m.unseen = append(m.unseen, c)
		}
		for k := range q {
			q[k] /= counts[c]
		}
	}
	return nil
}

func (m *KLM) notes() []string {
	unseen := noneOf("validation images are taken for", m.unseen, "only images certain to be of it are near it")
	return append(unseen, m.precision.notes()...)
}

func (m *KLM) Score(b *Batch) ([]float64, error) {
	return scoreImages(b, func(z, _ []float32) float64 {
		p, nearest := m.softmax(z, 1), math.Inf(1)
		for _, q := range m.templates {
			nearest = min(nearest, divergence(p, q))
		}
		return m.score(-nearest)
	})
}

// divergence is KL(p ‖ q), infinite where q excludes what p does not.
func divergence(p, q []float64) float64 {
	sum := 0.0
	for i, v := range p {
		if v > 0 {
			sum += v * math.Log(v/q[i])
		}
	}
	return sum
}
