package onnx

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ascood/ascood"
)

// Prefix begins the names of all nodes of a canonical graph, and of what they compute,
// so that what is added to it later has other names.
const Prefix = "net/"

// Tap is the name in a canonical graph of a value that others look at, if the network has
// it: what artifacts know as logits, feature, stem and layer1 to layer4. The feature is [N,D],
// pooled, before any standardisation.
func Tap(name string) string { return Prefix + name }

// Fixed is the name in a canonical graph of a constant that is no weight of the network,
// as a mask is none: training leaves it as it is.
func Fixed(name string) string { return fixed + name }

const fixed = Prefix + "fixed/"

// IsFixed reports whether a name is one of Fixed.
func IsFixed(name string) bool { return strings.HasPrefix(name, fixed) }

// Check compares a file with the canonical form, the one in which all other packages
// have networks:
//
//  1. The operators are ai.onnx of opset 17, without functions and graphs inside; all
//     numbers but integers and booleans are float32.
//  2. There is one input, the image [N,3,H,W] of fixed height and width, and one
//     output, the logits [N,C]. A network that takes images one by one has 1 for N.
//  3. The shape of every value that depends on the image is said, follows from the
//     operators, and counts images in one axis alone.
//  4. Shapes, axes and bounds that operators take are initializers.
//  5. Names are unique, and those of nodes and of what they compute begin with Prefix;
//     the output's may be another. Each node follows those that it takes values from.
//  6. Every operator on the image's way is known, and has attributes of the type that
//     it is to have.
//
// The error lists all that is otherwise.
func Check(m *ModelProto) error {
	c := &checker{g: m.GetGraph(), b: Extend(m.GetGraph()), image: map[string]bool{}}
	c.file(m)
	c.ends()
	c.names()
	for _, v := range c.g.GetInput() {
		c.image[v.Name] = true
	}
	for _, n := range c.b.Nodes() {
		c.node(n)
	}
	if len(c.faults) == 0 {
		return nil
	}
	return ascood.Errorf(ascood.Unsupported, "the graph is not in canonical form:\n  %s", strings.Join(c.faults, "\n  "))
}

type checker struct {
	g      *GraphProto
	b      *Builder
	image  map[string]bool // values that depend on the image
	faults []string
}

func (c *checker) fault(format string, args ...any) {
	c.faults = append(c.faults, fmt.Sprintf(format, args...))
}

// file checks what is said outside of the graph, and the types of the weights.
func (c *checker) file(m *ModelProto) {
	if len(m.GetOpsetImport()) != 1 || m.OpsetImport[0].Domain != "" || m.OpsetImport[0].Version != Opset {
		c.fault("the operators are of %v, want ai.onnx %d alone", m.GetOpsetImport(), Opset)
	}
	if m.GetIrVersion() != irVersion {
		c.fault("the format's version is %d, want %d", m.GetIrVersion(), irVersion)
	}
	if len(m.GetFunctions()) > 0 {
		c.fault("%d operators are defined in the file, want none", len(m.Functions))
	}
	for _, t := range c.g.GetInitializer() {
		if t.IsFloat() && t.Type() != TensorProto_FLOAT {
			c.fault("initializer %q holds %v, want %v", t.Name, t.Type(), TensorProto_FLOAT)
		}
		if _, err := t.Raw(); err != nil {
			c.fault("initializer %v", err)
		}
	}
}

// ends checks the input and the output.
func (c *checker) ends() {
	if len(c.g.GetInput()) != 1 || len(c.g.GetOutput()) != 1 {
		c.fault("there are %d inputs and %d outputs, want the image and the logits", len(c.g.GetInput()), len(c.g.GetOutput()))
		return
	}
	image, logits := c.g.Input[0], c.g.Output[0]
	in, err := image.Shape()
	switch {
	case err != nil:
		c.fault("input %v", err)
	case len(in) != 4 || in[0].Size != 1 || in[1] != Dim{Size: 3} || in[2].Batch || in[3].Batch:
		c.fault("input %q is %v, want [N,3,H,W]", image.Name, in)
	}
	out, err := logits.Shape()
	switch {
	case err != nil:
		c.fault("output %v", err)
	case len(out) != 2 || len(in) > 0 && out[0] != in[0] || out[1].Batch:
		c.fault("output %q is %v, want [N,C]", logits.Name, out)
	}
	for _, v := range []*ValueInfoProto{image, logits} {
		if t := TensorProto_DataType(v.GetType().GetTensorType().GetElemType()); t != TensorProto_FLOAT {
			c.fault("%q holds %v, want %v", v.Name, t, TensorProto_FLOAT)
		}
	}
}

// names checks that no two things have one name, and where names come from.
func (c *checker) names() {
	values, nodes := map[string]bool{}, map[string]bool{}
	take := func(taken map[string]bool, kind, name string) {
		if taken[name] {
			c.fault("two %s are named %q", kind, name)
		}
		taken[name] = true
	}
	for _, v := range c.g.GetInput() {
		take(values, "values", v.Name)
	}
	for _, t := range c.g.GetInitializer() {
		take(values, "values", t.Name)
	}
	for _, n := range c.g.GetNode() {
		take(nodes, "nodes", n.Name)
		if !strings.HasPrefix(n.Name, Prefix) {
			c.fault("node %q does not begin with %q", n.Name, Prefix)
		}
		for _, in := range n.Input {
			if in != "" && !values[in] {
				c.fault("node %q takes %q, which nothing before it computes", n.Name, in)
			}
		}
		for _, out := range n.Output {
			if out == "" {
				continue
			}
			take(values, "values", out)
			isOutput := slices.ContainsFunc(c.g.GetOutput(), func(v *ValueInfoProto) bool { return v.Name == out })
			if !isOutput && !strings.HasPrefix(out, Prefix) {
				c.fault("value %q does not begin with %q", out, Prefix)
			}
		}
	}
	for _, v := range c.g.GetOutput() {
		if !values[v.Name] {
			c.fault("nothing computes the output %q", v.Name)
		}
	}
}

// node checks a node's form, and what follows about its outputs.
func (c *checker) node(n *NodeProto) {
	if n.Domain != "" {
		c.fault("node %q is %s of %s, want operators of ai.onnx", n.Name, n.OpType, n.Domain)
		return
	}
	for _, a := range n.Attribute {
		if want, known := attributes[a.Name]; known && a.Type != want || a.Type == AttributeProto_GRAPH {
			c.fault("node %q (%s): the attribute %s is %v, want %v", n.Name, n.OpType, a.Name, a.Type, want)
		}
	}
	if !slices.ContainsFunc(n.Input, func(in string) bool { return c.image[in] }) {
		return
	}
	for _, out := range n.Output {
		c.image[out] = true
	}
	for _, i := range settings[n.OpType] {
		if in := n.Operand(i); in != "" && c.b.Constant(in) == nil {
			c.fault("node %q (%s): input %d is %q, want an initializer", n.Name, n.OpType, i, in)
		}
	}
	c.shapes(n)
}

// shapes compares what is said of a node's outputs with what follows from its inputs.
func (c *checker) shapes(n *NodeProto) {
	follows, err := c.b.Infer(n)
	if err != nil {
		c.fault("node %v", err)
	}
	for i, out := range n.Output {
		if out == "" {
			continue
		}
		said, ok := c.b.shapes[out]
		switch {
		case !ok || said.err != nil:
			c.fault("the shape of %q is not said", out)
		case i < len(follows) && !said.shape.Equal(follows[i]):
			c.fault("node %q (%s) makes %v, but %q is said to be %v", n.Name, n.OpType, follows[i], out, said.shape)
		}
	}
}

// settings are the inputs by which an operator is told shapes, axes and bounds.
var settings = map[string][]int{
	"Clip": {1, 2}, "CumSum": {1}, "Expand": {1}, "OneHot": {1}, "Pad": {1, 2}, "ReduceSum": {1}, "Reshape": {1},
	"Resize": {1, 2, 3}, "Slice": {1, 2, 3, 4}, "Split": {1}, "Squeeze": {1}, "Tile": {1}, "TopK": {1}, "Unsqueeze": {1},
}

// attributes are the types of operators' attributes, which have one meaning under one
// name.
var attributes = map[string]AttributeProto_AttributeType{
	"allowzero": AttributeProto_INT, "alpha": AttributeProto_FLOAT, "auto_pad": AttributeProto_STRING, "axes": AttributeProto_INTS,
	"axis": AttributeProto_INT, "batch_dims": AttributeProto_INT, "beta": AttributeProto_FLOAT, "bias": AttributeProto_FLOAT,
	"blocksize": AttributeProto_INT, "ceil_mode": AttributeProto_INT, "coordinate_transformation_mode": AttributeProto_STRING,
	"count_include_pad": AttributeProto_INT, "cubic_coeff_a": AttributeProto_FLOAT, "dilations": AttributeProto_INTS,
	"epsilon": AttributeProto_FLOAT, "equation": AttributeProto_STRING, "exclude_outside": AttributeProto_INT,
	"exclusive": AttributeProto_INT, "extrapolation_value": AttributeProto_FLOAT, "gamma": AttributeProto_FLOAT,
	"group": AttributeProto_INT, "keepdims": AttributeProto_INT, "kernel_shape": AttributeProto_INTS, "lambd": AttributeProto_FLOAT,
	"largest": AttributeProto_INT, "momentum": AttributeProto_FLOAT, "nearest_mode": AttributeProto_STRING,
	"noop_with_empty_axes": AttributeProto_INT, "output_padding": AttributeProto_INTS, "output_shape": AttributeProto_INTS,
	"p": AttributeProto_INT, "pads": AttributeProto_INTS, "perm": AttributeProto_INTS, "reduction": AttributeProto_STRING,
	"reverse": AttributeProto_INT, "select_last_index": AttributeProto_INT, "size": AttributeProto_INT, "sorted": AttributeProto_INT,
	"stash_type": AttributeProto_INT, "storage_order": AttributeProto_INT, "strides": AttributeProto_INTS, "to": AttributeProto_INT,
	"training_mode": AttributeProto_INT, "transA": AttributeProto_INT, "transB": AttributeProto_INT, "value": AttributeProto_TENSOR,
}
