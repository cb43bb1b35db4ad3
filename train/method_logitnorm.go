package train

import (
	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/gotorch"
	F "github.com/ascood/ascood/gotorch/nn/functional"
	"github.com/ascood/ascood/models"
)

// logitNorm is cross-entropy of the logits at length 1/τ, so that their length is no way
// to lower it (Wei et al., "Mitigating Neural Network Overconfidence with Logit
// Normalization", 2022). Published with the score msp, of the logits as they are.
type logitNorm struct {
	Tau float64 `json:"tau"` // temperature
}

func init() { register("logitnorm", func(Config) Method { return &logitNorm{Tau: 0.04} }) }

func (*logitNorm) Head() models.Head { return models.HeadLinear }

func (*logitNorm) score() artifact.Score {
	return artifact.Score{Name: artifact.ScoreMSP, Temperature: 1}
}

func (m *logitNorm) check(Config) error { return positive("tau", m.Tau) }

func (m *logitNorm) Loss(s *Step) Loss {
	z := s.Forward(s.X)
	unit := z.Div(length(z).AddScalar(1e-7))
	return Loss{ID: F.CrossEntropy(unit.DivScalar(m.Tau), s.Y, F.Mean), Logits: z}
}

// length is that of each row, [N,1].
func length(z gotorch.Tensor) gotorch.Tensor {
	return gotorch.Call(nil, "norm.ScalarOpt_dim", z, 2.0, []int{1}, true)
}
