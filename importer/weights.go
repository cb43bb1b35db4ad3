package importer

import (
	"slices"

	"github.com/ascood/ascood/onnx"
)

// parametric are operators whose constant operands but the first are weights, wherever
// the file has them; of others those alone that the file keeps as initializers.
var parametric = []string{"BatchNormalization", "Conv", "ConvTranspose", "Gemm", "InstanceNormalization", "GroupNormalization", "LayerNormalization", "PRelu"}

// handing are operators through which weights stay such: what is computed of them by
// others, comparisons above all, is none.
var handing = []string{
	"Add", "Cast", "Concat", "Div", "Expand", "Flatten", "Gather", "Identity", "Mul", "Pad", "Reshape", "Slice", "Squeeze", "Tile", "Transpose", "Unsqueeze",
}

// findWeights finds out which constants, and which values that do not depend on the image,
// are the network's weights or made of such: a mask, and what is computed of shapes, are
// none, nor are single numbers.
func (g *graph) findWeights() {
	for name, ok := range g.weights {
		g.weights[name] = ok && g.consts[name] != nil && !isMask(g.consts[name])
	}
	for _, n := range g.nodes {
		if slices.Contains(parametric, n.OpType) {
			for _, in := range n.Input[1:] {
				if t := g.consts[in]; t != nil && t.IsFloat() {
					g.weights[in] = true
				}
			}
		}
		if slices.Contains(handing, n.OpType) && slices.ContainsFunc(n.Input, func(in string) bool { return g.weights[in] }) {
			for _, out := range n.Output {
				g.weights[out] = true
			}
		}
	}
}

// isMask reports whether a tensor is one that an attention adds: of zeros, and of numbers
// that leave nothing of a softmax.
func isMask(t *onnx.TensorProto) bool {
	const nothing = -50
	values, err := t.Floats()
	if err != nil || slices.ContainsFunc(values, func(v float32) bool { return v != 0 && !(v < nothing) }) {
		return false
	}
	return slices.ContainsFunc(values, func(v float32) bool { return v < nothing })
}
