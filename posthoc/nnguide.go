package posthoc

// NNGuide is E(z) times the mean of the K largest inner products of unit(h) with
// the training images' unit(h)·E(z) (Park et al., "Nearest Neighbor Guidance for
// Out-of-Distribution Detection", 2023).
type NNGuide struct {
	K    int `json:"k"`
	bank Bank
}

func init() { register("nnguide", func() Method { return &NNGuide{K: 100} }, nil) }

func (*NNGuide) Needs() Needs { return Needs{Train: true} }

func (m *NNGuide) check(s Sizes) error { return checkNeighbours(m.K, s.Train) }

func (m *NNGuide) Fit(d *Data) error {
	m.bank = d.Train
	return nil
}

func (m *NNGuide) Emit(p *Part) string {
	guides := p.topOfBank(p.mul(p.cosines(), p.bankEnergies()), m.K)
	mean := p.scaled(p.total(p.double(guides)), 1/float64(m.K))
	return p.mul(p.energy(p.Logits()), mean)
}

func (m *NNGuide) compared() Bank { return m.bank }
