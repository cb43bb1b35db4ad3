package onnx

// Operand returns the name of a node's input i, "" if it is left out.
func (n *NodeProto) Operand(i int) string {
	if i >= len(n.GetInput()) {
		return ""
	}
	return n.Input[i]
}

// IntAttr returns an integer attribute, or the default if the node does not have
// it.
func (n *NodeProto) IntAttr(name string, otherwise int64) int64 {
	if a := n.attr(name); a != nil {
		return a.I
	}
	return otherwise
}

// FloatAttr returns a floating-point attribute, or the default if the node does
// not have it.
func (n *NodeProto) FloatAttr(name string, otherwise float32) float32 {
	if a := n.attr(name); a != nil {
		return a.F
	}
	return otherwise
}

func (n *NodeProto) attr(name string) Attr {
	for _, a := range n.GetAttribute() {
		if a.Name == name {
			return a
		}
	}
	return nil
}
