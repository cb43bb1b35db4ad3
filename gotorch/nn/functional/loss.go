package functional

import "github.com/ascood/ascood/gotorch"

// Reduction says how the losses of the samples become one, numbered as in
// libtorch.
type Reduction int

// The reductions. There is no default: the zero value keeps the samples apart.
const (
	None Reduction = 0
	Mean Reduction = 1
	Sum  Reduction = 2
)

// CrossEntropy is the loss of logits [N,C] for int64 classes [N]:
// logsumexp(logits) - logits[class].
func CrossEntropy(logits, target gotorch.Tensor, reduction Reduction) gotorch.Tensor {
	return gotorch.Call(nil, "cross_entropy_loss", logits, target, gotorch.Tensor{}, int(reduction))
}

// NLLLoss is CrossEntropy of log-probabilities [N,C].
func NLLLoss(logProbs, target gotorch.Tensor, reduction Reduction) gotorch.Tensor {
	return gotorch.Call(nil, "nll_loss", logProbs, target, gotorch.Tensor{}, int(reduction))
}

// KLDiv is the divergence KL(target || exp(logProbs)), element by element:
// target · (log target - logProbs). PyTorch's "batchmean" is Sum divided by N.
func KLDiv(logProbs, target gotorch.Tensor, reduction Reduction) gotorch.Tensor {
	return gotorch.Call(nil, "kl_div", logProbs, target, int(reduction))
}

// MSELoss is the squared difference.
func MSELoss(x, target gotorch.Tensor, reduction Reduction) gotorch.Tensor {
	return gotorch.Call(nil, "mse_loss", x, target, int(reduction))
}
