package kernels

import "github.com/ascood/ascood/onnx"

// gate lets a Winograd before a product with a HardSigmoid that is a step at zero (the gradient of a Relu) do that.
func (g *graph) gate(n *onnx.NodeProto) {
	if n.Domain != "" || n.OpType != "Mul" {
		return
	}
	for i := range 2 {
		w, step := g.makers[n.Input[i]], g.makers[n.Input[1-i]]
		if w == nil || w.OpType != "Winograd" || w.Input[4] != "" || g.users[n.Input[i]] != 1 ||
			step == nil || g.users[n.Input[1-i]] != 1 || step.OpType != "HardSigmoid" || step.FloatAttr("alpha", .2) < steep || step.FloatAttr("beta", .5) != 0 {
			continue
		}
		w.Input[4], w.Output[0] = step.Input[0], n.Output[0]
		g.makers[n.Output[0]] = w
		g.gone[step], g.gone[n] = true, true
		return
	}
}
