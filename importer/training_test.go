package importer

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/onnx"
)

// asTrained makes of a network what torch.onnx writes of it with TrainingMode.TRAINING:
// each normalisation has further outputs, and mode 1 where the opset knows it, and a
// dropout is before the last layer.
func asTrained(m *onnx.ModelProto, opset int) {
	m.OpsetImport[0].Version = int64(opset)
	m.Graph.Initializer = append(m.Graph.Initializer,
		onnx.NewFloats("ratio", []float32{.4}), onnx.NewTensor("on", onnx.TensorProto_BOOL, []byte{1}))
	var nodes []*onnx.NodeProto
	for _, n := range m.Graph.Node {
		if n.OpType == "BatchNormalization" {
			further := 4
			n.Attribute = []onnx.Attr{onnx.Float("epsilon", 1e-5)}
			if opset >= 14 {
				further = 2
				n.Attribute = append(n.Attribute, onnx.Int("training_mode", 1))
			}
			for i := range further {
				n.Output = append(n.Output, fmt.Sprintf("%s.%d", n.Output[0], i))
			}
		}
		if n.OpType == "Gemm" {
			nodes = append(nodes, &onnx.NodeProto{Name: "drop", OpType: "Dropout", Input: []string{n.Input[0], "ratio", "on"}, Output: []string{"dropped", "mask"}})
			n.Input[0] = "dropped"
		}
		nodes = append(nodes, n)
	}
	m.Graph.Node = nodes
}

// TestTraining: to be trained, a file of the training mode is taken for the network that
// it is in use; to be used, it is refused.
func TestTraining(t *testing.T) {
	file := func() *onnx.ModelProto {
		m, err := Read(filepath.Join("testdata", "torchvision", "resnet18.17.kept.onnx"))
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	opt := normal(32)
	opt.Training = true
	want, err := Import(file(), opt)
	if err != nil {
		t.Fatal(err)
	}
	if len(want.Notes) > 0 {
		t.Errorf("of a file of the network in use it is noted: %q", want.Notes)
	}
	for _, opset := range []int{12, 17} {
		m := file()
		asTrained(m, opset)
		before := proto.Clone(m)
		got, err := Import(m, opt)
		if err != nil {
			t.Fatalf("opset %d: %v", opset, err)
		}
		if !proto.Equal(m, before) {
			t.Errorf("opset %d: the file is changed", opset)
		}
		if notes := strings.Join(got.Notes, "\n"); !strings.Contains(notes, "batch normalisations go by their running statistics; 1 dropouts are left out") {
			t.Errorf("opset %d: notes %q", opset, notes)
		}
		if a, b := operators(got.Model), operators(want.Model); a != b {
			t.Errorf("opset %d: the operators are %s, want %s", opset, a, b)
		}
		_, err = Import(m, normal(32))
		if ascood.CodeOf(err) != ascood.Unsupported || !strings.Contains(err.Error(), "BatchNormalization: it is in training mode") || !strings.Contains(err.Error(), "Dropout: it is in training mode") {
			t.Errorf("opset %d: error %v, want one of the training mode", opset, err)
		}
	}
}

func operators(m *onnx.ModelProto) string {
	var list []string
	for _, n := range m.Graph.Node {
		list = append(list, n.OpType)
	}
	return strings.Join(list, " ")
}
