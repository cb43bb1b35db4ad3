package onnx

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/ascood/ascood"
)

// canonical is a network in canonical form.
func canonical(t *testing.T) *ModelProto {
	t.Helper()
	b := NewBuilder("net")
	b.Scope(Prefix)
	x := b.Input("image", "", TensorProto_FLOAT, Batch, 3, 4, 4)
	x = b.Op("Conv", []string{x, b.Weights("conv.weight", make([]float32, 24), 2, 3, 2, 2)}, Ints("strides", 2, 2))
	x = b.Op("Reshape", []string{x, b.Int64s(-1, 8)})
	x = b.Op("Gemm", []string{x, b.Weights("fc.weight", make([]float32, 40), 5, 8)}, Int("transB", 1))
	b.Output(b.Rename(x, "logits"), "", TensorProto_FLOAT, Batch, 5)
	m, err := b.Model("test", "1")
	if err != nil {
		t.Fatal(err)
	}
	m.Graph.ValueInfo = []*ValueInfoProto{
		Described("net/Conv", TensorProto_FLOAT, Images(2, 2, 2)),
		Described("net/Reshape", TensorProto_FLOAT, Images(8)),
	}
	return m
}

func TestCheckOfWhatIsCanonical(t *testing.T) {
	m := canonical(t)
	if err := Check(m); err != nil {
		t.Error(err)
	}
	if err := Check(WithDim(m, Batch, 1)); err != nil {
		t.Errorf("a network that takes images one by one: %v", err)
	}
}

// TestCheckNamesEveryFault breaks one rule at a time, and then all at once.
func TestCheckNamesEveryFault(t *testing.T) {
	breaks := []struct {
		want string
		do   func(m *ModelProto)
	}{
		{"want ai.onnx 17 alone", func(m *ModelProto) { m.OpsetImport[0].Version = 13 }},
		{"the format's version is 7", func(m *ModelProto) { m.IrVersion = 7 }},
		{"1 operators are defined in the file", func(m *ModelProto) { m.Functions = []*FunctionProto{{}} }},
		{`initializer "fc.weight" holds DOUBLE`, func(m *ModelProto) {
			m.Graph.Initializer[2] = NewTensor("fc.weight", TensorProto_DOUBLE, make([]byte, 320), 5, 8)
		}},
		{"2 values in the file", func(m *ModelProto) {
			m.Graph.Initializer[0] = NewFloats("conv.weight", []float32{1, 2}, 2, 3, 2, 2)
		}},
		{`input "image" is [N,4,4,3], want [N,3,H,W]`, func(m *ModelProto) { m.Graph.Input[0] = Value("image", TensorProto_FLOAT, Batch, 4, 4, 3) }},
		{`output "logits" is [N,5,1], want [N,C]`, func(m *ModelProto) { m.Graph.Output[0] = Value("logits", TensorProto_FLOAT, Batch, 5, 1) }},
		{`"image" holds UINT8`, func(m *ModelProto) { m.Graph.Input[0].Type.GetTensorType().ElemType = int32(TensorProto_UINT8) }},
		{"1 inputs and 2 outputs", func(m *ModelProto) { m.Graph.Output = append(m.Graph.Output, m.Graph.Output[0]) }},
		{`two values are named "net/Conv"`, func(m *ModelProto) { m.Graph.Node[1].Output[0] = "net/Conv" }},
		{`two nodes are named "net/Conv"`, func(m *ModelProto) { m.Graph.Node[1].Name = "net/Conv" }},
		{`node "Gemm" does not begin with "net/"`, func(m *ModelProto) { m.Graph.Node[2].Name = "Gemm" }},
		{`value "odd" does not begin with "net/"`, func(m *ModelProto) { m.Graph.Node[0].Output[0] = "odd" }},
		{`takes "net/Reshape", which nothing before it computes`, func(m *ModelProto) { g := m.Graph; g.Node[1], g.Node[2] = g.Node[2], g.Node[1] }},
		{`nothing computes the output "scores"`, func(m *ModelProto) { m.Graph.Output[0].Name = "scores" }},
		{"want operators of ai.onnx", func(m *ModelProto) { m.Graph.Node[0].Domain = "com.microsoft" }},
		{"the attribute transB is FLOAT, want INT", func(m *ModelProto) { m.Graph.Node[2].Attribute[0] = Float("transB", 1) }},
		{"the attribute body is GRAPH", func(m *ModelProto) {
			m.Graph.Node[2].Attribute = append(m.Graph.Node[2].Attribute, &AttributeProto{Name: "body", Type: AttributeProto_GRAPH})
		}},
		{`input 1 is "net/Shape", want an initializer`, func(m *ModelProto) {
			m.Graph.Node = append([]*NodeProto{{Name: "net/Shape", OpType: "Shape", Input: []string{"image"}, Output: []string{"net/Shape"}}}, m.Graph.Node...)
			m.Graph.Node[2].Input[1] = "net/Shape"
		}},
		{`the shape of "net/Conv" is not said`, func(m *ModelProto) { m.Graph.ValueInfo = m.Graph.ValueInfo[1:] }},
		{`makes [N,2,2,2], but "net/Conv" is said to be [2*N,2,2]`, func(m *ModelProto) {
			m.Graph.ValueInfo[0] = Described("net/Conv", TensorProto_FLOAT, Shape{Dim{2, true}, Dim{Size: 2}, Dim{Size: 2}})
		}},
		{"the shapes that NonMaxSuppression makes are not known", func(m *ModelProto) { m.Graph.Node[1].OpType = "NonMaxSuppression" }},
	}
	all := canonical(t)
	for _, c := range breaks {
		m := canonical(t)
		c.do(m)
		err := Check(m)
		if err == nil || !strings.Contains(err.Error(), c.want) || ascood.CodeOf(err) != ascood.Unsupported {
			t.Errorf("the error is %v, want one that says %s", err, c.want)
		}
		if strings.Contains(c.want, "said") || strings.Contains(c.want, "format's") {
			c.do(all)
		}
	}
	if err := Check(all); err == nil || strings.Count(err.Error(), "\n  ") < 2 {
		t.Errorf("of several faults the error says %v", err)
	}
	if err := Check(proto.CloneOf(&ModelProto{})); err == nil {
		t.Error("an empty file is canonical")
	}
}
