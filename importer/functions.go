package importer

import (
	"fmt"
	"slices"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/onnx"
)

// maxCalls is how deep functions may call functions.
const maxCalls = 20

// inlineFunctions returns a model's nodes with each call of a function of the file
// replaced by what the function does.
func inlineFunctions(m *onnx.ModelProto) ([]*onnx.NodeProto, error) {
	opset, err := opsetOf(m.OpsetImport)
	if err != nil {
		return nil, err
	}
	functions := map[string]*onnx.FunctionProto{}
	for _, f := range m.Functions {
		functions[key(f.Domain, f.Name, f.Overload)] = f
		for _, o := range f.OpsetImport {
			if standard(o.Domain) && int(o.Version) != opset {
				return nil, ascood.Errorf(ascood.Unsupported, "the function %s is of opset %d, the file of %d; export with one opset", f.Name, o.Version, opset)
			}
		}
	}
	in := &inliner{functions: functions}
	return in.inlined(m.Graph.Node, 0)
}

func key(domain, name, overload string) string {
	return fmt.Sprintf("%q %q %q", domain, name, overload)
}

// inliner replaces calls.
type inliner struct {
	functions    map[string]*onnx.FunctionProto
	calls, nodes int // so far
}

// inlined returns nodes with calls replaced, within subgraphs too.
func (in *inliner) inlined(nodes []*onnx.NodeProto, depth int) ([]*onnx.NodeProto, error) {
	var all []*onnx.NodeProto
	for _, n := range nodes {
		f := in.functions[key(n.Domain, n.OpType, n.Overload)]
		if f == nil {
			if in.nodes++; in.nodes > maxNodes {
				return nil, ascood.Errorf(ascood.TooLarge, "the network has more than %d nodes", maxNodes)
			}
			n, err := in.within(n, depth)
			if err != nil {
				return nil, err
			}
			all = append(all, n)
			continue
		}
		if depth == maxCalls {
			return nil, ascood.Errorf(ascood.Invalid, "the function %s is called by functions that lie more than %d deep", f.Name, maxCalls)
		}
		in.calls++
		made, err := in.inlined(body(f, n, fmt.Sprintf("%s.%d/", f.Name, in.calls)), depth+1)
		if err != nil {
			return nil, err
		}
		all = append(all, made...)
	}
	return all, nil
}

// within returns a node with the calls in its subgraphs replaced.
func (in *inliner) within(n *onnx.NodeProto, depth int) (*onnx.NodeProto, error) {
	if !slices.ContainsFunc(n.Attribute, func(a onnx.Attr) bool { return a.G != nil }) {
		return n, nil
	}
	made := &onnx.NodeProto{Name: n.Name, OpType: n.OpType, Domain: n.Domain, Input: n.Input, Output: n.Output}
	for _, a := range n.Attribute {
		if a.G != nil {
			nodes, err := in.inlined(a.G.Node, depth)
			if err != nil {
				return nil, err
			}
			a = &onnx.AttributeProto{Name: a.Name, Type: a.Type, G: &onnx.GraphProto{
				Name: a.G.Name, Node: nodes, Initializer: a.G.Initializer, Input: a.G.Input, Output: a.G.Output,
			}}
		}
		made.Attribute = append(made.Attribute, a)
	}
	return made, nil
}

// body returns the nodes of a function for one call: values have a prefix, but for
// the call's inputs, and attributes that refer to the call's have their values.
func body(f *onnx.FunctionProto, call *onnx.NodeProto, prefix string) []*onnx.NodeProto {
	taken := map[string]string{"": ""}
	for i, name := range f.Input {
		taken[name] = call.Operand(i)
	}
	given := map[string]onnx.Attr{}
	for _, a := range slices.Concat(f.AttributeProto, call.Attribute) {
		given[a.Name] = a
	}
	rename := func(name string) string {
		if other, ok := taken[name]; ok {
			return other
		}
		return prefix + name
	}
	return append(instantiate(f.Node, prefix, rename, given), hand(f.Output, call.Output, rename)...)
}

// hand returns nodes that give values under the names of the outputs they become.
func hand(values, outputs []string, rename func(string) string) []*onnx.NodeProto {
	var nodes []*onnx.NodeProto
	for i, out := range outputs {
		if out != "" && i < len(values) {
			nodes = append(nodes, &onnx.NodeProto{Name: out, OpType: "Identity", Input: []string{rename(values[i])}, Output: []string{out}})
		}
	}
	return nodes
}

// instantiate copies nodes under other names. Attributes that refer to one of the
// given have its value, or are left out if it is not there.
func instantiate(nodes []*onnx.NodeProto, prefix string, rename func(string) string, given map[string]onnx.Attr) []*onnx.NodeProto {
	var copies []*onnx.NodeProto
	for _, n := range nodes {
		made := &onnx.NodeProto{Name: prefix + n.Name, OpType: n.OpType, Domain: n.Domain, Overload: n.Overload}
		for _, in := range n.Input {
			made.Input = append(made.Input, rename(in))
		}
		for _, out := range n.Output {
			made.Output = append(made.Output, rename(out))
		}
		for _, a := range n.Attribute {
			if a.RefAttrName != "" {
				from := given[a.RefAttrName]
				if from == nil {
					continue
				}
				a = &onnx.AttributeProto{Name: a.Name, Type: from.Type, F: from.F, I: from.I, S: from.S, T: from.T, G: from.G,
					Floats: from.Floats, Ints: from.Ints, Strings: from.Strings}
			} else if a.G != nil {
				a = &onnx.AttributeProto{Name: a.Name, Type: a.Type, G: instantiateGraph(a.G, prefix, rename, given)}
			}
			made.Attribute = append(made.Attribute, a)
		}
		copies = append(copies, made)
	}
	return copies
}

// instantiateGraph copies a subgraph, whose own values are renamed like all others.
func instantiateGraph(g *onnx.GraphProto, prefix string, rename func(string) string, given map[string]onnx.Attr) *onnx.GraphProto {
	made := &onnx.GraphProto{Name: g.Name, Node: instantiate(g.Node, prefix, rename, given)}
	for _, t := range g.Initializer {
		copied := onnx.NewTensor(rename(t.Name), t.Type(), nil, t.Dims...)
		copied.RawData, _ = t.Raw() // checked when it is used
		made.Initializer = append(made.Initializer, copied)
	}
	for _, v := range g.Input {
		made.Input = append(made.Input, &onnx.ValueInfoProto{Name: rename(v.Name), Type: v.Type})
	}
	for _, v := range g.Output {
		made.Output = append(made.Output, &onnx.ValueInfoProto{Name: rename(v.Name), Type: v.Type})
	}
	return made
}
