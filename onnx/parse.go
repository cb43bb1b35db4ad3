package onnx

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// maxMessages is the most nodes, attributes, tensors and other parts that a file may
// have together: many times what the largest networks have. An empty one takes two
// bytes in a file and some hundred in memory, so that they are counted first.
const maxMessages = 2_000_000

// maxDepth is how deep messages may lie in one another: a subgraph takes three.
const maxDepth = 300

// Parse reads an ONNX file. What is none, or not a whole one, is an error.
func Parse(data []byte) (*ModelProto, error) {
	m := &ModelProto{}
	switch parts := countMessages(m.ProtoReflect().Descriptor(), data, maxMessages, maxDepth); {
	case parts > maxMessages:
		return nil, fmt.Errorf("the file has more than %d parts, which no network needs", maxMessages)
	case parts < 0 || proto.Unmarshal(data, m) != nil || len(m.GetGraph().GetNode()) == 0:
		return nil, fmt.Errorf("not an ONNX file, or a truncated one (%d bytes)", len(data))
	}
	return m, nil
}

// Marshal returns a file's bytes, the same for the same content.
func Marshal(m *ModelProto) ([]byte, error) {
	return proto.MarshalOptions{Deterministic: true}.Marshal(m)
}

// countMessages returns how many messages one holds, itself included, or a number
// above most, or -1 if it is damaged or they lie deeper than so many levels.
func countMessages(d protoreflect.MessageDescriptor, data []byte, most, levels int) int {
	if levels == 0 {
		return -1
	}
	count := 1
	for len(data) > 0 && count <= most {
		number, wire, n := protowire.ConsumeTag(data)
		if n < 0 {
			return -1
		}
		data = data[n:]
		n = protowire.ConsumeFieldValue(number, wire, data)
		if n < 0 {
			return -1
		}
		if field := d.Fields().ByNumber(number); field != nil && field.Message() != nil && wire == protowire.BytesType {
			inner, _ := protowire.ConsumeBytes(data)
			parts := countMessages(field.Message(), inner, most-count, levels-1)
			if parts < 0 {
				return -1
			}
			count += parts
		}
		data = data[n:]
	}
	return count
}
