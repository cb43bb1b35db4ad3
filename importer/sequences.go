package importer

import (
	"fmt"

	"github.com/ascood/ascood/onnx"
)

// unpackSequences replaces sequences of tensors, by which some exporters write chunk,
// split and stack, by what is done with their elements. Those that are used otherwise
// stay.
func (g *graph) unpackSequences() error {
	makers := map[string]*onnx.NodeProto{}
	for _, n := range g.nodes {
		for _, out := range n.Output {
			makers[out] = n
		}
	}
	var nodes []*onnx.NodeProto
	changed := false
	for _, n := range g.nodes {
		var made []*onnx.NodeProto
		switch sequence := makers[n.Operand(0)]; {
		case sequence == nil:
		case n.OpType == "SequenceAt" && sequence.OpType == "SequenceConstruct":
			if i, ok := g.number(n.Operand(1)); ok && i >= -len(sequence.Input) && i < len(sequence.Input) {
				value := sequence.Input[(i+len(sequence.Input))%len(sequence.Input)]
				made = []*onnx.NodeProto{{Name: nameOf(n), OpType: "Identity", Input: []string{value}, Output: n.Output}}
			}
		case n.OpType == "SequenceAt" && sequence.OpType == "SplitToSequence":
			made = g.part(n, sequence)
		case n.OpType == "ConcatFromSequence" && sequence.OpType == "SequenceConstruct":
			made = g.joined(n, sequence.Input)
		}
		changed = changed || made != nil
		if made == nil {
			made = []*onnx.NodeProto{n}
		}
		nodes = append(nodes, made...)
	}
	if !changed {
		return nil
	}
	g.nodes = nodes
	g.prune()
	return g.settle()
}

// number reads a constant integer.
func (g *graph) number(value string) (int, bool) {
	t := g.consts[value]
	if t == nil || t.IsFloat() {
		return 0, false
	}
	v, err := t.Ints()
	return int(first(v)), err == nil && len(v) == 1
}

// part returns the nodes that cut out the element that at asks for of what split makes,
// nil if they cannot be told.
func (g *graph) part(at, split *onnx.NodeProto) []*onnx.NodeProto {
	i, ok := g.number(at.Operand(1))
	if !ok || i < 0 {
		return nil
	}
	start, size := i, 1 // without sizes all are of one element
	if sizes := g.consts[split.Operand(1)]; split.Operand(1) != "" {
		if sizes == nil {
			return nil
		}
		v, err := sizes.Ints()
		switch {
		case err != nil || len(v) == 0:
			return nil
		case len(sizes.Dims) == 0:
			start, size = i*int(v[0]), int(v[0])
		case i >= len(v):
			return nil
		default:
			start, size = 0, int(v[i])
			for _, before := range v[:i] {
				start += int(before)
			}
		}
	}
	axis := split.IntAttr("axis", 0)
	out := at.Output[0]
	squeezed := split.Operand(1) == "" && split.IntAttr("keepdims", 1) == 0
	if squeezed {
		out = g.fresh(out + "/Slice")
	}
	nodes := []*onnx.NodeProto{{Name: out, OpType: "Slice", Output: []string{out},
		Input: []string{split.Operand(0), g.integer(start), g.integer(start + size), g.integer(axis)}}}
	if squeezed {
		nodes = append(nodes, g.axes("Squeeze", out, at.Output[0], axis))
	}
	return nodes
}

// joined returns the nodes that concatenate values, along an axis of their own if n
// says so.
func (g *graph) joined(n *onnx.NodeProto, values []string) []*onnx.NodeProto {
	var nodes []*onnx.NodeProto
	axis := n.IntAttr("axis", 0)
	if n.IntAttr("new_axis", 0) != 0 {
		var rows []string
		for i, value := range values {
			rows = append(rows, g.fresh(fmt.Sprintf("%s.%d", n.Output[0], i)))
			nodes = append(nodes, g.axes("Unsqueeze", value, rows[i], axis))
		}
		values = rows
	}
	return append(nodes, &onnx.NodeProto{Name: nameOf(n), OpType: "Concat", Input: values, Output: n.Output, Attribute: []onnx.Attr{onnx.Int("axis", axis)}})
}

// axes returns a node that drops or adds an axis, which since opset 13 is an input.
func (g *graph) axes(op, in, out string, axis int) *onnx.NodeProto {
	n := &onnx.NodeProto{Name: out, OpType: op, Input: []string{in}, Output: []string{out}}
	if g.opset < 13 {
		n.Attribute = []onnx.Attr{onnx.Ints("axes", axis)}
	} else {
		n.Input = append(n.Input, g.integer(axis))
	}
	return n
}

// integer adds a constant of one dimension.
func (g *graph) integer(v int) string {
	name := g.fresh(fmt.Sprintf("integer/%d", v))
	g.consts[name] = onnx.NewInts(name, []int64{int64(v)}, 1)
	return name
}
