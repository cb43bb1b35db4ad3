package train

import (
	"fmt"

	"github.com/ascood/ascood/artifact"
	F "github.com/ascood/ascood/gotorch/nn/functional"
	"github.com/ascood/ascood/models"
)

// t2fNorm is cross-entropy of a network that sees the direction of the feature alone
// (Regmi et al., "T2FNorm: Train-time Feature Normalization for OOD Detection in Image
// Classification", 2024). Published with the score t2fnorm, which sees its length again.
type t2fNorm struct {
	Tau float64 `json:"tau"` // temperature that the unit feature is divided by
}

func init() { register("t2fnorm", func(Config) Method { return &t2fNorm{Tau: 0.1} }) }

func (*t2fNorm) Head() models.Head { return models.HeadT2FNorm }

// score has the temperature of training.
func (m *t2fNorm) score() artifact.Score {
	return artifact.Score{Name: "t2fnorm", Settings: fmt.Sprintf(`{"tau":%v}`, m.Tau)}
}

func (m *t2fNorm) scales() map[string]float64 { return map[string]float64{models.Tau: m.Tau} }

func (m *t2fNorm) check(Config) error { return positive("tau", m.Tau) }

func (m *t2fNorm) Loss(s *Step) Loss {
	z := s.Forward(s.X)
	return Loss{ID: F.CrossEntropy(z, s.Y, F.Mean), Logits: z}
}
