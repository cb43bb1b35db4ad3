package posthoc

import "github.com/ascood/ascood/artifact"

// ODIN is max softmax(f(x')/T) of the image moved against the gradient of its
// cross-entropy at T: x' = x - ε·sign(g)/std (Liang et al., "Enhancing The
// Reliability of Out-of-distribution Image Detection in Neural Networks", 2018).
// The artifact's graph computes it.
type ODIN struct{ perturbation }

func init() {
	register("odin", func() Method { return &ODIN{published} }, sweepOf(perturbations(), func(p perturbation) Method { return &ODIN{p} }))
}

func (m *ODIN) Needs() Needs        { return m.needs(artifact.ODIN) }
func (m *ODIN) Emit(p *Part) string { return p.double(p.value(artifact.ODIN)) }

// perturbation is the size of the step, which ODIN and i-ODIN share.
type perturbation struct {
	Temperature float64 `json:"temperature"` // T > 0
	Noise       float64 `json:"noise"`       // ε ≥ 0, in normalised units times std
}

var published = perturbation{Temperature: 1000, Noise: 0.0014}

// perturbations is the published sweep.
func perturbations() []perturbation {
	var all []perturbation
	for k := range 7 {
		for _, t := range []float64{1, 10, 100, 1000} {
			all = append(all, perturbation{t, 0.0014 * float64(k+1)})
		}
	}
	return all
}

func (p perturbation) needs(value string) Needs {
	return Needs{Graph: []string{value}, Temperature: p.Temperature, Noise: p.Noise}
}

func (p perturbation) Fit(*Data) error { return nil }

func (p perturbation) check(Sizes) error {
	return artifact.Score{Name: artifact.ScoreODIN, Temperature: p.Temperature, Noise: p.Noise}.Validate()
}
