package train

import (
	"math"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/gotorch"
	"github.com/ascood/ascood/models"
)

// confBranch has the network buy hints of the true class for confidence (DeVries and
// Taylor, "Learning Confidence for Out-of-Distribution Detection in Neural Networks",
// 2018). The price λ follows a budget. Published with the score confidence.
type confBranch struct {
	Lambda float64 `json:"lambda"` // λ before the first step
	Budget float64 `json:"budget"` // loss of confidence above which λ grows
}

func init() {
	register("conf_branch", func(Config) Method { return &confBranch{Lambda: 0.1, Budget: 0.3} })
}

func (*confBranch) Head() models.Head { return models.HeadConfidence }

func (*confBranch) score() artifact.Score { return artifact.Score{Name: "confidence"} }

func (m *confBranch) check(Config) error {
	if err := positive("lambda", m.Lambda); err != nil {
		return err
	}
	if !(m.Budget >= 0) || math.IsInf(m.Budget, 0) {
		return ascood.Errorf(ascood.Invalid, "%s budget=%g: must be at least 0", ascood.Field("set"), m.Budget)
	}
	return nil
}

const price = "lambda"

func (m *confBranch) own(sizes) []models.Param {
	return []models.Param{{Name: price, Shape: []int{}, Init: models.Init{Distribution: models.Constant, Scale: m.Lambda}}}
}

// Loss gives hints for half of the images, in the mean: for each image with a probability
// that is drawn for it.
func (m *confBranch) Loss(s *Step) Loss {
	shape := []int{s.X.Shape()[0], 1}
	random := s.Generator()
	keep := gotorch.Rand(s.Scope, shape, s.X.Device(), random)
	return m.loss(s, gotorch.Rand(s.Scope, shape, s.X.Device(), random).Lt(keep))
}

// loss takes the confidence of the images that the mask [N,1] has, and full confidence,
// which is no hint, for the others.
func (m *confBranch) loss(s *Step, mask gotorch.Tensor) Loss {
	const eps = 1e-12
	out := s.Pass(s.X)
	p := out.Logits.Softmax(1).Clamp(eps, 1-eps)
	c := gotorch.Call(nil, "sigmoid", out.Further[models.Confidence]).Clamp(eps, 1-eps)
	held := gotorch.Where(mask, c, gotorch.OnesLike(c))
	hint := held.Neg().AddScalar(1)
	ofClass := p.Gather(1, s.Y.Unsqueeze(1)).Mul(held).Add(hint)
	unsure := c.Log().Mean().Neg()
	lambda := s.Own(price)
	loss := Loss{ID: ofClass.Log().Mean().Neg(), OOD: unsure.Mul(lambda.Clone().Beside(unsure)), Weight: 1, Logits: out.Logits}
	cheap := unsure.Detach().GeScalar(m.Budget) // NaN is not
	lambda.CopyI(gotorch.Where(cheap, lambda.DivScalar(0.99), lambda.DivScalar(1.01)))
	return loss
}
