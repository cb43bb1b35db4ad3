package onnx

// Operand returns the name of a node's input i, "" if it is left out.
func (n *NodeProto) Operand(i int) string {
	if i >= len(n.GetInput()) {
		return ""
	}
	return n.Input[i]
}

// Result returns the name of a node's output i, "" if it is left out.
func (n *NodeProto) Result(i int) string {
	if i >= len(n.GetOutput()) {
		return ""
	}
	return n.Output[i]
}

// HasAttr reports whether a node has an attribute.
func (n *NodeProto) HasAttr(name string) bool { return n.attr(name) != nil }

// IntAttr returns an integer attribute, or the default if the node does not have
// it.
func (n *NodeProto) IntAttr(name string, otherwise int) int {
	if a := n.attr(name); a != nil {
		return int(a.I)
	}
	return otherwise
}

// IntsAttr returns an attribute of integers, or the default if the node does not
// have it.
func (n *NodeProto) IntsAttr(name string, otherwise ...int) []int {
	if a := n.attr(name); a != nil {
		return ints(a.Ints)
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

// StringAttr returns a text attribute, or the default if the node does not have it.
func (n *NodeProto) StringAttr(name, otherwise string) string {
	if a := n.attr(name); a != nil {
		return string(a.S)
	}
	return otherwise
}

// TensorAttr returns an attribute that is a tensor, nil if the node does not have
// it.
func (n *NodeProto) TensorAttr(name string) *TensorProto { return n.attr(name).GetT() }

func (n *NodeProto) attr(name string) Attr {
	for _, a := range n.GetAttribute() {
		if a.Name == name {
			return a
		}
	}
	return nil
}
