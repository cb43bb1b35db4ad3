package train

import "github.com/ascood/ascood/gotorch"

// salientPixels returns the k most salient pixels of each image as indices into
// H·W [N,k], most salient first: those with the largest sum over the channels of
// exp(m), for saliency maps m [N,C,H,W].
func salientPixels(m gotorch.Tensor, k int) gotorch.Tensor {
	return largest(m.Exp().Sum(1).Flatten(1, -1), k)
}

// largest returns the indices of the k largest values of each row, largest first.
func largest(rows gotorch.Tensor, k int) gotorch.Tensor {
	_, top := rows.TopK(k, 1, true)
	return top
}

// randomPixels draws k different pixels of each image likewise.
func randomPixels(b batch, k int) gotorch.Tensor {
	shape := b.x.Shape()
	return largest(gotorch.Rand(b.scope, []int{shape[0], shape[2] * shape[3]}, b.x.Device(), b.random), k)
}

// permutations draws an order of 0 … k-1 for each row of top [N,k].
func permutations(s *gotorch.Scope, top gotorch.Tensor, random *gotorch.Generator) gotorch.Tensor {
	_, order := gotorch.Rand(s, top.Shape(), top.Device(), random).Sort(1, false)
	return order
}

// shuffleOutliers exchanges pixels within each image of x [N,3,H,W], all
// channels together: pixel top[i] becomes what pixel top[permutation[i]] was;
// top and permutation are [N,k].
func shuffleOutliers(x, top, permutation gotorch.Tensor) gotorch.Tensor {
	flat := x.Flatten(2, -1)
	moved := flat.Gather(2, everyChannel(top.Gather(1, permutation)))
	return flat.Scatter(2, everyChannel(top), moved).ViewAs(x)
}

// everyChannel repeats indices [N,k] to [N,3,k].
func everyChannel(index gotorch.Tensor) gotorch.Tensor { return index.Unsqueeze(1).Expand(-1, 3, -1) }
