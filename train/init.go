package train

import (
	"math"
	"math/rand/v2"
	"slices"

	"github.com/ascood/ascood/checkpoint"
	"github.com/ascood/ascood/models"
)

// ofTorchvision are the architectures that are torchvision's own.
var ofTorchvision = []string{"resnet18_224x224", "resnet50"}

// initial returns the state dict that a run starts from, by PyTorch's default
// for each kind of layer: weights and biases of convolutions and linear layers
// are uniform within ±1/√fan_in (Kaiming's rule for a leaky slope of √5),
// BatchNorm starts as the identity. OpenOOD's resnet18_32x32 and lenet start so.
// Torchvision's ResNets draw their convolutions from a normal distribution of variance
// 2/fan_out (Kaiming's rule for ReLU). The numbers are drawn here, not on the device, so
// that all devices start alike.
func initial(g *models.Graph, sigma float64, seed uint64) checkpoint.StateDict {
	rng := random(seed, forWeights, 0)
	state := checkpoint.StateDict{}
	for _, node := range g.Nodes {
		for _, p := range node.Op.Params() {
			state[node.Param(p.Name)] = initialTensor(node.Op, p, sigma, slices.Contains(ofTorchvision, g.Spec.Arch), rng)
		}
	}
	return state
}

func initialTensor(op models.Op, p models.Param, sigma float64, torchvision bool, rng *rand.Rand) *checkpoint.Tensor {
	if p.Integer {
		return checkpoint.FromInt64s([]int64{0})
	}
	switch op := op.(type) {
	case models.Conv2d:
		if torchvision {
			return normal(2/float64(op.Out*op.Kernel*op.Kernel), p.Shape, rng)
		}
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
	bound := 1 / math.Sqrt(float64(fanIn))
	return filled(shape, func() float64 { return bound * (2*rng.Float64() - 1) })
}

func normal(variance float64, shape []int, rng *rand.Rand) *checkpoint.Tensor {
	deviation := math.Sqrt(variance)
	return filled(shape, func() float64 { return deviation * rng.NormFloat64() })
}

func constant(v float64, shape []int) *checkpoint.Tensor {
	return filled(shape, func() float64 { return v })
}

// filled is a tensor of values one after the other.
func filled(shape []int, next func() float64) *checkpoint.Tensor {
	n := 1
	for _, d := range shape {
		n *= d
	}
	values := make([]float32, n)
	for i := range values {
		values[i] = float32(next())
	}
	return checkpoint.FromFloat32s(values, shape...)
}
