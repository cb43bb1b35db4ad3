package posthoc

import (
	"math"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/onnx"
)

// GODIN is Generalized ODIN's score of a network with a godin head, whose logits are
// cosines h over a number g: max softmax(h(x')), of the image moved along the gradient of
// its largest cosine, x' = x + ε·sign(∂ max h/∂x)/std with sign(0) = 1 (Hsu et al.,
// "Generalized ODIN", 2020).
type GODIN struct {
	Noise float64 `json:"noise"` // ε ≥ 0

	network network
	std     [3]float64
}

func init() { register("godin", func() Method { return &GODIN{Noise: 0.0025} }, nil) }

// Needs is that output of the head, and the image.
func (*GODIN) Needs() Needs { return Needs{Graph: []string{artifact.Image, artifact.Cosines}} }

func (m *GODIN) check(Sizes) error {
	if !(m.Noise >= 0 && m.Noise <= math.MaxFloat32) {
		return ascood.Errorf(ascood.Invalid, "noise %v: must be a number that is not negative", m.Noise)
	}
	return nil
}

// Fit takes the network.
func (m *GODIN) Fit(d *Data) error {
	m.network, m.std = d.network(), d.Std
	return nil
}

// Emit emits the score.
func (m *GODIN) Emit(p *Part) string {
	image := p.image(m.network)
	h := p.resume(m.network.GraphProto, artifact.Image, image, artifact.Cosines)[artifact.Cosines]
	first := p.Op("ArgMax", []string{h}, onnx.Int("axis", 1), onnx.Int("keepdims", 0))
	classes, err := p.Shape(h)
	if err != nil {
		p.Fail(err)
		return h
	}
	largest := p.Op("OneHot", []string{first, p.Int64s(classes[1].Size), p.Const([]int{2}, 0, 1)})
	up := p.Op("GreaterOrEqual", []string{p.gradient(m.network, h, largest, image), p.Scalar(0)})
	var step []float32
	for _, std := range m.std {
		step = append(step, float32(m.Noise/std))
	}
	size := p.Const([]int{1, 3, 1, 1}, step...)
	moved := p.add(image, p.where(up, size, p.Op("Neg", []string{size})))
	h = p.resume(m.network.GraphProto, artifact.Image, moved, artifact.Cosines)[artifact.Cosines]
	return p.largest(p.softmax(p.double(h), 1))
}
