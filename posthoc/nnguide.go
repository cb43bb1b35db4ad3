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

func (m *NNGuide) Score(b *Batch) ([]float64, error) { return scoreCompared(m, b) }
func (m *NNGuide) compared() Bank                    { return m.bank }

func (m *NNGuide) begin(b *Batch) (func(*Set) func(comparison), func() []float64) {
	guides := newLargest(b.Feature.Rows(), m.K)
	prepare := func(block *Set) func(comparison) {
		energies := energies(block.Logits)
		return func(c comparison) {
			for i := range c.cosines.Rows() {
				for j, v := range c.cosines.Row(i) {
					guides[c.image+i].add(v * energies[c.row+j])
				}
			}
		}
	}
	finish := func() []float64 {
		scores := make([]float64, len(guides))
		for i := range scores {
			sum := 0.0
			for _, v := range guides[i] {
				sum += float64(v)
			}
			scores[i] = energy(b.Logits.Row(i)) * sum / float64(m.K)
		}
		return scores
	}
	return prepare, finish
}

// energies returns E(z) of each row.
func energies(logits Matrix) []float32 {
	all := make([]float32, logits.Rows())
	parallel(len(all), func(i int) { all[i] = float32(energy(logits.Row(i))) })
	return all
}
