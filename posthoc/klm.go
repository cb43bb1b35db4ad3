package posthoc

import (
	"math"
	"slices"
)

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
		for k, v := range m.probabilities(d.ValidID.Logits.Row(i)) {
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

func (m *KLM) Emit(p *Part) string {
	x, classes := m.softmax(p, 1), len(m.templates)
	logs, excluded := make([]float64, classes*classes), make([]float64, classes*classes) // [C,C], a column a template
	for c, q := range m.templates {
		for k, v := range q {
			if at := k*classes + c; v > 0 {
				logs[at] = math.Log(v)
			} else {
				excluded[at] = 1
			}
		}
	}
	entropy := p.sum(p.mul(x, p.log(p.atLeast(x, p.number(tiny)))))
	divergences := p.sub(entropy, p.product(x, p.doubles("templates", logs, classes, classes)))
	if slices.Contains(excluded, 1) { // infinite where a template excludes what the image does not
		some := p.double(p.greater(x, p.number(0)))
		without := p.greater(p.product(some, p.doubles("excluded", excluded, classes, classes)), p.number(0))
		divergences = p.where(without, p.number(math.Inf(1)), divergences)
	}
	return m.round(p, p.negated(p.least(divergences)))
}
