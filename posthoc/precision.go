package posthoc

import (
	"math"

	"github.com/ascood/ascood/onnx"
)

// precision says how a method computes its softmax: in double precision, or in
// float32, as the published code does. There p is exactly 1 where the largest logit
// is ahead by about 17, so that the surest images tie at the highest score; if 5%
// of the OOD images are among them, FPR@95 is 100. Double precision tells them
// apart, and its numbers are then better than the published ones.
type precision struct{ single bool }

// UseReferencePrecision makes a method that scores by the softmax compute it in
// float32. It is to be called before Fit, and reports whether the method is such.
func UseReferencePrecision(m Method) bool {
	if c, ok := m.(*Combined); ok {
		found := false
		for _, part := range c.Parts {
			found = UseReferencePrecision(part) || found
		}
		return found
	}
	s, ok := m.(interface{ useSingle() })
	if ok {
		s.useSingle()
	}
	return ok
}

func (p *precision) useSingle() { p.single = true }

func (p *precision) notes() []string {
	if p.single {
		return []string{"the softmax is computed in float32, as the published code does, where sure images tie"}
	}
	return nil
}

// probabilities returns softmax(z), for methods that learn from it.
func (p *precision) probabilities(z []float32) []float64 {
	if p.single {
		return doubles(softmax32(z))
	}
	return softmax(z, 1)
}

// softmax emits softmax(z/t).
func (p *precision) softmax(part *Part, t float64) string {
	if !p.single {
		return part.softmax(part.Logits(), t)
	}
	scaled := part.Op("Div", []string{part.logits(), part.Scalar(float32(t))})
	return part.double(part.Op("Softmax", []string{scaled}, onnx.Int("axis", 1)))
}

// round brings a score to the precision of the softmax that it is made from.
func (p *precision) round(part *Part, score string) string {
	if p.single {
		return part.double(part.single(score))
	}
	return score
}

// softmax32 is softmax with every intermediate result rounded to float32.
func softmax32(z []float32) []float32 {
	p := make([]float32, len(z))
	largest, sum := z[argmax(z)], float32(0)
	for i, v := range z {
		p[i] = float32(math.Exp(float64(v - largest)))
		sum += p[i]
	}
	for i := range p {
		p[i] /= sum
	}
	return p
}
