package onnx

import (
	"fmt"
	"strings"
)

// Opset is the version of the ai.onnx operators that a Builder emits: one for
// which ONNX Runtime's CUDA provider has all kernels that the exporter needs.
const Opset = 17

// irVersion is the file format's version that goes with Opset.
const irVersion = 8

// Builder assembles a graph. Values are known by name; every method that adds
// something returns the name of what it added. A name that is asked for and
// cannot be had is an error, which Model returns.
type Builder struct {
	graph     *GraphProto
	names     map[string]int    // name → how often it was asked for
	consts    map[string]string // content → name of a small constant
	makers    map[string]*NodeProto
	constants map[string]*TensorProto
	shapes    map[string]shapeOf // as far as somebody asked
	scope     string
	err       error // the first
}

// NewBuilder starts an empty graph.
func NewBuilder(name string) *Builder {
	return &Builder{
		graph: &GraphProto{Name: name}, names: map[string]int{}, consts: map[string]string{},
		makers: map[string]*NodeProto{}, constants: map[string]*TensorProto{}, shapes: map[string]shapeOf{},
	}
}

// add appends a node whose names are taken.
func (b *Builder) add(n *NodeProto) {
	b.graph.Node = append(b.graph.Node, n)
	for _, out := range n.Output {
		if out != "" {
			b.makers[out] = n
		}
	}
}

// Nodes returns the nodes so far. Each follows those that it takes values from.
func (b *Builder) Nodes() []*NodeProto { return b.graph.Node }

// Maker returns the node that computes a value, nil if none does.
func (b *Builder) Maker(value string) *NodeProto { return b.makers[value] }

// Constant returns the initializer of a name, nil if the value is none.
func (b *Builder) Constant(value string) *TensorProto { return b.constants[value] }

// Scope sets the prefix of the node names that follow, so that a viewer of the
// graph sees what belongs together.
func (b *Builder) Scope(prefix string) { b.scope = prefix }

// Attr is a node's attribute.
type Attr = *AttributeProto

// Int is an integer attribute.
func Int(name string, v int) Attr {
	return &AttributeProto{Name: name, Type: AttributeProto_INT, I: int64(v)}
}

// Ints is an attribute of integers.
func Ints(name string, v ...int) Attr {
	return &AttributeProto{Name: name, Type: AttributeProto_INTS, Ints: int64s(v)}
}

// Float is a floating-point attribute.
func Float(name string, v float32) Attr {
	return &AttributeProto{Name: name, Type: AttributeProto_FLOAT, F: v}
}

// Floats is an attribute of floating-point numbers.
func Floats(name string, v ...float32) Attr {
	return &AttributeProto{Name: name, Type: AttributeProto_FLOATS, Floats: v}
}

// String is a text attribute.
func String(name, v string) Attr {
	return &AttributeProto{Name: name, Type: AttributeProto_STRING, S: []byte(v)}
}

// Op adds a node of one output under a name made from the scope and op.
func (b *Builder) Op(op string, inputs []string, attrs ...Attr) string {
	return b.Ops(op, 1, inputs, attrs...)[0]
}

// Ops adds a node of n outputs.
func (b *Builder) Ops(op string, n int, inputs []string, attrs ...Attr) []string {
	name := b.unique(b.scope + op)
	outputs := make([]string, n)
	for i := range outputs {
		outputs[i] = name
		if i > 0 {
			outputs[i] = b.unique(fmt.Sprintf("%s.%d", name, i))
		}
	}
	b.add(&NodeProto{Name: name, OpType: op, Input: inputs, Output: outputs, Attribute: attrs})
	return outputs
}

// Rename gives the output of a node another name, and returns that: an Identity
// in its place would cost a copy at run time. It must come before Output declares
// the value.
func (b *Builder) Rename(name, public string) string {
	b.reserve(public)
	computed := false
	for _, n := range b.graph.Node {
		replace(n.Input, name, public)
		computed = replace(n.Output, name, public) || computed
	}
	if !computed {
		b.fail("no node computes %q, which is to become %q", name, public)
		return public
	}
	b.makers[public] = b.makers[name]
	delete(b.makers, name)
	if s, ok := b.shapes[name]; ok {
		b.shapes[public] = s
		delete(b.shapes, name)
	}
	return public
}

// replace puts a name in the place of another, and reports whether that was there.
func replace(names []string, old, name string) bool {
	found := false
	for i := range names {
		if names[i] == old {
			names[i], found = name, true
		}
	}
	return found
}

// Weights adds a float32 initializer of the given shape; none is a scalar.
func (b *Builder) Weights(name string, data []float32, shape ...int) string {
	name = b.unique(name)
	b.initializer(NewFloats(name, data, int64s(shape)...))
	return name
}

// Doubles adds a float64 initializer of the given shape; none is a scalar.
func (b *Builder) Doubles(name string, data []float64, shape ...int) string {
	name = b.unique(name)
	b.initializer(NewDoubles(name, data, int64s(shape)...))
	return name
}

// Tensor adds an initializer, under its name or one like it if that is taken.
func (b *Builder) Tensor(t *TensorProto) string {
	if name := b.unique(t.Name); name != t.Name {
		t = shallowCopy(t)
		t.Name = name
	}
	b.initializer(t)
	return t.Name
}

// Const adds a small float32 constant; equal ones are shared.
func (b *Builder) Const(shape []int, data ...float32) string {
	key := fmt.Sprint("f", shape, data)
	if name, ok := b.consts[key]; ok {
		return name
	}
	name := b.Weights(b.ofNetwork("const"), data, shape...)
	b.consts[key] = name
	return name
}

// Scalar adds a float32 constant without dimensions.
func (b *Builder) Scalar(v float32) string { return b.Const(nil, v) }

// Double adds a float64 constant without dimensions; equal ones are shared.
func (b *Builder) Double(v float64) string {
	key := fmt.Sprint("d", v)
	if name, ok := b.consts[key]; ok {
		return name
	}
	name := b.Doubles(b.ofNetwork("number"), []float64{v})
	b.consts[key] = name
	return name
}

// Int64s adds a vector of int64, the form in which operators take axes, shapes
// and bounds; equal ones are shared.
func (b *Builder) Int64s(data ...int) string {
	key := fmt.Sprint("i", data)
	if name, ok := b.consts[key]; ok {
		return name
	}
	name := b.unique(b.ofNetwork("ints"))
	b.initializer(NewInts(name, int64s(data), int64(len(data))))
	b.consts[key] = name
	return name
}

// ofNetwork is the name of a constant: that of one in a network is to differ from those
// of the graph that the network becomes a part of.
func (b *Builder) ofNetwork(name string) string {
	if strings.HasPrefix(b.scope, Prefix) {
		return Prefix + name
	}
	return name
}

// Replace puts an initializer in the place of the one of its name, if there is one.
func (b *Builder) Replace(t *TensorProto) {
	for i, old := range b.graph.Initializer {
		if old.Name == t.Name {
			b.graph.Initializer[i], b.constants[t.Name] = t, t
		}
	}
}

func (b *Builder) initializer(t *TensorProto) {
	b.graph.Initializer = append(b.graph.Initializer, t)
	b.constants[t.Name] = t
}

// Input declares an input, with dimensions as in Value.
func (b *Builder) Input(name, doc string, t TensorProto_DataType, dims ...any) string {
	b.reserve(name)
	v := describe(Value(name, t, dims...), doc)
	b.graph.Input = append(b.graph.Input, v)
	if s, err := v.Shape(); err == nil {
		b.shapes[name] = shapeOf{shape: s}
	}
	return name
}

// Output declares a value as an output.
func (b *Builder) Output(name, doc string, t TensorProto_DataType, dims ...any) {
	b.graph.Output = append(b.graph.Output, describe(Value(name, t, dims...), doc))
}

// Model returns the finished file, or the first error of the building.
func (b *Builder) Model(producer, version string) (*ModelProto, error) {
	if b.err != nil {
		return nil, b.err
	}
	m := File(b.graph)
	m.ProducerName, m.ProducerVersion = producer, version
	return m, nil
}

// Graph returns the finished graph with the shapes of all values said, as the canonical
// form has it, or the first error of the building.
func (b *Builder) Graph() (*GraphProto, error) {
	b.graph.ValueInfo = nil
	for _, n := range b.graph.Node {
		for _, out := range n.Output {
			if out == "" {
				continue
			}
			s, err := b.Shape(out)
			if err != nil {
				return nil, err
			}
			b.graph.ValueInfo = append(b.graph.ValueInfo, Described(out, TypeOf(b.Maker, out), s))
		}
	}
	return b.graph, b.err
}

// Know tells the builder a value's shape, where no operator of ai.onnx makes it.
func (b *Builder) Know(value string, s Shape) { b.shapes[value] = shapeOf{shape: s} }

// Say has the file tell a value's shape, which is for runtimes that do not find it out:
// ONNX Runtime loses the batch where an operator that takes sizes is given a symbol.
func (b *Builder) Say(value string) string {
	if s, err := b.Shape(value); err == nil {
		b.graph.ValueInfo = append(b.graph.ValueInfo, Described(value, TypeOf(b.Maker, value), s))
	}
	return value
}

// File returns a graph of this package's operators as a file.
func File(g *GraphProto) *ModelProto {
	return &ModelProto{IrVersion: irVersion, OpsetImport: []*OperatorSetIdProto{{Version: Opset}}, Graph: g}
}

// unique returns name, numbered if it is taken.
func (b *Builder) unique(name string) string {
	b.names[name]++
	if n := b.names[name]; n > 1 {
		return b.unique(fmt.Sprintf("%s_%d", name, n))
	}
	return name
}

// reserve takes a name that is wanted as it is.
func (b *Builder) reserve(name string) {
	if b.names[name]++; b.names[name] > 1 {
		b.fail("two values are named %q", name)
	}
}

// Fail makes Model return an error, unless there is one already.
func (b *Builder) Fail(err error) { b.fail("%w", err) }

func (b *Builder) fail(format string, args ...any) {
	if b.err == nil {
		b.err = fmt.Errorf("graph %s: "+format, append([]any{b.graph.Name}, args...)...)
	}
}

func describe(v *ValueInfoProto, doc string) *ValueInfoProto {
	v.DocString = doc
	return v
}

// Value describes a tensor. A dimension of a string is symbolic, of an int
// fixed.
func Value(name string, t TensorProto_DataType, dims ...any) *ValueInfoProto {
	shape := &TensorShapeProto{}
	for _, d := range dims {
		dim := &TensorShapeProto_Dimension{}
		switch d := d.(type) {
		case int:
			dim.Value = &TensorShapeProto_Dimension_DimValue{DimValue: int64(d)}
		default:
			dim.Value = &TensorShapeProto_Dimension_DimParam{DimParam: fmt.Sprint(d)}
		}
		shape.Dim = append(shape.Dim, dim)
	}
	return &ValueInfoProto{Name: name, Type: &TypeProto{
		Value: &TypeProto_TensorType{TensorType: &TypeProto_Tensor{ElemType: int32(t), Shape: shape}},
	}}
}

// Shapeless describes a tensor whose shape is for the runtime to find out.
func Shapeless(name string, t TensorProto_DataType) *ValueInfoProto {
	v := Value(name, t)
	v.Type.GetTensorType().Shape = nil
	return v
}

func int64s(v []int) []int64 {
	out := make([]int64, len(v))
	for i, n := range v {
		out[i] = int64(n)
	}
	return out
}

func ints(v []int64) []int {
	out := make([]int, len(v))
	for i, n := range v {
		out[i] = int(n)
	}
	return out
}
