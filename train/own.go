package train

import (
	"math"

	"github.com/ascood/ascood/gotorch"
	F "github.com/ascood/ascood/gotorch/nn/functional"
	"github.com/ascood/ascood/models"
	"github.com/ascood/ascood/onnx"
)

// sizes are those of a network that a method's own tensors go by.
type sizes struct{ classes, feature int }

// ownOf are the tensors of a method's own for a network.
func ownOf(m Method, net *models.Network) ([]models.Param, error) {
	o, ok := m.(owner)
	if !ok {
		return nil, nil
	}
	of := sizes{classes: net.Spec.Classes}
	if shape := onnx.Shapes(net.Graph)[onnx.Tap(feature)]; len(shape) == 2 {
		of.feature = shape[1].Size
	}
	params := o.own(of)
	for _, p := range params {
		if p.Elements() == 0 {
			return nil, errNoFeature
		}
	}
	return params, nil
}

// linear are the tensors of a linear layer of a method's own, as PyTorch begins them.
func linear(name string, in, out int) []models.Param {
	init := models.Init{Distribution: models.Uniform, Scale: 1 / math.Sqrt(float64(max(1, in)))}
	return []models.Param{
		{Name: name + ".weight", Shape: []int{out, in}, Trainable: true, Init: init},
		{Name: name + ".bias", Shape: []int{out}, Trainable: true, Init: init},
	}
}

// Linear is a linear layer of the method's own, of x [N,K].
func (s *Step) Linear(name string, x gotorch.Tensor) gotorch.Tensor {
	return F.Linear(x, s.Own(name+".weight").Beside(x), s.Own(name+".bias").Beside(x))
}
