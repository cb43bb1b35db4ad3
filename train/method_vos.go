package train

import (
	"math"

	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/gotorch"
	F "github.com/ascood/ascood/gotorch/nn/functional"
	"github.com/ascood/ascood/models"
)

// virtualOutliers draws outliers where the features of a class are rare, and has the energy
// of the logits tell them from images (Du et al., "VOS: Learning What You Don't Know by
// Virtual Outlier Synthesis", 2022). In log Σ relu(w_c)·exp(z_c) the weights w are learnt,
// as its paper has it; with gradient=false they are drawn anew for every batch and let no
// gradient through, as the published code has it, so that the network is that of plain
// cross-entropy. Published with the score ebo.
type virtualOutliers struct {
	LossWeight   float64 `json:"loss_weight"`   // of the loss of telling them apart
	SampleNumber int     `json:"sample_number"` // features of a class that are kept; outliers are drawn when there are as many of each
	SampleFrom   int     `json:"sample_from"`   // draws for each class, of the normal distribution around its mean
	Select       int     `json:"select"`        // of these, the least likely ones, which are the outliers
	StartEpoch   int     `json:"start_epoch"`   // first epoch with outliers
	Gradient     bool    `json:"gradient"`      // reaches the network

	memory
}

func init() {
	register("vos", func(Config) Method {
		return &virtualOutliers{LossWeight: 0.1, SampleNumber: 1000, SampleFrom: 10_000, Select: 1, Gradient: true}
	})
}

func (*virtualOutliers) Head() models.Head { return models.HeadLinear }

func (*virtualOutliers) score() artifact.Score { return artifact.Score{Name: artifact.ScoreEBO} }

func (*virtualOutliers) classifies() {}

const toldApart, energyWeight = "logistic_regression", "weight_energy.weight"

func (m *virtualOutliers) own(of sizes) []models.Param {
	m.size = m.SampleNumber
	all := append(linear(toldApart, 1, 2), m.memory.own(of)...)
	if !m.Gradient {
		return all
	}
	return append(all, models.Param{
		Name: energyWeight, Shape: []int{1, of.classes}, Trainable: true,
		Init: models.Init{Distribution: models.UpTo, Scale: 1},
	})
}

func (m *virtualOutliers) check(Config) error {
	if err := positive("loss_weight", m.LossWeight); err != nil {
		return err
	}
	return within([]bounded{
		{"sample_number", m.SampleNumber, 1, most}, {"sample_from", m.SampleFrom, 1, most}, {"select", m.Select, 1, m.SampleFrom}, {"start_epoch", m.StartEpoch, 0, most},
	})
}

func (m *virtualOutliers) Loss(s *Step) Loss {
	random := s.Generator()
	normal := func(in *gotorch.Scope, _ int, shape ...int) gotorch.Tensor {
		return gotorch.RandN(in, shape, s.X.Device(), random)
	}
	weight := func() gotorch.Tensor { // as PyTorch begins a linear layer
		w := gotorch.Rand(s.Scope, []int{1, s.Classes()}, s.X.Device(), random).MulScalar(2).SubScalar(1)
		return w.DivScalar(math.Sqrt(float64(s.Classes())))
	}
	return m.loss(s, normal, weight)
}

// draws makes draws from the standard normal distribution for a class, in a scope.
type draws func(in *gotorch.Scope, class int, shape ...int) gotorch.Tensor

// loss takes such draws, and weights [1,C] of the energy for gradient=false.
func (m *virtualOutliers) loss(s *Step, normal draws, weight func() gotorch.Tensor) Loss {
	out := s.Pass(s.X)
	loss := Loss{ID: F.CrossEntropy(out.Logits, s.Y, F.Mean), Weight: m.LossWeight, Logits: out.Logits}
	if !m.add(s, out.Feature, s.Y) || s.Epoch < m.StartEpoch {
		return loss
	}
	outliers := s.Classify(m.draw(s, normal))
	energy := gotorch.Cat([]gotorch.Tensor{m.energy(s, out.Logits, weight), m.energy(s, outliers, weight)}, 0)
	isImage := gotorch.Cat([]gotorch.Tensor{gotorch.OnesLike(s.Y), gotorch.Zeros(s.Scope, outliers.Shape()[:1], gotorch.Int64, s.Y.Device())}, 0)
	loss.OOD = F.CrossEntropy(s.Linear(toldApart, energy.Unsqueeze(1)), isImage, F.Mean)
	return loss
}

// energy is the weighted one of logits [N,C], [N].
func (m *virtualOutliers) energy(s *Step, z gotorch.Tensor, weight func() gotorch.Tensor) gotorch.Tensor {
	var w gotorch.Tensor
	if m.Gradient {
		w = s.Own(energyWeight).Beside(z)
	} else {
		w = weight()
	}
	largest, _ := z.MaxDim(1)
	e := largest.Add(F.ReLU(w).Mul(z.Sub(largest.Unsqueeze(1)).Exp()).Sum(1).Log())
	if m.Gradient {
		return e
	}
	return gotorch.Call(nil, "clamp", e.Detach(), -1.0)
}

// draw draws the outliers [C·Select,D]. All classes have one covariance, and the least
// likely of normal draws are the longest ones.
func (m *virtualOutliers) draw(s *Step, normal draws) gotorch.Tensor {
	features := m.features(s)
	shape := features.Shape()
	mean := features.Mean(1)
	centred := features.Sub(mean.Unsqueeze(1)).Flatten(0, 1)
	covariance := centred.Transpose(0, 1).MatMul(centred).DivScalar(float64(shape[0] * shape[1]))
	covariance = covariance.Add(gotorch.Call(s.Scope, "eye", shape[2], covariance.DType(), nil, covariance.Device()).MulScalar(1e-4))
	root := gotorch.Call(nil, "linalg_cholesky", covariance).Transpose(0, 1)
	var outliers []gotorch.Tensor
	for class := range shape[0] {
		inner := gotorch.NewScope(gotorch.NoGrad) // of the other draws
		e := normal(inner, class, m.SampleFrom, shape[2])
		_, rare := e.Mul(e).Sum(1).TopK(m.Select, 0, true)
		step := e.IndexSelect(0, rare).MatMul(inner.Keep(root))
		outliers = append(outliers, s.Scope.Keep(inner.Keep(mean).Narrow(0, class, 1).Add(step)))
		inner.Close()
	}
	return gotorch.Cat(outliers, 0)
}
