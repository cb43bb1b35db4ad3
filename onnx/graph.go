package onnx

import (
	"slices"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Makers returns the node that computes each value of a graph. Optional outputs
// that are left out have no name and no entry.
func Makers(g *GraphProto) map[string]*NodeProto {
	makers := map[string]*NodeProto{}
	for _, n := range g.GetNode() {
		for _, out := range n.Output {
			if out != "" {
				makers[out] = n
			}
		}
	}
	return makers
}

// Constants returns a graph's initializers by name.
func Constants(g *GraphProto) map[string]*TensorProto {
	constants := map[string]*TensorProto{}
	for _, t := range g.GetInitializer() {
		constants[t.Name] = t
	}
	return constants
}

// WithGraph returns m with another graph. Everything else is m's, shared with
// it, what this package does not know of included.
func WithGraph(m *ModelProto, g *GraphProto) *ModelProto {
	m = shallowCopy(m)
	m.Graph = g
	return m
}

// WithOutputs returns g with other outputs. Everything else is g's, shared with
// it, what this package does not know of included.
func WithOutputs(g *GraphProto, outputs []*ValueInfoProto) *GraphProto {
	g = shallowCopy(g)
	g.Output = outputs
	return g
}

// WithConstants returns g with other values of some initializers, by their names.
// Everything else is g's, shared with it.
func WithConstants(g *GraphProto, values map[string]*TensorProto) *GraphProto {
	g = shallowCopy(g)
	g.Initializer = slices.Clone(g.Initializer)
	for i, t := range g.Initializer {
		if v, ok := values[t.Name]; ok {
			g.Initializer[i] = v
		}
	}
	return g
}

// WithDim returns m with a dimension that is known by name, and its multiples, fixed
// to a size, in inputs, outputs and what is said of values inside. Everything else is
// m's, shared with it.
func WithDim(m *ModelProto, name string, size int) *ModelProto {
	g := shallowCopy(m.GetGraph())
	for _, values := range []*[]*ValueInfoProto{&g.Input, &g.Output, &g.ValueInfo} {
		fixed := make([]*ValueInfoProto, len(*values))
		for i, v := range *values {
			fixed[i] = proto.CloneOf(v)
			for _, d := range fixed[i].GetType().GetTensorType().GetShape().GetDim() {
				if factor, ok := multiple(d.GetDimParam(), name); ok {
					d.Value = &TensorShapeProto_Dimension_DimValue{DimValue: int64(factor * size)}
				}
			}
		}
		*values = fixed
	}
	return WithGraph(m, g)
}

// shallowCopy returns a message with all fields of m, known or not. Lists and
// messages among them are shared.
func shallowCopy[M proto.Message](m M) M {
	from := m.ProtoReflect()
	to := from.New()
	from.Range(func(field protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		to.Set(field, v)
		return true
	})
	to.SetUnknown(from.GetUnknown())
	return to.Interface().(M)
}
