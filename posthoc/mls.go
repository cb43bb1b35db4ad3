package posthoc

import "slices"

// MLS is the maximum logit, max z (Hendrycks et al., "Scaling Out-of-Distribution
// Detection for Real-World Settings", 2022).
type MLS struct{ logitsOnly }

func init() { register("mls", func() Method { return &MLS{} }, nil) }

func (*MLS) Score(b *Batch) ([]float64, error) {
	return scoreImages(b, func(z, _ []float32) float64 { return float64(slices.Max(z)) })
}
