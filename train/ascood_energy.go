package train

import (
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
func (m *synthesis) own(sizes) []models.Param {
	if m.OODLoss != LossEnergy {
		return nil
	}
	return append(linear(energyNet+".0", 1, energyWidth), linear(energyNet+".2", energyWidth, 2)...)
}

// byEnergy is LossEnergy of the logits of images and as many outliers [2N,C].
func byEnergy(s *Step, logits gotorch.Tensor) gotorch.Tensor {
	told := s.Linear(energyNet+".2", F.ReLU(s.Linear(energyNet+".0", logits.LogSumExp(1).Unsqueeze(1))))
	isImage := gotorch.Cat([]gotorch.Tensor{gotorch.OnesLike(s.Y), gotorch.ZerosLike(s.Y)}, 0)
	return F.CrossEntropy(told, isImage, F.Mean)
}
