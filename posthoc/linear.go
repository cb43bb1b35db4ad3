package posthoc

// linear is the classifier's last layer, z = Wh + b.
type linear struct {
	weight Matrix // [C,D]
	bias   []float32
}

func (d *Data) linear() linear { return linear{d.Weight, d.Bias} }

// logits returns Wh + b.
func (l linear) logits(h []float64) []float64 {
	z := make([]float64, len(l.bias))
	for c := range z {
		z[c] = dot(l.weight.Row(c), h) + float64(l.bias[c])
	}
	return z
}
