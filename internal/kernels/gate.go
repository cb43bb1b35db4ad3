package kernels

import (
	"math"

	"github.com/ascood/ascood/onnx"
)

// steep is the slope from which a HardSigmoid is a step.
const steep = 1e30

// gate puts a Gate in the place of a product with a HardSigmoid that is a step at zero (the gradient of a Relu), or lets
// the Winograd before do it.
func (g *graph) gate(n *onnx.NodeProto) {
	if n.Domain != "" || n.OpType != "Mul" {
		return
	}
	for i := range 2 {
		step, other := g.makers[n.Input[i]], n.Input[1-i]
		if step == nil || g.users[n.Input[i]] != 1 || step.OpType != "HardSigmoid" || step.FloatAttr("alpha", .2) < steep || step.FloatAttr("beta", .5) != 0 {
			continue
		}
		g.gone[step] = true
		if w := g.makers[other]; w != nil && w.OpType == "Winograd" && w.Input[4] == "" && g.users[other] == 1 {
			w.Input[4], w.Output[0] = step.Input[0], n.Output[0]
			g.makers[n.Output[0]] = w
			g.gone[n] = true
		} else {
			g.become(n, "Gate", []string{other, step.Input[0]}, onnx.Float("low", 0), onnx.Float("high", float32(math.Inf(1))))
		}
		return
	}
}
