package posthoc

import (
	"math"

	"github.com/ascood/ascood"
)

// TempScaling is max softmax(z/T) with the T that minimises the negative
// log-likelihood of the labels on validation images (Guo et al., "On Calibration
// of Modern Neural Networks", 2017). T is sought in [0.01, 100]: the smallest
// is the answer where the network is never wrong. (The published code stops its
// search before the minimum, at another T.)
type TempScaling struct {
	Temperature float64 `json:"temperature"` // 0: fit it
	precision
	fitted bool
}

func init() { register("temp_scaling", func() Method { return &TempScaling{} }, nil) }

func (m *TempScaling) Needs() Needs { return Needs{ValidID: m.Temperature == 0} }

func (m *TempScaling) check(Sizes) error {
	if m.Temperature == 0 {
		return nil
	}
	return checkTemperature(m.Temperature)
}

func (m *TempScaling) Fit(d *Data) error {
	if m.Temperature != 0 {
		return nil
	}
	for _, label := range d.ValidID.Labels {
		if label < 0 || label >= d.Classes() {
			return ascood.Errorf(ascood.Invalid, "a validation image has label %d; fitting a temperature takes labels of the %d classes", label, d.Classes())
		}
	}
	// The likelihood is concave in 1/T, so its slope has one zero.
	coldest, hottest := math.Log(0.01), math.Log(100)
	for range 60 {
		middle := (coldest + hottest) / 2
		if slope(d.ValidID, math.Exp(middle)) >= 0 {
			hottest = middle
		} else {
			coldest = middle
		}
	}
	m.Temperature, m.fitted = math.Exp((coldest+hottest)/2), true
	return nil
}

func (m *TempScaling) notes() []string {
	if !m.fitted {
		return m.precision.notes()
	}
	return append([]string{"the temperature is the best one; the published code stops before it, so that its numbers differ a little"}, m.precision.notes()...)
}

// slope is the derivative of the log-likelihood by 1/T: the sum over images of
// the label's logit less the mean logit under softmax(z/T). It is positive where
// T is too high, and rounds to 0 where the network is certain and right.
func slope(s *Set, t float64) float64 {
	sum := 0.0
	for i, label := range s.Labels {
		z := s.Logits.Row(i)
		sum += float64(z[label]) - dot(z, softmax(z, t))
	}
	return sum
}

func (m *TempScaling) Emit(p *Part) string {
	return m.round(p, p.largest(m.softmax(p, m.Temperature)))
}
