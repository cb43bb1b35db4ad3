package gradient

import (
	"maps"
	"slices"

	"github.com/ascood/ascood/onnx"
)

// rules is the table of all operators that can be differentiated. In formulas, x is
// an operator's input, y its output and dy the gradient with respect to that.
//
// Operators are chosen for ONNX Runtime's CPU kernels, which are fast only in their
// blocked layout: Conv, Add, Mul and HardSigmoid stay in it, ConvTranspose, Where and
// comparisons leave it. Sums of maps in it and others are brought there (meet).
var rules = func() map[string]rule {
	all := map[string]rule{}
	for _, family := range []map[string]rule{elementwise, activations, products, convolutions, pools, normalisations, reductions, movements} {
		maps.Copy(all, family)
	}
	return all
}()

// steps are the operators whose result changes in steps or not at all, whatever their
// inputs: no gradient goes through them. An operator that is neither here nor among
// the rules is never taken for a constant.
var steps = []string{
	"And", "ArgMax", "ArgMin", "Ceil", "ConstantOfShape", "Equal", "EyeLike", "Floor", "Greater", "GreaterOrEqual", "Hardmax", "IsInf",
	"IsNaN", "Less", "LessOrEqual", "NonZero", "Not", "OneHot", "Or", "Range", "Round", "Shape", "Sign", "Size", "Xor",
}

// ends reports whether no gradient goes through a node.
func ends(n *onnx.NodeProto) bool {
	if n.OpType == "Cast" {
		return !onnx.IsFloat(onnx.TensorProto_DataType(n.IntAttr("to", 0)))
	}
	return n.Domain == "" && slices.Contains(steps, n.OpType)
}

// refusals say why some operators have no rule.
var refusals = map[string]string{
	"Bernoulli":             random,
	"RandomNormal":          random,
	"RandomNormalLike":      random,
	"RandomUniform":         random,
	"RandomUniformLike":     random,
	"Multinomial":           random,
	"If":                    "export the network with conditions that are constants",
	"Loop":                  "export the network with a fixed number of steps, written out",
	"Scan":                  "export the network with a fixed number of steps, written out",
	"GRU":                   recurrent,
	"LSTM":                  recurrent,
	"RNN":                   recurrent,
	"ConvInteger":           quantised,
	"DequantizeLinear":      quantised,
	"DynamicQuantizeLinear": quantised,
	"MatMulInteger":         quantised,
	"QLinearConv":           quantised,
	"QLinearMatMul":         quantised,
	"QuantizeLinear":        quantised,
	"NonMaxSuppression":     "it is for detectors; only classifiers are handled",
}

const (
	random    = "what it computes is random; export the network for inference"
	recurrent = "recurrent networks are not handled"
	quantised = "quantised networks change in steps; export the network in float32"
)

// unary is a rule of an operator of one input.
func unary(variants string, dx vjp) rule { return rule{vjp: []vjp{dx}, variants: variants} }

// everywhere is the rule of an operator that treats each element alone.
func (r rule) everywhere() rule {
	r.local = (*node).elementwise
	return r
}
