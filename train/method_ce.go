package train

import (
	F "github.com/ascood/ascood/gotorch/nn/functional"
	"github.com/ascood/ascood/models"
)

// MethodCE is the plain classifier to compare with: a linear head and cross-entropy
// alone.
const MethodCE = "ce"

type crossEntropy struct{}

func init() { register(MethodCE, func(Config) Method { return crossEntropy{} }) }

func (crossEntropy) Head() models.Head { return models.HeadLinear }

func (crossEntropy) Loss(s *Step) Loss {
	logits := s.Forward(s.X)
	return Loss{ID: F.CrossEntropy(logits, s.Y, F.Mean), Logits: logits}
}
