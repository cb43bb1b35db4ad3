package onnx

import (
	"maps"
	"slices"

	"google.golang.org/protobuf/proto"
)

// Extend starts from a graph, which stays as it is: all names that occur in it are
// taken, and what is added comes after its nodes.
func Extend(g *GraphProto) *Builder {
	b := NewBuilder(g.GetName())
	b.graph = shallowCopy(g)
	b.graph.Initializer = slices.Clone(g.GetInitializer())
	b.graph.Input, b.graph.Output = slices.Clone(g.GetInput()), slices.Clone(g.GetOutput())
	b.constants = Constants(g)
	for name, s := range Shapes(g) {
		b.names[name] = 1
		b.shapes[name] = shapeOf{shape: s}
	}
	for _, v := range slices.Concat(g.GetInput(), g.GetOutput(), g.GetValueInfo()) {
		b.names[v.Name] = 1
	}
	b.graph.Node = nil
	for _, n := range g.GetNode() {
		n = proto.CloneOf(n) // Rename may write into it
		b.names[n.Name] = 1
		for _, out := range n.Output {
			b.names[out] = 1
		}
		b.add(n)
	}
	return b
}

// Inline adds the nodes of a graph, under the prefix that Scope has set, and returns
// by what name b has each of the graph's values. The given values of b take the place
// of its inputs. Initializers keep their names; those that b has from an earlier
// Inline of the same are shared.
func (b *Builder) Inline(g *GraphProto, inputs map[string]string) map[string]string {
	names, shapes := map[string]string{}, Shapes(g)
	maps.Copy(names, inputs)
	for _, t := range g.GetInitializer() {
		if b.constants[t.Name] != t {
			b.reserve(t.Name)
			b.initializer(t)
		}
		names[t.Name] = t.Name
	}
	for _, n := range g.GetNode() {
		n = proto.CloneOf(n)
		n.Name = b.unique(b.scope + n.Name)
		for i, name := range n.Input {
			if n.Input[i] = names[name]; n.Input[i] == "" && name != "" {
				b.fail("%s takes %q, which neither is given nor comes before", n.Name, name)
			}
		}
		for i, name := range n.Output {
			if name == "" {
				continue
			}
			n.Output[i] = b.unique(b.scope + name)
			names[name] = n.Output[i]
			if s, ok := shapes[name]; ok {
				b.shapes[n.Output[i]] = shapeOf{shape: s}
			}
		}
		b.add(n)
	}
	return names
}
