package posthoc

// RMDS is MDS relative to one distribution of all training features:
// max over c of -(h-μ_c)ᵀP(h-μ_c) + (h-μ)ᵀP₀(h-μ) (Ren et al., "A Simple Fix to
// Mahalanobis Distance for Improving Near-OOD Detection", 2021). A class without
// training images is no candidate.
type RMDS struct {
	classes *classGaussians
	all     *whitening
	mean    []float64 // of all features, whitened by all
}

func init() { register("rmds", func() Method { return &RMDS{} }, nil) }

func (*RMDS) Needs() Needs { return Needs{Train: true} }

func (m *RMDS) Fit(d *Data) (err error) {
	if m.classes, err = fitClassGaussians(d.Train, d.Classes()); err != nil {
		return err
	}
	mean, err := meanFeature(d.Train)
	if err != nil {
		return err
	}
	covariance, err := scatter(d.Train, func(int) []float64 { return mean })
	if err != nil {
		return err
	}
	if m.all, err = whiten(covariance); err != nil {
		return err
	}
	m.mean = m.all.point(mean)
	return nil
}

func (m *RMDS) notes() []string { return m.classes.notes() }

func (m *RMDS) Score(b *Batch) ([]float64, error) {
	return scoreBlocks(b, func(h Matrix, values []float64) {
		byClass, byAll := m.classes.apply(h), m.all.apply(h)
		for i := range values {
			values[i] = squaredDistance(byAll.RawRowView(i), m.mean) - m.classes.nearest(byClass.RawRowView(i))
		}
	})
}
