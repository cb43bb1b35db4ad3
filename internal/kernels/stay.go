package kernels

import (
	"slices"

	"github.com/ascood/ascood/onnx"
)

// stay keeps products and sums of maps, and of what there is one of for each map, in the blocked layout, which ONNX
// Runtime leaves where shapes differ.
func (g *graph) stay() {
	for i := 0; i < len(g.Node); i++ {
		spread := g.remain(g.Node[i])
		g.Node = slices.Insert(g.Node, i, spread...)
		i += len(spread)
	}
	g.Node = slices.DeleteFunc(g.Node, func(n *onnx.NodeProto) bool { return g.gone[n] })
	g.count()
}

// remain keeps a node in the blocked layout, if all its operands leave that for it, and all who take the result bring it
// back there. It returns nodes that are needed before it.
func (g *graph) remain(n *onnx.NodeProto) []*onnx.NodeProto {
	if n.Domain != "" || n.OpType != "Mul" && n.OpType != "Add" {
		return nil
	}
	var back []*onnx.NodeProto
	for _, r := range g.Node {
		if r.OpType == "ReorderInput" && isReorder(r) && r.Input[0] == n.Output[0] {
			back = append(back, r)
		}
	}
	maps, err := g.shapes.Shape(n.Output[0])
	if len(back) == 0 || len(back) != g.users[n.Output[0]] || err != nil {
		return nil
	}
	inside, err := g.shapes.Shape(back[0].Output[0])
	if err != nil {
		return nil
	}
	var spread []*onnx.NodeProto
	operands := slices.Clone(n.Input)
	for i, v := range n.Input {
		r := g.makers[v]
		s, err := g.shapes.Shape(v)
		if r == nil || r.OpType != "ReorderOutput" || !isReorder(r) || err != nil {
			return nil
		}
		operands[i] = r.Input[0]
		switch {
		case s.Equal(maps):
		case s.Equal(onnx.Shape{maps[0], maps[1], {Size: 1}, {Size: 1}}):
			operands[i] = v + "/spread"
			spread = append(spread, &onnx.NodeProto{Domain: blocked, OpType: "Upsample", Input: r.Input, Output: operands[i : i+1],
				Attribute: []onnx.Attr{onnx.Ints("scales", 1, 1, maps[2].Size, maps[3].Size)}})
		default:
			return nil
		}
	}
	for _, u := range spread {
		g.makers[u.Output[0]] = u
		g.users[u.Input[0]]++
		g.shapes.Know(u.Output[0], inside)
	}
	for i, v := range n.Input {
		g.users[operands[i]]++
		g.release(v)
	}
	n.Input = operands
	g.shapes.Know(n.Output[0], inside)
	for _, r := range back {
		g.replace(r.Output[0], n.Output[0])
		g.gone[r] = true
	}
	return spread
}
