package train

import "github.com/ascood/ascood/gotorch"

// gradientOutliers moves the k most salient elements of each image of x
// [N,C,H,W] along the saliency map m of the same shape: x + alpha·m where |m| is
// among the image's k largest.
func gradientOutliers(x, m gotorch.Tensor, alpha float64, k int) gotorch.Tensor {
	magnitude := m.Abs().Flatten(1, -1)
	_, top := magnitude.TopK(k, 1, true)
	mask := gotorch.ZerosLike(magnitude).ScatterScalar(1, top, 1)
	return x.Add(m.MulScalar(alpha).Mul(mask.ViewAs(m)))
}
