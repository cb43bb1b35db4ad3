package artifact

import (
	"encoding/binary"
	"math"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/onnx"
)

// Classifier returns the weight [C,D] and the bias [C] of the layer that computes
// the logits.
func Classifier(m *onnx.ModelProto) (weight, bias []float32, err error) {
	for _, n := range m.GetGraph().GetNode() {
		if n.OpType != "Gemm" || n.Output[0] != Logits {
			continue
		}
		if weight, err = constant(m, n.Input[1]); err == nil {
			bias, err = constant(m, n.Input[2])
		}
		return weight, bias, err
	}
	return nil, nil, ascood.Errorf(ascood.Invalid, "the graph computes its logits by something else than a linear layer")
}

// constant returns the values of a float32 initializer.
func constant(m *onnx.ModelProto, name string) ([]float32, error) {
	for _, t := range m.GetGraph().GetInitializer() {
		if t.Name != name {
			continue
		}
		values := make([]float32, len(t.RawData)/4)
		for i := range values {
			values[i] = math.Float32frombits(binary.LittleEndian.Uint32(t.RawData[4*i:]))
		}
		return values, nil
	}
	return nil, ascood.Errorf(ascood.Invalid, "the graph has no constant %q", name)
}
