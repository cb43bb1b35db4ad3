package onnx

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
)

// scaled is a graph that multiplies its input by a weight.
func scaled(t *testing.T) *GraphProto {
	t.Helper()
	b := NewBuilder("scaled")
	x := b.Input("x", "", TensorProto_FLOAT, "N", 2)
	y := b.Rename(b.Op("Mul", []string{b.Op("Abs", []string{x}), b.Weights("w", []float32{3}, 1)}), "y")
	b.Output(y, "", TensorProto_FLOAT, "N", 2)
	m, err := b.Model("test", "1")
	if err != nil {
		t.Fatal(err)
	}
	return m.Graph
}

func TestExtendTakesAllNames(t *testing.T) {
	g := scaled(t)
	before := proto.CloneOf(g)
	b := Extend(g)
	got := []string{b.Op("Mul", []string{"y", "w"}), b.Op("Abs", []string{"y"}), b.Weights("w", []float32{1}), b.Op("x", nil), b.Op("y", nil)}
	for i, want := range []string{"Mul_2", "Abs_2", "w_2", "x_2", "y_2"} {
		if got[i] != want {
			t.Errorf("the name is %q, want %q", got[i], want)
		}
	}
	b.Rename("y", "z")
	if !proto.Equal(g, before) {
		t.Errorf("the graph has become %v", g)
	}
	if n := b.Maker("z"); n == nil || n.OpType != "Mul" || b.Maker("y") != nil || b.Constant("w") == nil || b.Constant("y") != nil {
		t.Error("values are made by others than they are made by")
	}
	if len(b.Nodes()) != 6 {
		t.Errorf("there are %d nodes", len(b.Nodes()))
	}
}

// TestInlineTwice: the second evaluation has names of its own, but the same weights.
func TestInlineTwice(t *testing.T) {
	g := scaled(t)
	b := NewBuilder("twice")
	x := b.Input("image", "", TensorProto_FLOAT, "N", 2)
	b.Scope("first/")
	first := b.Inline(g, map[string]string{"x": x})
	b.Scope("second/")
	second := b.Inline(g, map[string]string{"x": first["y"]})
	m, err := b.Model("test", "1")
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Graph.Node) != 4 || len(m.Graph.Initializer) != 1 {
		t.Errorf("the graph is %v", m.Graph)
	}
	last := b.Maker(second["y"])
	if last == nil || last.Operand(1) != "w" || b.Maker(last.Operand(0)).Operand(0) != first["y"] || first["y"] != "first/y" || second["y"] != "second/y" {
		t.Errorf("the second evaluation is %v of %v", last, first)
	}
	if s, err := b.Shape(second["y"]); err != nil || s.String() != "[N,2]" {
		t.Errorf("its shape is %v (%v)", s, err)
	}
}

func TestInlineFaults(t *testing.T) {
	b := NewBuilder("outer")
	b.Inline(scaled(t), nil)
	if _, err := b.Model("test", "1"); err == nil || !strings.Contains(err.Error(), `takes "x", which neither is given`) {
		t.Errorf("without the input the error is %v", err)
	}
	b = NewBuilder("outer")
	b.Weights("w", []float32{1})
	b.Inline(scaled(t), map[string]string{"x": b.Input("image", "", TensorProto_FLOAT, "N", 2)})
	if _, err := b.Model("test", "1"); err == nil || !strings.Contains(err.Error(), `two values are named "w"`) {
		t.Errorf("with another weight of that name the error is %v", err)
	}
}
