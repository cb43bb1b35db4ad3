package posthoc

// DICE is E((W∘M)h+b), where M keeps the weights whose mean contribution to a
// logit over the training images, W∘mean(h), exceeds a percentile of all (Sun and
// Li, "DICE: Leveraging Sparsification for Out-of-Distribution Detection", 2022).
type DICE struct {
	Percentile float64 `json:"percentile"`
	masked     linear
}

func init() { register("dice", func() Method { return &DICE{Percentile: 90} }, nil) }

func (*DICE) Needs() Needs { return Needs{Linear: true, Train: true} }

func (m *DICE) check(Sizes) error { return checkPercentile(m.Percentile) }

func (m *DICE) Fit(d *Data) error {
	mean, err := meanFeature(d.Train)
	if err != nil {
		return err
	}
	contribution := make([]float32, len(d.Weight.Data))
	for i, w := range d.Weight.Data {
		contribution[i] = w * float32(mean[i%d.Weight.Cols])
	}
	threshold := percentile(contribution, m.Percentile)
	weight := Matrix{make([]float32, len(contribution)), d.Weight.Cols}
	for i, c := range contribution {
		if float64(c) > threshold {
			weight.Data[i] = d.Weight.Data[i]
		}
	}
	m.masked = linear{weight, d.Bias}
	return nil
}

func (m *DICE) Emit(p *Part) string { return p.energy(p.classLogits(m.masked, p.Feature())) }
