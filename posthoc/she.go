package posthoc

// SHE is the inner product of h with the mean h of the training images of the
// predicted class that are classified correctly (Zhang et al., "Out-of-
// Distribution Detection based on In-Distribution Data Patterns Memorization
// with Modern Hopfield Energy", 2023). Where there is no such image nothing is
// remembered: the score is 0, the lowest that features after a ReLU can have.
type SHE struct {
	patterns [][]float64 // nil where there is none
	dim      int
}

func init() { register("she", func() Method { return &SHE{} }, nil) }

func (*SHE) Needs() Needs { return Needs{Train: true} }

func (m *SHE) Fit(d *Data) (err error) {
	m.dim = d.Weight.Cols
	m.patterns, err = classMeans(d.Train, d.Classes(), func(s *Set, i int) bool {
		return s.Prediction(i) == s.Labels[i]
	})
	return err
}

func (m *SHE) notes() []string {
	return noneOf("correctly classified training images of", missing(m.patterns), "images taken for it score 0")
}

func (m *SHE) Emit(p *Part) string {
	patterns, dim := make([]float64, 0, len(m.patterns)*m.dim), m.dim
	for _, pattern := range m.patterns {
		if pattern == nil {
			pattern = make([]float64, dim)
		}
		patterns = append(patterns, pattern...)
	}
	pattern := p.rows(p.doubles("patterns", patterns, len(m.patterns), dim), p.prediction())
	return p.total(p.mul(p.Feature(), pattern))
}
