package importer

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/onnx"
)

// single makes the whole graph one of float32: constants of other floating-point types
// are rounded, and casts to them are casts to float32. It returns a note of what was
// rounded, "" if nothing. A constant that is not a number is an error.
func (g *graph) single() (note string, err error) {
	rounded := map[onnx.TensorProto_DataType]int{}
	for _, name := range sortedKeys(g.consts) {
		t := g.consts[name]
		if !t.IsFloat() {
			continue
		}
		if t.Type() != onnx.TensorProto_FLOAT {
			values, err := t.Floats()
			if err != nil {
				return "", ascood.Errorf(ascood.Invalid, "the constant %w", err)
			}
			rounded[t.Type()]++
			t = onnx.NewFloats(name, values, t.Dims...)
			g.consts[name] = t
		}
		raw, err := t.Raw()
		if err != nil {
			return "", ascood.Errorf(ascood.Invalid, "the constant %w", err)
		}
		if holdsNaN(raw) {
			return "", ascood.Errorf(ascood.Invalid, "the constant %q holds NaN: the training has diverged or the file is damaged", name)
		}
	}
	for i, n := range g.nodes {
		g.nodes[i] = singleNode(n)
	}
	for _, t := range sortedKeys(rounded) {
		note = fmt.Sprintf("%d constants of %v are computed with as FLOAT", rounded[t], t)
	}
	return note, nil
}

// holdsNaN looks through float32 elements where they are: weights take most of the memory
// of an import, and copies of them are few.
func holdsNaN(raw []byte) bool {
	for ; len(raw) >= 4; raw = raw[4:] {
		if v := math.Float32frombits(binary.LittleEndian.Uint32(raw)); v != v {
			return true
		}
	}
	return false
}

// runs reports whether runtimes have operators for all floating-point types of a graph:
// on processors there are few of bfloat16 and float64.
func (g *graph) runs() bool {
	wide := func(t onnx.TensorProto_DataType) bool {
		return t == onnx.TensorProto_DOUBLE || t == onnx.TensorProto_BFLOAT16
	}
	for _, t := range g.consts {
		if wide(t.Type()) {
			return false
		}
	}
	for _, n := range g.nodes {
		if n.OpType == "Cast" && wide(onnx.TensorProto_DataType(n.IntAttr("to", 0))) {
			return false
		}
	}
	return true
}

// singleNode returns a node that makes no floating-point numbers but float32.
func singleNode(n *onnx.NodeProto) *onnx.NodeProto {
	attributes := slices.Clone(n.Attribute)
	changed := false
	for i, a := range attributes {
		switch {
		case (a.Name == "to" || a.Name == "dtype") && onnx.IsFloat(onnx.TensorProto_DataType(a.I)):
			attributes[i] = onnx.Int(a.Name, int(onnx.TensorProto_FLOAT))
		case n.OpType == "ConstantOfShape" && a.T != nil && a.T.IsFloat():
			if values, err := a.T.Floats(); err == nil {
				attributes[i] = &onnx.AttributeProto{Name: a.Name, Type: a.Type, T: onnx.NewFloats("", values, a.T.Dims...)}
			}
		default:
			continue
		}
		changed = true
	}
	if !changed {
		return n
	}
	return &onnx.NodeProto{Name: n.Name, OpType: n.OpType, Domain: n.Domain, Input: n.Input, Output: n.Output, Attribute: attributes}
}
