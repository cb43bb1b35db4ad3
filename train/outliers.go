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

// newOutliers returns outliers of the given type that change the share of each
// image of size x size pixels.
func newOutliers(oodType string, share float64, size int) (outliers, error) {
	pixels, elements := int(float64(size*size)*share), int(float64(3*size*size)*share)
	if pixels == 0 {
		return nil, ascood.Errorf(ascood.Invalid, "%s %g: less than one pixel of %dx%d", ascood.Field("p_inv"), share, size, size)
	}
	switch oodType {
	case OODGradient:
		return func(b batch) gotorch.Tensor { return gradientOutliers(b.x, b.saliency(), b.alpha, elements) }, nil
	case OODShuffle:
		return func(b batch) gotorch.Tensor {
			top := salientPixels(b.saliency(), pixels)
			return shuffleOutliers(b.x, top, permutations(b.scope, top, b.random))
		}, nil
	case OODGaussian:
		return func(b batch) gotorch.Tensor { return gaussianOutliers(b.scope, b.x, b.alpha, b.random) }, nil
	}
	return nil, ascood.Errorf(ascood.Invalid, "unknown %s %q; known are %s", ascood.Field("ood_type"), oodType, strings.Join(OODTypes(), ", "))
}
