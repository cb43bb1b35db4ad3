package posthoc

import "github.com/ascood/ascood"

// EBO is the free energy T·E(z/T) (Liu et al., "Energy-based Out-of-distribution
// Detection", 2020).
type EBO struct {
	Temperature float64 `json:"temperature"` // T > 0
}

func init() { register("ebo", func() Method { return &EBO{Temperature: 1} }, nil) }

func (*EBO) Needs() Needs { return Needs{} }

func (m *EBO) check(Sizes) error { return checkTemperature(m.Temperature) }
func (*EBO) Fit(*Data) error     { return nil }

func (m *EBO) Emit(p *Part) string {
	return p.scaled(p.energy(p.scaled(p.Logits(), 1/m.Temperature)), m.Temperature)
}

func checkTemperature(t float64) error {
	if !(t > 0) {
		return ascood.Errorf(ascood.Invalid, "temperature %v: must be greater than 0", t)
	}
	return nil
}
