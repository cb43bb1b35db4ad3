package posthoc

import (
	"math"

	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/onnx"
)

// Rotation is how far from undecided a network with a rotpred head is about the class, and
// how sure about rotations: with x_r the image turned by r quarters counter-clockwise and
// q its softmax over the four rotations, KL(uniform ‖ p(x)) + ¼ Σ_r log q_r(x_r), with
// logarithms to base 2 (Hendrycks et al., "Using Self-Supervised Learning Can Improve Model
// Robustness and Uncertainty", 2019). It takes three further passes.
type Rotation struct {
	network network
	classes int
}

func init() { register("rotation", func() Method { return &Rotation{} }, nil) }

// Needs is that output of the head, and the image.
func (*Rotation) Needs() Needs { return Needs{Graph: []string{artifact.Image, artifact.Rotation}} }

// Fit takes the network.
func (m *Rotation) Fit(d *Data) error {
	m.network, m.classes = d.network(), d.Classes()
	return nil
}

// Emit emits the score.
func (m *Rotation) Emit(p *Part) string {
	z := p.Logits()
	mean := p.Op("ReduceMean", []string{z}, onnx.Ints("axes", 1), onnx.Int("keepdims", 0))
	image, told := p.image(m.network), p.value(artifact.Rotation, 4)
	var sure string
	for quarters := range 4 {
		if quarters > 0 {
			image = p.turned(m.network, image)
			told = p.resume(m.network.GraphProto, artifact.Image, image, artifact.Rotation)[artifact.Rotation]
		}
		r := p.double(told)
		of := p.score(p.Op("Gather", []string{r, p.Int64s(quarters)}, onnx.Int("axis", 1)))
		if log := p.sub(of, p.energy(r)); quarters == 0 {
			sure = log
		} else {
			sure = p.add(sure, log)
		}
	}
	nats := p.add(p.sub(p.energy(z), mean), p.scaled(sure, 0.25))
	return p.sub(p.scaled(nats, 1/math.Ln2), p.number(math.Log2(float64(m.classes))))
}

// turned turns an image by a quarter counter-clockwise.
func (p *Part) turned(n network, image string) string {
	shape, err := n.Input[0].Shape()
	if err != nil {
		p.Fail(err)
		return image
	}
	size := shape[1].Size
	last := make([]int, size)
	for i := range last {
		last[i] = size - 1 - i
	}
	image = p.Op("Transpose", []string{image}, onnx.Ints("perm", 0, 1, 3, 2))
	return p.Op("Gather", []string{image, p.Int64s(last...)}, onnx.Int("axis", 2))
}
