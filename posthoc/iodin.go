package posthoc

import "github.com/ascood/ascood/artifact"

// IODIN is ODIN with a step at one element only, the one where |g| is largest
// (Regmi, "Image-based Outlier Synthesis With Training Data", 2024).
type IODIN struct{ perturbation }

func init() {
	register("iodin", func() Method { return &IODIN{published} }, sweepOf(perturbations(), func(p perturbation) Method { return &IODIN{p} }))
}

func (m *IODIN) Needs() Needs        { return m.needs(artifact.IODIN) }
func (m *IODIN) Emit(p *Part) string { return p.double(p.value(artifact.IODIN)) }
