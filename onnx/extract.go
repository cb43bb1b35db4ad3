package onnx

import (
	"fmt"
	"slices"
)

// Extract returns the part of m that computes the named outputs from the graph's
// inputs, or from the values in cut, computed or constant, which become inputs
// of their own: nodes, initializers, inputs and descriptions of values that the
// outputs do not need are gone. The part shares memory with m. A name that m does
// not have is an error.
func Extract(m *ModelProto, outputs []string, cut ...*ValueInfoProto) (*ModelProto, error) {
	g := m.GetGraph()
	makers, constants := Makers(g), Constants(g)
	for _, v := range cut {
		if makers[v.Name] == nil && constants[v.Name] == nil {
			return nil, fmt.Errorf("the graph has no value %q to cut at", v.Name)
		}
		delete(makers, v.Name)
		delete(constants, v.Name)
	}
	var wanted []*ValueInfoProto
	for _, name := range outputs {
		i := slices.IndexFunc(g.GetOutput(), func(v *ValueInfoProto) bool { return v.Name == name })
		if i < 0 {
			return nil, fmt.Errorf("the graph has no output %q", name)
		}
		wanted = append(wanted, g.Output[i])
	}

	values, nodes := needed(outputs, makers)
	part := WithOutputs(g, wanted)
	part.Node = keep(g.Node, func(n *NodeProto) bool { return nodes[n] })
	part.Initializer = keep(g.Initializer, func(t *TensorProto) bool { return values[t.Name] && constants[t.Name] != nil })
	part.Input = keep(slices.Concat(g.Input, cut), func(v *ValueInfoProto) bool { return values[v.Name] })
	part.ValueInfo = keep(g.ValueInfo, func(v *ValueInfoProto) bool { return values[v.Name] && makers[v.Name] != nil })
	return WithGraph(m, part), nil
}

// needed returns what the outputs are computed from, given the node that makes
// each value: all values, themselves included, and all nodes.
func needed(outputs []string, makers map[string]*NodeProto) (values map[string]bool, nodes map[*NodeProto]bool) {
	values, nodes = map[string]bool{}, map[*NodeProto]bool{}
	for todo := slices.Clone(outputs); len(todo) > 0; {
		name := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if values[name] {
			continue
		}
		values[name] = true
		if n := makers[name]; n != nil && !nodes[n] {
			nodes[n] = true
			todo = append(todo, n.Input...)
		}
	}
	return values, nodes
}

// keep returns the elements of a list that are wanted, in their order.
func keep[T any](list []T, wanted func(T) bool) []T {
	var kept []T
	for _, v := range list {
		if wanted(v) {
			kept = append(kept, v)
		}
	}
	return kept
}
