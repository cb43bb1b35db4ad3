package posthoc

// MDS is the negated Mahalanobis distance to the nearest class,
// max over c of -(h-μ_c)ᵀP(h-μ_c), with μ_c the mean training feature of class c
// and P the inverse of the covariance that the classes share (Lee et al., "A
// Simple Unified Framework for Detecting Out-of-Distribution Samples and
// Adversarial Attacks", 2018; on the last feature alone). A class without
// training images is no candidate.
type MDS struct {
	classes *classGaussians
}

func init() { register("mds", func() Method { return &MDS{} }, nil) }

func (*MDS) Needs() Needs { return Needs{Train: true} }

func (m *MDS) Fit(d *Data) (err error) {
	m.classes, err = fitClassGaussians(d.Train, d.Classes())
	return err
}

func (m *MDS) notes() []string { return m.classes.notes() }

func (m *MDS) Emit(p *Part) string { return p.negated(m.classes.nearest(p, p.Feature())) }
