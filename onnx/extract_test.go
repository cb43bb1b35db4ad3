package onnx

import (
	"slices"
	"strings"
	"testing"
)

// chain is x → a = x + one → b = a · two, with a and b as outputs.
func chain(t *testing.T) *ModelProto {
	t.Helper()
	g := NewBuilder("chain")
	x := g.Input("x", "", TensorProto_FLOAT, "N", 2)
	a := g.Rename(g.Op("Add", []string{x, g.Weights("one", []float32{1})}), "a")
	b := g.Rename(g.Op("Mul", []string{a, g.Weights("two", []float32{2})}), "b")
	g.Output(a, "", TensorProto_FLOAT, "N", 2)
	g.Output(b, "", TensorProto_FLOAT, "N", 2)
	m, err := g.Model("test", "1")
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestExtract(t *testing.T) {
	for name, c := range map[string]struct {
		outputs                   []string
		cut                       []*ValueInfoProto
		ops, inputs, initializers []string
	}{
		"all":             {[]string{"a", "b"}, nil, []string{"Add", "Mul"}, []string{"x"}, []string{"one", "two"}},
		"first":           {[]string{"a"}, nil, []string{"Add"}, []string{"x"}, []string{"one"}},
		"from a value":    {[]string{"b"}, []*ValueInfoProto{Value("a", TensorProto_FLOAT, "N", 2)}, []string{"Mul"}, []string{"a"}, []string{"two"}},
		"from a constant": {[]string{"b"}, []*ValueInfoProto{Value("two", TensorProto_FLOAT)}, []string{"Add", "Mul"}, []string{"x", "two"}, []string{"one"}},
		"unneeded cut":    {[]string{"a"}, []*ValueInfoProto{Value("two", TensorProto_FLOAT)}, []string{"Add"}, []string{"x"}, []string{"one"}},
	} {
		part, err := Extract(chain(t), c.outputs, c.cut...)
		if err != nil {
			t.Fatal(err)
		}
		var ops, inputs, outputs, initializers []string
		for _, n := range part.Graph.Node {
			ops = append(ops, n.OpType)
		}
		for _, v := range part.Graph.Input {
			inputs = append(inputs, v.Name)
		}
		for _, v := range part.Graph.Output {
			outputs = append(outputs, v.Name)
		}
		for _, v := range part.Graph.Initializer {
			initializers = append(initializers, v.Name)
		}
		for _, list := range [][2][]string{{ops, c.ops}, {inputs, c.inputs}, {outputs, c.outputs}, {initializers, c.initializers}} {
			if !slices.Equal(list[0], list[1]) {
				t.Errorf("%s: %v, want %v", name, list[0], list[1])
			}
		}
	}
}

// TestExtractLeavesOutOptionalValues: a value without a name joins no two nodes.
func TestExtractLeavesOutOptionalValues(t *testing.T) {
	m := chain(t)
	m.Graph.Node[0].Output = append(m.Graph.Node[0].Output, "")
	m.Graph.Node[1].Input = []string{"x", ""}
	part, err := Extract(m, []string{"b"})
	if err != nil {
		t.Fatal(err)
	}
	if len(part.Graph.Node) != 1 || part.Graph.Node[0].OpType != "Mul" {
		t.Errorf("nodes are %v, want the last alone", part.Graph.Node)
	}
}

// TestExtractDescriptions: descriptions of values stay as long as the values do.
func TestExtractDescriptions(t *testing.T) {
	m := chain(t)
	m.Graph.ValueInfo = []*ValueInfoProto{Value("a", TensorProto_FLOAT, "N", 2), Value("b", TensorProto_FLOAT, "N", 2)}
	for output, want := range map[string][]string{"a": {"a"}, "b": {"a", "b"}} {
		part, err := Extract(m, []string{output})
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, v := range part.Graph.ValueInfo {
			names = append(names, v.Name)
		}
		if !slices.Equal(names, want) {
			t.Errorf("for %s the values %q are described, want %q", output, names, want)
		}
	}
}

func TestExtractUnknownNames(t *testing.T) {
	if _, err := Extract(chain(t), []string{"c"}); err == nil || !strings.Contains(err.Error(), `"c"`) {
		t.Errorf("error %v does not name the output", err)
	}
	if _, err := Extract(chain(t), []string{"b"}, Value("c", TensorProto_FLOAT)); err == nil || !strings.Contains(err.Error(), `"c"`) {
		t.Errorf("error %v does not name the value to cut at", err)
	}
}
