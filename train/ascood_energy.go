package train

import (
	"math"

	"github.com/ascood/ascood/gotorch"
	F "github.com/ascood/ascood/gotorch/nn/functional"
	"github.com/ascood/ascood/models"
)

// What the last layer of ASCOOD takes.
const (
	FeatureZScore = "zscore" // the standardised feature, at the scale sigma
	FeatureUnit   = "unit"   // the feature at length 1
)

// HeadFeatures returns the known choices.
func HeadFeatures() []string { return []string{FeatureZScore, FeatureUnit} }

// Losses of ASCOOD's outliers.
const (
	LossKL     = "kl"     // divergence of their predictions from uniform
	LossEnergy = "energy" // cross-entropy of a small network that tells images from outliers by the energy of their logits
)

// OODLosses returns the known losses.
func OODLosses() []string { return []string{LossKL, LossEnergy} }

const energyNet, energyWidth = "logistic_regression", 512

// own is the network of LossEnergy, 1-512-2 with ReLU, which is trained with the other.
func (m *synthesis) own() []models.Param {
	if m.OODLoss != LossEnergy {
		return nil
	}
	linear := func(name string, in, out int) []models.Param {
		init := models.Init{Distribution: models.Uniform, Scale: 1 / math.Sqrt(float64(in))}
		return []models.Param{
			{Name: energyNet + name + ".weight", Shape: []int{out, in}, Trainable: true, Init: init},
			{Name: energyNet + name + ".bias", Shape: []int{out}, Trainable: true, Init: init},
		}
	}
	return append(linear(".0", 1, energyWidth), linear(".2", energyWidth, 2)...)
}

// byEnergy is LossEnergy of the logits of images and as many outliers [2N,C].
func byEnergy(s *Step, logits gotorch.Tensor) gotorch.Tensor {
	layer := func(x gotorch.Tensor, name string) gotorch.Tensor {
		return F.Linear(x, s.Own(energyNet+name+".weight").Beside(x), s.Own(energyNet+name+".bias").Beside(x))
	}
	told := layer(F.ReLU(layer(logits.LogSumExp(1).Unsqueeze(1), ".0")), ".2")
	isImage := gotorch.Cat([]gotorch.Tensor{gotorch.OnesLike(s.Y), gotorch.ZerosLike(s.Y)}, 0)
	return F.CrossEntropy(told, isImage, F.Mean)
}
