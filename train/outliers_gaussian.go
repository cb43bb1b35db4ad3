package train

import "github.com/ascood/ascood/gotorch"

// gaussianOutliers draws noise of x's shape, alpha·N(0,1), for outliers that owe
// nothing to the images.
func gaussianOutliers(s *gotorch.Scope, x gotorch.Tensor, alpha float64, random *gotorch.Generator) gotorch.Tensor {
	return gotorch.RandN(s, x.Shape(), x.Device(), random).MulScalar(alpha)
}
