package importer

import "slices"

// parametric are operators whose constant operands but the first are weights, wherever
// the file has them; of others those alone that the file keeps as initializers.
var parametric = []string{"BatchNormalization", "Conv", "ConvTranspose", "Gemm", "InstanceNormalization", "GroupNormalization", "LayerNormalization", "PRelu"}

// findWeights finds out which constants, and which values that do not depend on the image,
// are the network's weights or made of such: a mask that is computed of its own shape, and
// a number in a formula, are none.
func (g *graph) findWeights() {
	for _, n := range g.nodes {
		if slices.Contains(parametric, n.OpType) {
			for _, in := range n.Input[1:] {
				if t := g.consts[in]; t != nil && t.IsFloat() {
					g.weights[in] = true
				}
			}
		}
		if slices.ContainsFunc(n.Input, func(in string) bool { return g.weights[in] }) {
			for _, out := range n.Output {
				g.weights[out] = true
			}
		}
	}
}
