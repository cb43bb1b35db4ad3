package train

import (
	"math"
	"math/rand/v2"

	"github.com/ascood/ascood/checkpoint"
	"github.com/ascood/ascood/models"
)

// initial returns the state dict that a run starts from, by PyTorch's default
// for each kind of layer: weights and biases of convolutions and linear layers
// are uniform within ±1/√fan_in (Kaiming's rule for a leaky slope of √5),
// BatchNorm starts as the identity. OpenOOD's resnet18_32x32 and lenet start so;
// torchvision's ResNets, which are published with trained weights, draw their
// convolutions otherwise. The numbers are drawn here, not on the device, so that
// all devices start alike.
func initial(g *models.Graph, sigma float64, seed uint64) checkpoint.StateDict {
	rng := random(seed, forWeights, 0)
	state := checkpoint.StateDict{}
	for _, node := range g.Nodes {
		for _, p := range node.Op.Params() {
			state[node.Param(p.Name)] = initialTensor(node.Op, p, sigma, rng)
		}
	}
	return state
}

func initialTensor(op models.Op, p models.Param, sigma float64, rng *rand.Rand) *checkpoint.Tensor {
	if p.Integer {
		return checkpoint.FromInt64s([]int64{0})
	}
	switch op := op.(type) {
	case models.Conv2d:
		return uniform(op.In*op.Kernel*op.Kernel, p.Shape, rng)
	case models.Linear:
		return uniform(op.In, p.Shape, rng)
	case models.ZScore:
		return constant(sigma, p.Shape)
	}
	if p.Name == "weight" || p.Name == "running_var" {
		return constant(1, p.Shape)
	}
	return constant(0, p.Shape)
}

func uniform(fanIn int, shape []int, rng *rand.Rand) *checkpoint.Tensor {
	t := constant(0, shape)
	bound := 1 / math.Sqrt(float64(fanIn))
	values := make([]float32, t.Len())
	for i := range values {
		values[i] = float32(bound * (2*rng.Float64() - 1))
	}
	return checkpoint.FromFloat32s(values, shape...)
}

func constant(v float64, shape []int) *checkpoint.Tensor {
	n := 1
	for _, d := range shape {
		n *= d
	}
	values := make([]float32, n)
	for i := range values {
		values[i] = float32(v)
	}
	return checkpoint.FromFloat32s(values, shape...)
}
