package posthoc

import (
	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/onnx"
)

// RankFeat is E((z₃+z₄)/2), where z₃ and z₄ are the logits after the map [C,H·W]
// of a ResNet's third or fourth stage has lost its largest singular component
// (Song et al., "RankFeat: Rank-1 Feature Removal for Out-of-distribution
// Detection", 2022). It takes gradients of nothing, but runs the fourth stage
// twice.
type RankFeat struct {
	linear  linear
	network *onnx.GraphProto
}

func init() { register("rankfeat", func() Method { return &RankFeat{} }, nil) }

func (*RankFeat) Needs() Needs {
	return Needs{Linear: true, Graph: []string{artifact.Layer3, artifact.Layer4}}
}

func (m *RankFeat) Fit(d *Data) error {
	m.linear, m.network = d.linear(), d.Network
	return nil
}

func (m *RankFeat) Emit(p *Part) string {
	third, fourth := p.Map(artifact.Layer3), p.Map(artifact.Layer4)
	rest := p.Op("Reshape", []string{p.removeRank1(third), p.Op("Shape", []string{third})})
	after := p.resume(m.network, artifact.Layer3, p.single(rest), artifact.Feature)[artifact.Feature]
	// The last layer is affine: the mean of the logits is that of the mean feature.
	mean := p.Op("ReduceMean", []string{p.removeRank1(fourth)}, onnx.Ints("axes", 2), onnx.Int("keepdims", 0))
	return p.energy(p.classLogits(m.linear, p.scaled(p.add(p.double(after), mean), 0.5)))
}

// removeRank1 returns maps [N,C,H,W] as [N,C,H·W], float64, without the largest singular
// component of each image's. That is X·v·vᵀ, with v the first eigenvector of XᵀX: squaring
// that matrix again and again leaves v·vᵀ, since the others vanish beside it.
func (p *Part) removeRank1(maps string) string {
	x := p.Op("Reshape", []string{p.double(maps), p.Int64s(0, 0, -1)})
	power := p.product(p.Op("Transpose", []string{x}, onnx.Ints("perm", 0, 2, 1)), x) // [N,H·W,H·W]
	const squarings = 10                                                              // as 1024 steps of a power iteration
	for range squarings {
		power = p.unitMatrix(power)
		power = p.product(power, power)
	}
	power = p.unitMatrix(power)
	// Its columns are multiples of v. Maps after a ReLU are not negative, so that their sum
	// is not zero.
	v := p.unitMatrix(p.Op("ReduceSum", []string{power, p.Int64s(2)}, onnx.Int("keepdims", 1)))
	component := p.product(p.product(x, v), p.Op("Transpose", []string{v}, onnx.Ints("perm", 0, 2, 1)))
	return p.sub(x, component)
}

// unitMatrix brings the matrices [N,A,B] to Frobenius norm 1, but for those of zeros.
func (p *Part) unitMatrix(x string) string {
	squares := p.Op("ReduceSum", []string{p.mul(x, x), p.Int64s(1, 2)}, onnx.Int("keepdims", 1))
	return p.div(x, p.atLeast(p.sqrt(squares), p.number(tiny)))
}
