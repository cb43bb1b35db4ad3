package kernels

import (
	"slices"

	"github.com/ascood/ascood/onnx"
)

// ends are the operators that may end in what an Elementwise computes, by how many inputs they have of their own.
var ends = map[string]int{"DepthwiseGradient": 5, "Interleave": maxPhases}

// end has an Elementwise computed by the operator that makes one of its operands, on the way out, if that is taken by
// nothing else.
func (g *graph) end(n *onnx.NodeProto) {
	if n.Domain != Domain || n.OpType != "Elementwise" {
		return
	}
	s, err := g.shapes.Shape(n.Output[0])
	if err != nil {
		return
	}
	for i, v := range n.Input {
		maker := g.makers[v]
		if maker == nil || maker.Domain != Domain || ends[maker.OpType] == 0 || g.users[v] != 1 || maker.HasAttr("code") {
			continue
		}
		if of, err := g.shapes.Shape(v); err != nil || !of.Equal(s) {
			continue
		}
		inputs := append(slices.Clone(maker.Input), slices.Repeat([]string{""}, ends[maker.OpType]-len(maker.Input))...)
		n.OpType, n.Input = maker.OpType, append(inputs, slices.Delete(slices.Clone(n.Input), i, i+1)...)
		for _, a := range maker.Attribute {
			if !n.HasAttr(a.Name) {
				n.Attribute = append(n.Attribute, a)
			}
		}
		n.Attribute = append(n.Attribute, onnx.Int("own", i))
		g.gone[maker] = true
		return
	}
}
