package kernels

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ascood/ascood/onnx"
)

// numbers tells which values of a graph are computed alike: each has the name of the first of these.
type numbers struct {
	of    map[string]string
	first map[string]string // by what they are computed by
}

// numbered are the values of a graph.
func numbered(b *onnx.Builder, constants []*onnx.TensorProto) *numbers {
	n := &numbers{map[string]string{}, map[string]string{}}
	for _, t := range constants {
		n.add(t.Name, constantKey(t))
	}
	for _, node := range b.Nodes() {
		if isIdentity(b, node) {
			n.of[node.Output[0]] = n.number(node.Input[0])
			continue
		}
		for i, out := range node.Output {
			n.add(out, nodeKey(node, i, n.number))
		}
	}
	return n
}

func (n *numbers) add(value, key string) {
	if n.first[key] == "" {
		n.first[key] = value
	}
	n.of[value] = n.first[key]
}

// number is that of a value; what nothing computes is its own.
func (n *numbers) number(value string) string {
	if of := n.of[value]; of != "" {
		return of
	}
	return value
}

// nodeKey says what output i of a node is computed by.
func nodeKey(n *onnx.NodeProto, i int, number func(string) string) string {
	var key strings.Builder
	fmt.Fprintf(&key, "%s.%s %d%s", n.Domain, n.OpType, i, attributes(n))
	for _, in := range n.Input {
		fmt.Fprintf(&key, " %q", number(in))
	}
	return key.String()
}

// attributes says which a node has, in the order of their names.
func attributes(n *onnx.NodeProto) string {
	attrs := slices.Clone(n.Attribute)
	slices.SortFunc(attrs, func(a, b onnx.Attr) int { return strings.Compare(a.Name, b.Name) })
	var all strings.Builder
	for _, a := range attrs {
		fmt.Fprintf(&all, " %s=%d %v %v %v %q %p %p", a.Name, a.I, a.F, a.Ints, a.Floats, a.S, a.T, a.G)
	}
	return all.String()
}

// constantKey says what a constant is. Large ones are each their own.
func constantKey(t *onnx.TensorProto) string {
	const most = 1 << 10 // bytes
	raw, err := t.Raw()
	if err != nil || len(raw) > most {
		return "constant " + t.Name
	}
	return fmt.Sprintf("constant %d %v %x", t.DataType, t.Dims, raw)
}

// isIdentity reports whether a node is a convolution of each channel by 1, which brings maps into the blocked layout.
func isIdentity(b *onnx.Builder, n *onnx.NodeProto) bool {
	if n.OpType != "Conv" || len(n.Input) != 2 || !isPlain(n) {
		return false
	}
	expand := b.Maker(n.Input[1])
	if expand == nil || expand.OpType != "Expand" {
		return false
	}
	one, shape := b.Constant(expand.Input[0]), b.Constant(expand.Input[1])
	if one == nil || shape == nil {
		return false
	}
	values, _ := one.Floats()
	sizes, _ := shape.Ints()
	return slices.Equal(values, []float32{1}) && slices.Equal(sizes, []int64{int64(n.IntAttr("group", 1)), 1, 1, 1})
}

// isPlain reports whether the windows of a convolution are single elements, one beside the other.
func isPlain(n *onnx.NodeProto) bool {
	ones := []int{1, 1}
	return slices.Equal(n.IntsAttr("kernel_shape"), ones) && slices.Equal(n.IntsAttr("strides", 1, 1), ones) &&
		slices.Equal(n.IntsAttr("pads", 0, 0, 0, 0), []int{0, 0, 0, 0}) && n.StringAttr("auto_pad", "NOTSET") == "NOTSET"
}
