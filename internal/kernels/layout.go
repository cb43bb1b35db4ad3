package kernels

import (
	"slices"

	"github.com/ascood/ascood/onnx"
)

// outside is an attribute of the operators that are yet to be taken into the blocked layout, with so many of their inputs
// and outputs.
const outside = "outside"

// settle takes the operators that Prepare has put into the graph into the blocked layout: what ONNX Runtime and Prepare
// have put around them goes.
func (g *graph) settle() {
	shapes := onnx.Shapes(g.GraphProto)
	g.makers = onnx.Makers(g.GraphProto)
	g.count()
	g.changed = slices.ContainsFunc(g.Node, func(n *onnx.NodeProto) bool { return n.Domain == Domain })
	for _, n := range slices.Clone(g.Node) {
		switch {
		case n.Domain == Domain && n.HasAttr(outside):
			g.move(n, shapes)
		case g.isOne(n):
			g.unite(n)
		}
	}
	g.makers = onnx.Makers(g.GraphProto)
	for _, n := range g.Node {
		if in := g.makers[n.Operand(0)]; n.OpType == "ReorderInput" && isReorder(n) && in != nil && in.OpType == "ReorderOutput" && isReorder(in) {
			g.replace(n.Output[0], in.Input[0])
		}
	}
	g.Node = inOrder(g.GraphProto)
	g.makers = onnx.Makers(g.GraphProto)
}

// isReorder reports whether a node moves maps [N,C,H,W] between the layouts.
func isReorder(n *onnx.NodeProto) bool {
	return n.Domain == blocked && n.IntAttr("channels_last", 0) == 0
}

// isOne reports whether a node is a convolution of each channel by 1.
func (g *graph) isOne(n *onnx.NodeProto) bool {
	if n.Domain != blocked || n.OpType != "Conv" || n.Operand(2) != "" || n.StringAttr("activation", "") != "" || !isPlain(n) {
		return false
	}
	w := g.constants[n.Operand(1)]
	if w == nil || w.Dims[1] != 1 || int(w.Dims[0]) != n.IntAttr("group", 1) {
		return false
	}
	values, err := w.Float32s()
	if err != nil {
		return false
	}
	filled := slices.IndexFunc(values, func(v float32) bool { return v != 1 }) // behind it channels that fill up a block
	return filled < 0 || len(values)-filled < g.lanes && !slices.ContainsFunc(values[filled:], func(v float32) bool { return v != 0 })
}

// unite takes out a convolution by 1. Of one that takes a sum along only that stays, if no other convolution can take it.
func (g *graph) unite(n *onnx.NodeProto) {
	g.changed = true
	x, sum := n.Input[0], n.Operand(3)
	switch other := g.makers[sum]; {
	case sum == "":
		g.replace(n.Output[0], x)
	case g.users[sum] == 1 && other != nil && other.Domain == blocked && other.OpType == "Conv" && other.Operand(3) == "" && other.StringAttr("activation", "") == "":
		other.Input = []string{other.Input[0], other.Input[1], other.Operand(2), x}
		g.replace(n.Output[0], sum)
	default:
		n.Domain, n.OpType, n.Input, n.Attribute = "", "Add", []string{x, sum}, nil
	}
}

// replace has all take one value in the place of another.
func (g *graph) replace(value, by string) {
	for _, n := range g.Node {
		for i, in := range n.Input {
			if in == value {
				n.Input[i] = by
			}
		}
	}
}

// move has an operator take blocked maps and make such.
func (g *graph) move(n *onnx.NodeProto, shapes map[string]onnx.Shape) {
	maps := n.IntsAttr(outside)
	n.Attribute = slices.DeleteFunc(n.Attribute, func(a onnx.Attr) bool { return a.Name == outside })
	for i, in := range n.Input[:maps[0]] {
		if in != "" {
			n.Input[i] = in + "/blocked/" + n.Name
			g.reorder("ReorderInput", in, n.Input[i])
		}
	}
	for i, out := range n.Output[:maps[1]] {
		s := shapes[out]
		n.Output[i] = out + "/blocked"
		g.reorder("ReorderOutput", n.Output[i], out, onnx.Int("channels", s[1].Size))
		s = slices.Clone(s)
		s[1].Size = (s[1].Size + g.lanes - 1) / g.lanes * g.lanes
		g.ValueInfo = append(g.ValueInfo, onnx.Described(n.Output[i], onnx.TensorProto_FLOAT, s))
	}
}

// reorder adds what moves maps between the layouts.
func (g *graph) reorder(op, from, to string, attrs ...onnx.Attr) {
	g.Node = append(g.Node, &onnx.NodeProto{Name: to, Domain: blocked, OpType: op, Input: []string{from}, Output: []string{to}, Attribute: append(attrs, onnx.Int("channels_last", 0))})
}
