package train

import (
	"github.com/ascood/ascood/gotorch"
	F "github.com/ascood/ascood/gotorch/nn/functional"
	"github.com/ascood/ascood/models"
)

// MethodASCOOD is ASCOOD (Regmi, "Image-based Outlier Synthesis With Training Data",
// 2024).
const MethodASCOOD = "ascood"

// ASCOOD are its hyperparameters.
type ASCOOD struct {
	Sigma    float64 `json:"sigma"`     // 0.5: scale of the standardised feature
	OODType  string  `json:"ood_type"`  // "gradient": one of OODTypes
	Pixels   string  `json:"pixels"`    // "salient": which pixels shuffle outliers change, one of PixelChoices; as is ""
	Saliency string  `json:"saliency"`  // "eval": how the network is run for the saliency, one of SaliencyModes; as is ""
	PInv     float64 `json:"p_inv"`     // 0.1: share of the image's most salient elements (gradient) or of its pixels (shuffle) that is changed
	W        float64 `json:"w"`         // 1: weight of the outliers' loss
	AlphaMin float64 `json:"alpha_min"` // 30 (gradient), 0.1 (gaussian): strength of the outliers in the last epoch
	AlphaMax float64 `json:"alpha_max"` // 300 (gradient), 0.1 (gaussian): strength that the first epoch starts below. Both negative: gradient outliers against the saliency

	// The paper's further ablations, which are its Table 8.
	HeadFeature string `json:"head_feature,omitempty"` // "zscore": what the last layer takes, one of HeadFeatures; as is ""
	OODLoss     string `json:"ood_loss,omitempty"`     // "kl": loss of the outliers, one of OODLosses; as is ""
}

// synthesis is the method: from every batch of images it makes outliers that differ from
// the images in what their class depends on and keep the rest (outliers_*.go), and it
// teaches the network to be sure of the images and undecided about the outliers. This file
// is all of it.
type synthesis struct {
	ASCOOD
	outliers outliers
}

func init() { register(MethodASCOOD, func(c Config) Method { return &synthesis{ASCOOD: c.ASCOOD} }) }

func (m *synthesis) Head() models.Head {
	if m.HeadFeature == FeatureUnit {
		return models.HeadUnit
	}
	return models.HeadASCOOD
}

func (m *synthesis) scales() map[string]float64 { return map[string]float64{models.Sigma: m.Sigma} }

func (m *synthesis) prepare(size int) (err error) {
	m.outliers, err = newOutliers(m.ASCOOD, size)
	return err
}

func (m *synthesis) Loss(s *Step) Loss { return m.loss(s, m.outliers(m.batch(s))) }

// batch is what the outliers of a step are made from.
func (m *synthesis) batch(s *Step) batch {
	return batch{
		scope:    s.Scope,
		x:        s.X,
		saliency: func() gotorch.Tensor { return s.Saliency(m.Saliency == SaliencyTrain) },
		alpha:    m.alpha(s.Epoch, s.Epochs()),
		random:   s.Generator(),
	}
}

// loss passes images and outliers, of the images' shape, through the network at once, so
// that batch normalisation sees both.
func (m *synthesis) loss(s *Step, ood gotorch.Tensor) Loss {
	both := s.Forward(gotorch.Cat([]gotorch.Tensor{s.X, ood}, 0))
	logits := gotorch.CallN(nil, 2, "chunk", both, 2, 0)
	l := Loss{ID: F.CrossEntropy(logits[0], s.Y, F.Mean), Weight: m.W, Logits: logits[0]}
	if m.OODLoss == LossEnergy {
		l.OOD = byEnergy(s, both)
	} else {
		l.OOD = fromUniform(logits[1], s.Classes())
	}
	return l
}

// fromUniform is the divergence KL(uniform || softmax(logits)), the mean over
// the rows of logits [N,classes].
func fromUniform(logits gotorch.Tensor, classes int) gotorch.Tensor {
	uniform := gotorch.OnesLike(logits).DivScalar(float64(classes))
	return F.KLDiv(logits.LogSoftmax(1), uniform, F.Mean).MulScalar(float64(classes))
}

// alpha is the strength of the outliers in an epoch. It falls in equal steps and is
// lowest in the last.
func (m *synthesis) alpha(epoch, epochs int) float64 {
	return alpha(epoch, epochs, m.AlphaMin, m.AlphaMax)
}
