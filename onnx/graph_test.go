package onnx

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// withStrangers is chain with all fields set that this package knows, and with
// some that it does not know, of the file (a training) and of the graph (a
// quantisation).
func withStrangers(t *testing.T) *ModelProto {
	t.Helper()
	m := chain(t)
	m.Domain, m.ModelVersion, m.DocString, m.Graph.DocString = "org.example", 3, "a file", "a graph"
	m.MetadataProps = []*StringStringEntryProto{{Key: "k", Value: "v"}}
	unknown := func(number protowire.Number) []byte {
		return protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), []byte{10, 1, 'f'})
	}
	m.ProtoReflect().SetUnknown(unknown(20))
	m.Graph.ProtoReflect().SetUnknown(unknown(14))
	return m
}

// TestWithGraph: nothing but the graph changes, and not in the original.
func TestWithGraph(t *testing.T) {
	m := withStrangers(t)
	other := WithGraph(m, &GraphProto{Name: "other"})
	if m.Graph.Name != "chain" || other.Graph.Name != "other" {
		t.Errorf("the graphs are %s and %s", m.Graph.Name, other.Graph.Name)
	}
	other.Graph = m.Graph
	if !proto.Equal(m, other) {
		t.Errorf("of\n%v\nis left\n%v", m, other)
	}
}

func TestWithOutputs(t *testing.T) {
	g := withStrangers(t).Graph
	outputs := g.Output
	other := WithOutputs(g, outputs[:1])
	if len(g.Output) != 2 || len(other.Output) != 1 {
		t.Errorf("the graphs have %d and %d outputs", len(g.Output), len(other.Output))
	}
	other.Output = outputs
	if !proto.Equal(g, other) {
		t.Errorf("of\n%v\nis left\n%v", g, other)
	}
}

// TestExtractKeepsTheRest: what is asked of the graph changes nothing else in the
// file, whatever this package knows of it.
func TestExtractKeepsTheRest(t *testing.T) {
	m := withStrangers(t)
	part, err := Extract(m, []string{"a", "b"})
	if err != nil {
		t.Fatal(err)
	}
	if !proto.Equal(m, part) {
		t.Errorf("of\n%v\nis left\n%v", m, part)
	}
}

// TestWithDim: the dimension is fixed wherever it is named, and not in the original.
func TestWithDim(t *testing.T) {
	m := withStrangers(t)
	m.Graph.Input = []*ValueInfoProto{Value("x", TensorProto_FLOAT, "N", 3, "H"), Value("scale", TensorProto_FLOAT)}
	m.Graph.Output = []*ValueInfoProto{Value("y", TensorProto_FLOAT, "N")}
	m.Graph.ValueInfo = []*ValueInfoProto{Value("inside", TensorProto_FLOAT, 2, "N")}
	before := proto.CloneOf(m)
	fixed := WithDim(m, "N", 8)
	if !proto.Equal(m, before) {
		t.Error("the original has changed")
	}
	want := proto.CloneOf(m)
	want.Graph.Input[0] = Value("x", TensorProto_FLOAT, 8, 3, "H")
	want.Graph.Output[0] = Value("y", TensorProto_FLOAT, 8)
	want.Graph.ValueInfo[0] = Value("inside", TensorProto_FLOAT, 2, 8)
	if !proto.Equal(fixed, want) {
		t.Errorf("got\n%v, want\n%v", fixed, want)
	}
}

// TestParse: what is no ONNX file, and one of more parts than any network has, which
// is refused before it takes memory.
func TestParse(t *testing.T) {
	whole, err := proto.Marshal(chain(t))
	if err != nil {
		t.Fatal(err)
	}
	if m, err := Parse(whole); err != nil || !proto.Equal(m, chain(t)) {
		t.Errorf("got\n%v, error %v", m, err)
	}
	empty := protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), nil)
	nodes := protowire.AppendBytes(protowire.AppendTag(nil, 7, protowire.BytesType), bytes.Repeat(empty, maxMessages))
	var deep []byte // a graph in an attribute of a node of a graph, and so on
	for _, field := range slices.Repeat([]protowire.Number{6, 5, 1}, 120) {
		deep = protowire.AppendBytes(protowire.AppendTag(nil, field, protowire.BytesType), deep)
	}
	deep = protowire.AppendBytes(protowire.AppendTag(nil, 7, protowire.BytesType), deep)
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"deep":              {deep, "not an ONNX file"},
		"nothing":           {nil, "not an ONNX file, or a truncated one (0 bytes)"},
		"text":              {[]byte("not a network"), "not an ONNX file"},
		"truncated":         {whole[:len(whole)-3], "truncated"},
		"two million nodes": {nodes, "more than 2000000 parts"},
	} {
		if _, err := Parse(c.data); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %s", name, err, c.want)
		}
	}
}
