package train

import (
	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/gotorch"
	F "github.com/ascood/ascood/gotorch/nn/functional"
	"github.com/ascood/ascood/models"
)

// rotPred has the network tell by how much an image was rotated, too (Hendrycks et al.,
// "Using Self-Supervised Learning Can Improve Model Robustness and Uncertainty", 2019).
// A step passes four times its images through the network.
type rotPred struct{}

func init() { register("rotpred", func(Config) Method { return rotPred{} }) }

func (rotPred) Head() models.Head { return models.HeadRotation }

func (rotPred) score() artifact.Score { return artifact.Score{Name: "rotation"} }

func (rotPred) Loss(s *Step) Loss {
	n := s.X.Shape()[0]
	var images, turns []gotorch.Tensor
	for quarter := range 4 { // counter-clockwise
		images = append(images, gotorch.Call(nil, "rot90", s.X, quarter, []int{2, 3}))
		turns = append(turns, gotorch.Call(nil, "full_like", s.Y, quarter))
	}
	out := s.Pass(gotorch.Cat(images, 0))
	z := out.Logits.Narrow(0, 0, n)
	return Loss{
		ID:     F.CrossEntropy(z, s.Y, F.Mean),
		OOD:    F.CrossEntropy(out.Further[models.Rotation], gotorch.Cat(turns, 0), F.Mean),
		Weight: 1, Logits: z,
	}
}
