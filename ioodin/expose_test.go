package ioodin

import (
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/ascood/ascood/onnx"
)

// TestExposeKeepsTheRest: an output more is all that changes, fields that are not
// known here included.
func TestExposeKeepsTheRest(t *testing.T) {
	image := onnx.Value("image", onnx.TensorProto_FLOAT, "N", 3, 28, 28)
	m := &onnx.ModelProto{DocString: "a file", Graph: &onnx.GraphProto{
		Node:      []*onnx.NodeProto{{OpType: "Neg", Input: []string{"pixels"}, Output: []string{"image"}}, {OpType: "Neg", Input: []string{"image"}, Output: []string{"logits"}}},
		Output:    []*onnx.ValueInfoProto{onnx.Value("logits", onnx.TensorProto_FLOAT, "N", 10)},
		ValueInfo: []*onnx.ValueInfoProto{image},
	}}
	m.ProtoReflect().SetUnknown(protowire.AppendBytes(protowire.AppendTag(nil, 25, protowire.BytesType), nil)) // functions
	exposed := expose(m, []string{"image"})
	last := len(exposed.Graph.Output) - 1
	if exposed.Graph.Output[last].Name != "image" {
		t.Errorf("the outputs are %v", exposed.Graph.Output)
	}
	exposed.Graph.Output = exposed.Graph.Output[:last]
	if !proto.Equal(m, exposed) {
		t.Error("the rest of the file has changed")
	}
}
