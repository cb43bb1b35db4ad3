package train

import (
	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/gotorch"
	F "github.com/ascood/ascood/gotorch/nn/functional"
	"github.com/ascood/ascood/models"
)

// outlierExposure teaches the network to be undecided about images of other things
// (Hendrycks et al., "Deep Anomaly Detection with Outlier Exposure", 2019). Published with
// the score msp, and with twice as many outliers a step as images on CIFAR.
type outlierExposure struct {
	Lambda float64 `json:"lambda"` // weight of the outliers' loss
}

func init() { register("oe", func(Config) Method { return &outlierExposure{Lambda: 0.5} }) }

func (*outlierExposure) Head() models.Head { return models.HeadLinear }

func (*outlierExposure) score() artifact.Score {
	return artifact.Score{Name: artifact.ScoreMSP, Temperature: 1}
}

func (*outlierExposure) exposed() {}

func (m *outlierExposure) check(Config) error { return positive("lambda", m.Lambda) }

// Loss adds the outliers' cross-entropy with the uniform distribution, up to a constant.
func (m *outlierExposure) Loss(s *Step) Loss {
	images, others := s.X.Shape()[0], s.Others.Shape()[0]
	z := s.Forward(gotorch.Cat([]gotorch.Tensor{s.X, s.Others}, 0))
	id, ood := z.Narrow(0, 0, images), z.Narrow(0, images, others)
	uniform := ood.LogSumExp(1).Sub(ood.Mean(1)).Mean()
	return Loss{ID: F.CrossEntropy(id, s.Y, F.Mean), OOD: uniform, Weight: m.Lambda, Logits: id}
}
