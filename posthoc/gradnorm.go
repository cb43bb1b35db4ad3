package posthoc

import "math"

// GradNorm is the L1 norm of the gradient of Σ_c -log softmax(Wh+b)_c by W
// (Huang et al., "On the Importance of Gradients for Detecting Distributional
// Shifts in the Wild", 2021), which is Σ_c |C·p_c - 1| · Σ|h|.
type GradNorm struct {
	linear linear
}

func init() { register("gradnorm", func() Method { return &GradNorm{} }, nil) }

func (*GradNorm) Needs() Needs { return Needs{} }

func (m *GradNorm) Fit(d *Data) error {
	m.linear = d.linear()
	return nil
}

func (m *GradNorm) Score(b *Batch) ([]float64, error) {
	return scoreImages(b, func(_, h []float32) float64 {
		z := m.linear.logits(doubles(h))
		total, classes := energy(z), float64(len(z))
		byLogits, byFeature := 0.0, 0.0
		for _, v := range z {
			byLogits += math.Abs(classes*math.Exp(v-total) - 1)
		}
		for _, v := range h {
			byFeature += math.Abs(float64(v))
		}
		return byLogits * byFeature
	})
}
