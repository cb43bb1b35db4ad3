package train

import (
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

// newOutliers returns the outliers that a configuration asks for, of images of size x
// size pixels.
func newOutliers(c Config, size int) (outliers, error) {
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
