package train

import (
	"slices"
	"strings"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/gotorch"
)

// Types of outliers.
const (
	OODGradient = "gradient"
	OODShuffle  = "shuffle"
	OODGaussian = "gaussian"
)

// OODTypes returns the known types of outliers.
func OODTypes() []string { return []string{OODGradient, OODShuffle, OODGaussian} }

// outliers makes one outlier [N,3,H,W] of each image of a batch.
type outliers func(b batch) gotorch.Tensor

// batch is what outliers are made from.
type batch struct {
	scope    *gotorch.Scope        // of the step
	x        gotorch.Tensor        // normalised images [N,3,H,W]
	saliency func() gotorch.Tensor // d logit[class]/dx [N,3,H,W]; costs a forward and a backward pass
	alpha    float64               // strength
	random   *gotorch.Generator
}

// newOutliers returns the outliers that hyperparameters ask for, of images of size x
// size pixels.
func newOutliers(c ASCOOD, size int) (outliers, error) {
	share := c.PInv
	pixels, elements := int(float64(size*size)*share), int(float64(3*size*size)*share)
	if pixels == 0 {
		return nil, ascood.Errorf(ascood.Invalid, "%s %g: less than one pixel of %dx%d", ascood.Field("p_inv"), share, size, size)
	}
	switch c.Pixels {
	case "", PixelsSalient:
	case PixelsRandom:
		if c.OODType != OODShuffle {
			return nil, ascood.Errorf(ascood.Invalid, "%s %s: only outliers of %s %s change pixels at random", ascood.Field("pixels"), c.Pixels, ascood.Field("ood_type"), OODShuffle)
		}
	default:
		return nil, ascood.Errorf(ascood.Invalid, "unknown %s %q; known are %s", ascood.Field("pixels"), c.Pixels, strings.Join(PixelChoices(), ", "))
	}
	switch c.OODType {
	case OODGradient:
		return func(b batch) gotorch.Tensor { return gradientOutliers(b.x, b.saliency(), b.alpha, elements) }, nil
	case OODShuffle:
		return func(b batch) gotorch.Tensor {
			var top gotorch.Tensor
			if c.Pixels == PixelsRandom {
				top = randomPixels(b, pixels)
			} else {
				top = salientPixels(b.saliency(), pixels)
			}
			return shuffleOutliers(b.x, top, permutations(b.scope, top, b.random))
		}, nil
	case OODGaussian:
		return func(b batch) gotorch.Tensor { return gaussianOutliers(b.scope, b.x, b.alpha, b.random) }, nil
	}
	return nil, ascood.Errorf(ascood.Invalid, "unknown %s %q; known are %s", ascood.Field("ood_type"), c.OODType, strings.Join(OODTypes(), ", "))
}

// Pixels that shuffle outliers change.
const (
	PixelsSalient = "salient"
	PixelsRandom  = "random" // as in the released run on CIFAR-10
)

// PixelChoices returns the known choices of pixels.
func PixelChoices() []string { return []string{PixelsSalient, PixelsRandom} }

// Ways to run the network for the saliency. In evaluation mode it is run as it would be
// used. In training mode batches are normalised by their own statistics, and the
// running ones take each batch in once more.
const (
	SaliencyEval  = "eval"
	SaliencyTrain = "train"
)

// SaliencyModes returns the known ways.
func SaliencyModes() []string { return []string{SaliencyEval, SaliencyTrain} }

// check reports the first hyperparameter that is impossible.
func (m *synthesis) check(c Config) error {
	if m.Saliency != "" && !slices.Contains(SaliencyModes(), m.Saliency) {
		return ascood.Errorf(ascood.Invalid, "unknown %s %q; known are %s", ascood.Field("saliency"), m.Saliency, strings.Join(SaliencyModes(), ", "))
	}
	for _, choice := range []struct {
		field ascood.Field
		value string
		known []string
	}{{"head_feature", m.HeadFeature, HeadFeatures()}, {"ood_loss", m.OODLoss, OODLosses()}} {
		if choice.value != "" && !slices.Contains(choice.known, choice.value) {
			return ascood.Errorf(ascood.Invalid, "unknown %s %q; known are %s", choice.field, choice.value, strings.Join(choice.known, ", "))
		}
	}
	// Only a step along the saliency has an opposite.
	against := m.OODType == OODGradient && m.AlphaMin <= 0 && m.AlphaMax < 0
	signs := "at least 0"
	if m.OODType == OODGradient {
		signs += ", or both negative"
	}
	err := limits{
		{"sigma", m.Sigma, m.Sigma > 0, "greater than 0"},
		{"p_inv", m.PInv, m.PInv > 0 && m.PInv <= 1, "in (0, 1]"},
		{"w", m.W, m.W >= 0, "at least 0"},
		{"alpha_min", m.AlphaMin, m.AlphaMin >= 0 || against, signs},
		{"alpha_max", m.AlphaMax, m.AlphaMax >= 0 || against, signs},
	}.check()
	if err != nil {
		return err
	}
	if against && m.AlphaMin < m.AlphaMax {
		return ascood.Errorf(ascood.Invalid, "%s %g is farther from 0 than %s %g, with which the outliers begin", ascood.Field("alpha_min"), m.AlphaMin, ascood.Field("alpha_max"), m.AlphaMax)
	}
	if !against && m.AlphaMin > m.AlphaMax {
		return ascood.Errorf(ascood.Invalid, "%s %g is larger than %s %g", ascood.Field("alpha_min"), m.AlphaMin, ascood.Field("alpha_max"), m.AlphaMax)
	}
	_, err = newOutliers(m.ASCOOD, c.Preprocess.ImageSize)
	return err
}
