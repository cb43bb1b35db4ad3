package posthoc

// NNGuide is E(z) times the mean of the K largest inner products of unit(h) with
// the training images' unit(h)·E(z) (Park et al., "Nearest Neighbor Guidance for
// Out-of-Distribution Detection", 2023).
type NNGuide struct {
	K        int `json:"k"`
	bank     *bank
	energies []float32 // of the training images
}

func init() { register("nnguide", func() Method { return &NNGuide{K: 100} }, nil) }

func (*NNGuide) Needs() Needs { return Needs{Train: true} }

func (m *NNGuide) Fit(d *Data) error {
	if err := checkNeighbours(m.K, d.Train); err != nil {
		return err
	}
	m.bank = newBank(d.Train.Feature)
	m.energies = make([]float32, d.Train.Logits.Rows())
	for i := range m.energies {
		m.energies[i] = float32(energy(d.Train.Logits.Row(i)))
	}
	return nil
}

func (m *NNGuide) Score(b *Batch) (Scores, error) {
	s := newScores(b)
	guides := newLargest(len(s.Values), m.K)
	m.bank.compare(b.Feature, func(c comparison) {
		for i := range c.cosines.Rows() {
			for j, v := range c.cosines.Row(i) {
				guides[c.image+i].add(v * m.energies[c.row+j])
			}
		}
	})
	for i := range s.Values {
		sum := 0.0
		for _, v := range guides[i] {
			sum += float64(v)
		}
		s.Values[i] = energy(b.Logits.Row(i)) * sum / float64(m.K)
	}
	return s, nil
}
