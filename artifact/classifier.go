package artifact

import (
	"fmt"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/onnx"
)

// Classifier returns the weight [C,D], row-major, and the bias [C] of the layer
// that computes the logits, weight·x + bias. With the linear head, x is the output
// Feature. With the ASCOOD head it is sigma·zscore(feature): weight and bias do not
// make the logits of the feature itself.
//
// The layer is a Gemm, or a MatMul with or without an Add, of initializers of
// float32. Anything else is ascood.Unsupported.
func Classifier(m *onnx.ModelProto) (weight, bias []float32, err error) {
	l, err := lastLayer(m.GetGraph())
	if err == nil {
		weight, err = l.weights()
	}
	if err == nil {
		bias, err = l.bias()
	}
	if err != nil {
		return nil, nil, ascood.Errorf(ascood.Unsupported, "the last linear layer: %w", err)
	}
	return weight, bias, nil
}

// layer is a linear layer as a graph holds it, alpha·x·weight plus terms.
type layer struct {
	weight       *onnx.TensorProto // [C,D] if it is transposed, else [D,C]
	transposed   bool
	alpha        float32
	terms        []term
	classes, dim int // C and D
}

// term is a constant that is added to each row of [N,C].
type term struct {
	constant *onnx.TensorProto // one value, [C] or [1,C]
	factor   float32
}

// lastLayer finds the layer that computes the logits, going back from them. The
// error says what is there in place of it.
func lastLayer(g *onnx.GraphProto) (*layer, error) {
	makers, constants := onnx.Makers(g), onnx.Constants(g)
	var terms []term
	value := Logits
	for range len(g.GetNode()) + 1 { // as the longest way back takes: a damaged graph may go in circles
		n := makers[value]
		if n == nil {
			return nil, fmt.Errorf("no node computes %q", value)
		}
		switch n.OpType {
		case "Identity":
			value = n.Operand(0)
		case "Add":
			value = n.Operand(0)
			added := constants[n.Operand(1)]
			if added == nil {
				value, added = n.Operand(1), constants[n.Operand(0)]
			}
			if added == nil {
				return nil, fmt.Errorf("%q adds two values that are computed", n.Name)
			}
			terms = append(terms, term{added, 1})
		case "Gemm":
			if n.IntAttr("transA", 0) != 0 {
				return nil, fmt.Errorf("%q transposes its input", n.Name)
			}
			if bias := n.Operand(2); bias != "" {
				if constants[bias] == nil {
					return nil, fmt.Errorf("the bias %q of %q is no initializer", bias, n.Name)
				}
				terms = append(terms, term{constants[bias], n.FloatAttr("beta", 1)})
			}
			return newLayer(n, constants, n.IntAttr("transB", 0) != 0, n.FloatAttr("alpha", 1), terms)
		case "MatMul":
			return newLayer(n, constants, false, 1, terms)
		default:
			return nil, fmt.Errorf("%q is computed by %s, not by Gemm, or MatMul and Add", value, n.OpType)
		}
	}
	return nil, fmt.Errorf("%q is computed from itself", Logits)
}

// newLayer returns the layer of node n, whose second operand is its weight.
func newLayer(n *onnx.NodeProto, constants map[string]*onnx.TensorProto, transposed bool, alpha float32, terms []term) (*layer, error) {
	weight := constants[n.Operand(1)]
	if weight == nil || len(weight.Dims) != 2 || min(weight.Dims[0], weight.Dims[1]) < 1 {
		return nil, fmt.Errorf("the weight %q of %q is no initializer of two dimensions", n.Operand(1), n.Name)
	}
	classes, dim := int(weight.Dims[0]), int(weight.Dims[1])
	if !transposed {
		classes, dim = dim, classes
	}
	return &layer{weight, transposed, alpha, terms, classes, dim}, nil
}

// weights returns alpha·weight as [C,D].
func (l *layer) weights() ([]float32, error) {
	values, err := l.weight.Float32s()
	if err != nil {
		return nil, err
	}
	weights := make([]float32, len(values))
	for c := range l.classes {
		for d := range l.dim {
			at := c*l.dim + d
			from := at
			if !l.transposed {
				from = d*l.classes + c
			}
			weights[at] = l.alpha * values[from]
		}
	}
	return weights, nil
}

// bias returns the sum of the terms as [C], zeros if there are none.
func (l *layer) bias() ([]float32, error) {
	bias := make([]float32, l.classes)
	for _, t := range l.terms {
		values, err := t.constant.Float32s()
		if err != nil {
			return nil, err
		}
		dims := t.constant.Dims
		perClass := len(values) == l.classes && len(dims) > 0 && int(dims[len(dims)-1]) == l.classes
		if len(dims) > 2 || !perClass && len(values) != 1 {
			return nil, fmt.Errorf("the bias %q has the shape %v, want one value or %d", t.constant.Name, dims, l.classes)
		}
		for c := range bias {
			bias[c] += t.factor * values[c%len(values)]
		}
	}
	return bias, nil
}
