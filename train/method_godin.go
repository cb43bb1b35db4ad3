package train

import (
	"github.com/ascood/ascood/artifact"
	F "github.com/ascood/ascood/gotorch/nn/functional"
	"github.com/ascood/ascood/models"
)

// generalizedODIN is cross-entropy of logits that are divided by a number which the
// network learns of each image (Hsu et al., "Generalized ODIN", 2020). The weights of the
// classes have no weight decay, as its paper has it, and, as only the published code
// has it, with which the numbers were made, a learning rate that does not fall.
type generalizedODIN struct {
	ConstantRate bool `json:"constant_rate"` // the learning rate of the classes' weights stays
}

func init() { register("godin", func(Config) Method { return &generalizedODIN{ConstantRate: true} }) }

func (*generalizedODIN) Head() models.Head { return models.HeadGODIN }

func (*generalizedODIN) score() artifact.Score { return artifact.Score{Name: "godin"} }

func (m *generalizedODIN) groups() []group {
	return []group{{module: "h", constant: m.ConstantRate, noDecay: true}}
}

func (*generalizedODIN) Loss(s *Step) Loss {
	z := s.Forward(s.X)
	return Loss{ID: F.CrossEntropy(z, s.Y, F.Mean), Logits: z}
}
