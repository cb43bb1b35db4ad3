package onnx

import "strconv"

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

// FloatsAttr is an attribute of floating-point numbers, nil if there is none.
func (n *NodeProto) FloatsAttr(name string) []float32 { return n.attr(name).GetFloats() }

// DecimalAttr is FloatAttr as it was written before the file rounded it to float32: 1e-5,
// where FloatAttr has 9.99999974e-6.
func (n *NodeProto) DecimalAttr(name string, otherwise float64) float64 {
	a := n.attr(name)
	if a == nil {
		return otherwise
	}
	v, err := strconv.ParseFloat(strconv.FormatFloat(float64(a.F), 'g', -1, 32), 64)
	if err != nil { // it is not a number
		return float64(a.F)
	}
	return v
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

// TypeOf returns the type of what the nodes of a canonical graph compute, given the
// maker of each value.
func TypeOf(maker func(value string) *NodeProto, value string) TensorProto_DataType {
	for n := maker(value); n != nil; n = maker(value) {
		switch n.OpType {
		case "MaxPool", "TopK":
			if value == n.Result(1) {
				return TensorProto_INT64
			}
		case "Cast":
			return TensorProto_DataType(n.IntAttr("to", 0))
		case "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "And", "Or", "Not", "Xor", "IsNaN", "IsInf":
			return TensorProto_BOOL
		case "ArgMax", "ArgMin", "Shape":
			return TensorProto_INT64
		case "ConstantOfShape":
			if t := n.TensorAttr("value"); t != nil {
				return t.Type()
			}
			return TensorProto_FLOAT
		case "OneHot":
			return TensorProto_FLOAT
		}
		value = n.Operand(0)
		if n.OpType == "Where" {
			value = n.Operand(1)
		}
	}
	return TensorProto_FLOAT
}
