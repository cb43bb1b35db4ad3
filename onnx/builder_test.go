package onnx

import (
	"encoding/binary"
	"math"
	"slices"
	"strings"
	"testing"
)

func TestBuilderNamesAreUnique(t *testing.T) {
	b := NewBuilder("names")
	x := b.Input("x", "", TensorProto_FLOAT, "N")
	b.Scope("s/")
	b.Weights("s/MaxPool.1", []float32{1})
	var names []string
	for range 3 {
		names = append(names, b.Op("Relu", []string{x}))
		names = append(names, b.Ops("MaxPool", 2, []string{x})...)
	}
	names = append(names, b.Weights("x", []float32{1}), b.Weights("s/Relu", []float32{1}))
	want := []string{"s/Relu", "s/MaxPool", "s/MaxPool.1_2", "s/Relu_2", "s/MaxPool_2", "s/MaxPool_2.1",
		"s/Relu_3", "s/MaxPool_3", "s/MaxPool_3.1", "x_2", "s/Relu_4"}
	if !slices.Equal(names, want) {
		t.Errorf("names are %q, want %q", names, want)
	}
}

func TestBuilderSharesConstants(t *testing.T) {
	b := NewBuilder("constants")
	one, pair := b.Scalar(1), b.Int64s(1, 2)
	for name, same := range map[string]bool{
		"scalar":        b.Scalar(1) == one,
		"vector":        b.Int64s(1, 2) == pair,
		"other value":   b.Scalar(2) != one,
		"other shape":   b.Const([]int{1}, 1) != one,
		"other numbers": b.Int64s(2, 1) != pair,
		"other type":    b.Const([]int{2}, 1, 2) != pair,
	} {
		if !same {
			t.Errorf("%s: constants are to be shared if and only if they are equal", name)
		}
	}
}

// TestBuilderModel checks everything that a finished file holds.
func TestBuilderModel(t *testing.T) {
	b := NewBuilder("all")
	x := b.Input("x", "images", TensorProto_UINT8, "N", 4)
	b.Scope("s/")
	cast := b.Op("Cast", []string{x}, Int("to", 1), Ints("axes", 2, 3), Float("alpha", 0.5), String("mode", "add"))
	sum := b.Rename(b.Op("Add", []string{cast, b.Weights("w", []float32{1, -2}, 1, 2)}), "sum")
	b.Output(sum, "the sum", TensorProto_FLOAT, "N", 4)
	m, err := b.Model("test", "7")
	if err != nil {
		t.Fatal(err)
	}
	if m.IrVersion != 8 || m.ProducerName != "test" || m.ProducerVersion != "7" || len(m.OpsetImport) != 1 ||
		m.OpsetImport[0].Version != Opset || m.OpsetImport[0].Domain != "" || m.Graph.Name != "all" {
		t.Errorf("the file's head is %v", m)
	}
	g := m.Graph
	if len(g.Node) != 2 || g.Node[0].Name != "s/Cast" || g.Node[0].OpType != "Cast" || g.Node[1].OpType != "Add" ||
		!slices.Equal(g.Node[1].Input, []string{"s/Cast", "w"}) || !slices.Equal(g.Node[1].Output, []string{"sum"}) {
		t.Errorf("nodes are %v", g.Node)
	}
	if a := g.Node[0].Attribute; len(a) != 4 || a[0].GetI() != 1 || !slices.Equal(a[1].Ints, []int64{2, 3}) || a[2].F != 0.5 || string(a[3].S) != "add" ||
		a[0].Type != AttributeProto_INT || a[1].Type != AttributeProto_INTS || a[2].Type != AttributeProto_FLOAT || a[3].Type != AttributeProto_STRING {
		t.Errorf("attributes are %v", a)
	}
	if w := g.Initializer[0]; w.Name != "w" || w.DataType != int32(TensorProto_FLOAT) || !slices.Equal(w.Dims, []int64{1, 2}) || len(w.RawData) != 8 ||
		math.Float32frombits(binary.LittleEndian.Uint32(w.RawData[4:])) != -2 {
		t.Errorf("the initializer is %v", w)
	}
	for i, v := range []*ValueInfoProto{g.Input[0], g.Output[0]} {
		tensor := v.Type.GetTensorType()
		if v.Name != []string{"x", "sum"}[i] || v.DocString != []string{"images", "the sum"}[i] ||
			tensor.ElemType != []int32{int32(TensorProto_UINT8), int32(TensorProto_FLOAT)}[i] ||
			tensor.Shape.Dim[0].GetDimParam() != "N" || tensor.Shape.Dim[1].GetDimValue() != 4 {
			t.Errorf("the value is described as %v", v)
		}
	}
}

// TestBuilderWrongNames: two values of one name would be two makers of one
// value, which no runtime loads.
func TestBuilderWrongNames(t *testing.T) {
	for name, c := range map[string]struct {
		build func(b *Builder, relu string)
		want  string
	}{
		"renamed twice":  {func(b *Builder, relu string) { b.Rename(b.Op("Abs", []string{b.Rename(relu, "y")}), "y") }, `two values are named "y"`},
		"like an input":  {func(b *Builder, relu string) { b.Rename(relu, "x") }, `two values are named "x"`},
		"like a weight":  {func(b *Builder, relu string) { b.Rename(relu, b.Weights("w", nil)) }, `two values are named "w"`},
		"input":          {func(b *Builder, relu string) { b.Input(relu, "", TensorProto_FLOAT) }, `two values are named "Relu"`},
		"unknown":        {func(b *Builder, relu string) { b.Rename("z", "y") }, `no node computes "z"`},
		"no node's":      {func(b *Builder, relu string) { b.Rename("x", "y") }, `no node computes "x"`},
		"first of these": {func(b *Builder, relu string) { b.Rename("z", "y"); b.Rename(relu, "x") }, `no node computes "z"`},
	} {
		b := NewBuilder("net")
		c.build(b, b.Op("Relu", []string{b.Input("x", "", TensorProto_FLOAT, "N")}))
		if m, err := b.Model("test", "1"); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "net") || m != nil {
			t.Errorf("%s: error %v, want one that says %s", name, err, c.want)
		}
	}
}

// TestRenameReservesTheName: what comes after the renaming gets another name.
func TestRenameReservesTheName(t *testing.T) {
	b := NewBuilder("net")
	relu := b.Op("Relu", []string{b.Input("x", "", TensorProto_FLOAT, "N")})
	abs := b.Op("Abs", []string{relu})
	b.Rename(relu, "Neg")
	if neg := b.Op("Neg", []string{abs}); neg == "Neg" {
		t.Error("two nodes write Neg")
	}
	m, err := b.Model("test", "1")
	if err != nil {
		t.Fatal(err)
	}
	if n := m.Graph.Node; n[0].Output[0] != "Neg" || n[1].Input[0] != "Neg" || n[0].Name != "Relu" {
		t.Errorf("nodes are %v, want the value renamed wherever it occurs", n)
	}
}
