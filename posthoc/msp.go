package posthoc

import "slices"

// MSP is the maximum softmax probability, max p (Hendrycks and Gimpel, "A
// Baseline for Detecting Misclassified and Out-of-Distribution Examples", 2017).
type MSP struct {
	logitsOnly
	precision
}

func init() { register("msp", func() Method { return &MSP{} }, nil) }

func (m *MSP) Score(b *Batch) ([]float64, error) {
	return scoreImages(b, func(z, _ []float32) float64 { return slices.Max(m.softmax(z, 1)) })
}
