package onnx

import (
	"fmt"
	"slices"
)

// Extract returns the part of m that computes the named outputs from the graph's
// inputs, or from the values in cut, computed or constant, which become inputs
// of their own: nodes, initializers and inputs that the outputs do not need are
// gone. The part shares memory with m. A name that m does not have is an error.
func Extract(m *ModelProto, outputs []string, cut ...*ValueInfoProto) (*ModelProto, error) {
	g := m.GetGraph()
	maker := map[string]*NodeProto{}
	for _, n := range g.GetNode() {
		for _, out := range n.Output {
			maker[out] = n
		}
	}
	constants := map[string]*TensorProto{}
	for _, t := range g.GetInitializer() {
		constants[t.Name] = t
	}
	for _, v := range cut {
		if maker[v.Name] == nil && constants[v.Name] == nil {
			return nil, fmt.Errorf("the graph has no value %q to cut at", v.Name)
		}
		delete(maker, v.Name)
		delete(constants, v.Name)
	}

	part := &GraphProto{Name: g.Name, DocString: g.DocString}
	for _, name := range outputs {
		i := slices.IndexFunc(g.Output, func(v *ValueInfoProto) bool { return v.Name == name })
		if i < 0 {
			return nil, fmt.Errorf("the graph has no output %q", name)
		}
		part.Output = append(part.Output, g.Output[i])
	}

	needed := map[string]bool{}
	nodes := map[*NodeProto]bool{}
	for todo := slices.Clone(outputs); len(todo) > 0; {
		name := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if needed[name] {
			continue
		}
		needed[name] = true
		if n := maker[name]; n != nil && !nodes[n] {
			nodes[n] = true
			todo = append(todo, n.Input...)
		}
	}

	for _, n := range g.Node {
		if nodes[n] {
			part.Node = append(part.Node, n)
		}
	}
	for _, t := range g.Initializer {
		if needed[t.Name] && constants[t.Name] != nil {
			part.Initializer = append(part.Initializer, t)
		}
	}
	for _, v := range slices.Concat(g.Input, cut) {
		if needed[v.Name] {
			part.Input = append(part.Input, v)
		}
	}
	return &ModelProto{
		IrVersion: m.IrVersion, OpsetImport: m.OpsetImport,
		ProducerName: m.ProducerName, ProducerVersion: m.ProducerVersion,
		MetadataProps: m.MetadataProps, Graph: part,
	}, nil
}
