package posthoc

// SHE is the inner product of h with the mean h of the training images of the
// predicted class that are classified correctly (Zhang et al., "Out-of-
// Distribution Detection based on In-Distribution Data Patterns Memorization
// with Modern Hopfield Energy", 2023). Where there is no such image nothing is
// remembered: the score is 0, the lowest that features after a ReLU can have.
type SHE struct {
	patterns [][]float64 // nil where there is none
}

func init() { register("she", func() Method { return &SHE{} }, nil) }

func (*SHE) Needs() Needs { return Needs{Train: true} }

func (m *SHE) Fit(d *Data) (err error) {
	m.patterns, err = classMeans(d.Train, d.Classes(), func(s *Set, i int) bool {
		return s.Prediction(i) == s.Labels[i]
	})
	return err
}

func (m *SHE) notes() []string {
	return noneOf("correctly classified training images of", missing(m.patterns), "images taken for it score 0")
}

func (m *SHE) Score(b *Batch) ([]float64, error) {
	return scoreImages(b, func(z, h []float32) float64 {
		pattern := m.patterns[argmax(z)]
		if pattern == nil {
			return 0
		}
		return dot(h, pattern)
	})
}
