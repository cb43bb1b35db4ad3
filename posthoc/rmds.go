package posthoc

// RMDS is MDS relative to one distribution of all training features:
// max over c of -(h-μ_c)ᵀP(h-μ_c) + (h-μ)ᵀP₀(h-μ) (Ren et al., "A Simple Fix to
// Mahalanobis Distance for Improving Near-OOD Detection", 2021). A class without
// training images is no candidate.
type RMDS struct {
	classes *classGaussians
	all     *whitening // about the mean of all features
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
	m.all, err = whiten(covariance, mean)
	return err
}

func (m *RMDS) notes() []string { return m.classes.notes() }

func (m *RMDS) Emit(p *Part) string {
	return p.sub(p.total(p.square(m.all.apply(p, p.Feature()))), m.classes.nearest(p, p.Feature()))
}
