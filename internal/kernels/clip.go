package kernels

// #include "register.h"
import "C"

import (
	"slices"

	"github.com/ascood/ascood/onnx"
)

// clips makes the Clip that ends a convolution an operator of its own: ONNX Runtime has it in a pass of its own too, and
// that is slower.
func (g *graph) clips() {
	for i := 0; i < len(g.Node); i++ {
		if clip := g.clip(g.Node[i]); clip != nil {
			i++
			g.Node = slices.Insert(g.Node, i, clip)
		}
	}
	g.count()
}

// clip takes the Clip out of a convolution, and returns what does it behind it, nil where there is none.
func (g *graph) clip(n *onnx.NodeProto) *onnx.NodeProto {
	s, err := g.shapes.Shape(n.Output[0])
	if n.Domain != blocked || n.OpType != "Conv" || n.StringAttr("activation", "") != "Clip" || err != nil {
		return nil
	}
	c := &code{program: &program{graph: g}}
	bounds := n.FloatsAttr("activation_params")
	c.add(step{code: C.kCut, alpha: bounds[0], beta: bounds[1]}, 0, 0)
	clip := &onnx.NodeProto{Output: n.Output}
	n.Output = []string{n.Output[0] + "/sum"}
	n.Attribute = slices.DeleteFunc(n.Attribute, func(a onnx.Attr) bool { return a.Name == "activation" || a.Name == "activation_params" })
	g.shapes.Know(n.Output[0], s)
	g.ValueInfo = append(g.ValueInfo, onnx.Described(n.Output[0], onnx.TensorProto_FLOAT, s))
	g.makers[n.Output[0]], g.makers[clip.Output[0]] = n, clip
	g.become(clip, "Elementwise", n.Output, c.attributes()...)
	return clip
}
