package importer

import (
	"fmt"
	"slices"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/onnx"
)

// Versions of the format and of its operators that are read.
const (
	minIR, maxIR       = 3, 13
	minOpset, maxOpset = 8, 24
)

// maxNodes is the most nodes that a network may have: ten times what the largest
// published ones are exported with.
const maxNodes = 100_000

// graph is a network on its way to the canonical form. Nodes are in an order in which
// they can run; constants are by name. Nodes and tensors may be those of the file and
// must not be changed.
type graph struct {
	opset   int
	nodes   []*onnx.NodeProto
	consts  map[string]*onnx.TensorProto
	inputs  []*onnx.ValueInfoProto // without those that are constants
	outputs []*onnx.ValueInfoProto
	names   map[string]bool    // all names of values that are taken
	weights map[string]bool    // constants that training may change, and what is computed of them
	lineage map[string]lineage // of constants that are a weight in another form

	file *onnx.ModelProto // whose functions and further operators the nodes call; nil if they call none
}

// newGraph reads what a file holds: functions are put in place of their calls, nodes
// that are constants become some, and the rest is put in order.
func newGraph(m *onnx.ModelProto) (*graph, error) {
	if m.IrVersion < minIR || m.IrVersion > maxIR {
		return nil, ascood.Errorf(ascood.Unsupported, "the file is of ONNX format version %d; supported are %d to %d", m.IrVersion, minIR, maxIR)
	}
	opset, err := opsetOf(m.OpsetImport)
	if err != nil {
		return nil, err
	}
	g := &graph{opset: opset, consts: onnx.Constants(m.Graph), outputs: m.Graph.Output, names: map[string]bool{}, weights: map[string]bool{}}
	for _, v := range m.Graph.Input {
		if g.consts[v.Name] == nil {
			g.inputs = append(g.inputs, v)
		}
		g.names[v.Name] = true
	}
	for name, t := range g.consts {
		if _, err := t.Raw(); err != nil {
			return nil, ascood.Errorf(ascood.Invalid, "the constant %w", err)
		}
		g.weights[name] = t.IsFloat() && len(t.Dims) > 0
		g.names[name] = true
	}
	if g.nodes, err = inlineFunctions(m); err != nil {
		return nil, err
	}
	for _, n := range g.nodes {
		for _, out := range n.Output {
			g.names[out] = true
		}
	}
	if err := g.settle(); err != nil {
		return nil, err
	}
	return g, g.unpackSequences()
}

// opsetOf returns the version of ai.onnx's operators.
func opsetOf(imports []*onnx.OperatorSetIdProto) (int, error) {
	for _, o := range imports {
		if standard(o.Domain) {
			if o.Version < minOpset || o.Version > maxOpset {
				return 0, ascood.Errorf(ascood.Unsupported, "the file is of opset %d; supported are opset %d to %d of ai.onnx: export it again with one of these, or convert it by onnx.version_converter", o.Version, minOpset, maxOpset)
			}
			return int(o.Version), nil
		}
	}
	return 0, ascood.Errorf(ascood.Invalid, "the file does not say which opset of ai.onnx it is of")
}

// standard reports whether a domain is that of ONNX's own operators.
func standard(domain string) bool { return domain == "" || domain == "ai.onnx" }

// settle turns Constant nodes into constants, and puts the others in order. Two makers
// of a value, values without any, and circles are errors that name them.
func (g *graph) settle() error {
	made := map[string]bool{"": true}
	for _, v := range g.inputs {
		made[v.Name] = true
	}
	for name := range g.consts {
		made[name] = true
	}
	var nodes []*onnx.NodeProto
	twice := map[string]bool{}
	for _, n := range g.nodes {
		for _, out := range n.Output {
			if out != "" && (made[out] || twice[out]) {
				return ascood.Errorf(ascood.Invalid, "%s computes %q, which something else gives already", describe(n), out)
			}
			twice[out] = true
		}
		if n.OpType != "Constant" || !standard(n.Domain) {
			nodes = append(nodes, n)
			continue
		}
		t, err := constantOf(n)
		if err != nil {
			return err
		}
		g.consts[t.Name], made[t.Name] = t, true
	}
	ordered, err := inOrder(nodes, made)
	g.nodes = ordered
	return err
}

// inOrder sorts nodes so that each comes after those it takes values of; values
// that are made already are given.
func inOrder(nodes []*onnx.NodeProto, made map[string]bool) ([]*onnx.NodeProto, error) {
	makers := map[string]*onnx.NodeProto{}
	for _, n := range nodes {
		for _, out := range n.Output {
			makers[out] = n
		}
	}
	waits, users := map[*onnx.NodeProto]int{}, map[*onnx.NodeProto][]*onnx.NodeProto{}
	for _, n := range nodes {
		for _, in := range slices.Concat(n.Input, captured(n)) {
			if made[in] {
				continue
			}
			maker := makers[in]
			if maker == nil {
				return nil, ascood.Errorf(ascood.Invalid, "%s takes %q, which nothing gives", describe(n), in)
			}
			waits[n]++
			users[maker] = append(users[maker], n)
		}
	}
	var ordered []*onnx.NodeProto
	for _, n := range nodes {
		if waits[n] == 0 {
			ordered = append(ordered, n)
		}
	}
	for i := 0; i < len(ordered); i++ {
		for _, user := range users[ordered[i]] {
			if waits[user]--; waits[user] == 0 {
				ordered = append(ordered, user)
			}
		}
	}
	if len(ordered) < len(nodes) {
		for _, n := range nodes {
			if waits[n] > 0 {
				return nil, ascood.Errorf(ascood.Invalid, "%s takes a value that is computed from its own: the graph goes in circles", describe(n))
			}
		}
	}
	return ordered, nil
}

// constantOf returns the tensor of a Constant node.
func constantOf(n *onnx.NodeProto) (*onnx.TensorProto, error) {
	if len(n.Output) != 1 || len(n.Attribute) != 1 {
		return nil, ascood.Errorf(ascood.Invalid, "%s has %d outputs and %d attributes; want one of each", describe(n), len(n.Output), len(n.Attribute))
	}
	name, a := n.Output[0], n.Attribute[0]
	switch a.Name {
	case "value":
		if a.T == nil {
			return nil, ascood.Errorf(ascood.Invalid, "%s has no value", describe(n))
		}
		t := &onnx.TensorProto{
			Name: name, Dims: a.T.Dims, DataType: a.T.DataType, RawData: a.T.RawData, FloatData: a.T.FloatData,
			Int32Data: a.T.Int32Data, Int64Data: a.T.Int64Data, DoubleData: a.T.DoubleData, Uint64Data: a.T.Uint64Data,
			ExternalData: a.T.ExternalData, DataLocation: a.T.DataLocation,
		}
		if _, err := t.Raw(); err != nil {
			return nil, ascood.Errorf(ascood.Invalid, "the constant %w", err)
		}
		return t, nil
	case "value_float":
		return onnx.NewFloats(name, []float32{a.F}), nil
	case "value_floats":
		return onnx.NewFloats(name, a.Floats, int64(len(a.Floats))), nil
	case "value_int":
		return onnx.NewInts(name, []int64{a.I}), nil
	case "value_ints":
		return onnx.NewInts(name, a.Ints, int64(len(a.Ints))), nil
	}
	return nil, ascood.Errorf(ascood.Unsupported, "%s has a %s; supported are tensors and numbers", describe(n), a.Name)
}

// captured returns the values that a node's subgraphs take from the graph around
// them.
func captured(n *onnx.NodeProto) []string {
	var names []string
	for _, a := range n.Attribute {
		if a.G == nil {
			continue
		}
		own := map[string]bool{"": true}
		for _, v := range a.G.Input {
			own[v.Name] = true
		}
		for _, t := range a.G.Initializer {
			own[t.Name] = true
		}
		for _, inner := range a.G.Node {
			for _, in := range slices.Concat(inner.Input, captured(inner)) {
				if !own[in] {
					names = append(names, in)
				}
			}
			for _, out := range inner.Output {
				own[out] = true
			}
		}
		for _, v := range a.G.Output {
			if !own[v.Name] {
				names = append(names, v.Name)
			}
		}
	}
	return names
}

// fresh returns a name that no value has: name itself, or numbered.
func (g *graph) fresh(name string) string {
	unique := name
	for i := 2; g.names[unique]; i++ {
		unique = fmt.Sprintf("%s_%d", name, i)
	}
	g.names[unique] = true
	return unique
}

// model returns the graph as a file with other inputs or outputs.
func (g *graph) model(inputs, outputs []*onnx.ValueInfoProto) *onnx.ModelProto {
	made := &onnx.GraphProto{Name: "network", Node: g.nodes, Input: inputs, Output: outputs}
	for _, name := range sortedKeys(g.consts) {
		made.Initializer = append(made.Initializer, g.consts[name])
	}
	if g.file != nil {
		return &onnx.ModelProto{IrVersion: max(irVersion, g.file.IrVersion), OpsetImport: g.file.OpsetImport, Functions: g.file.Functions, Graph: made}
	}
	return &onnx.ModelProto{IrVersion: irVersion, OpsetImport: []*onnx.OperatorSetIdProto{{Version: int64(g.opset)}}, Graph: made}
}

// irVersion is that of the files that are made here: the one that goes with opset 17,
// and that runtimes take with each of the others.
const irVersion = 8

// prune drops nodes and constants that none of the outputs needs.
func (g *graph) prune() {
	needed := map[string]bool{}
	for _, v := range g.outputs {
		needed[v.Name] = true
	}
	var kept []*onnx.NodeProto
	for _, n := range slices.Backward(g.nodes) {
		if slices.ContainsFunc(n.Output, func(out string) bool { return out != "" && needed[out] }) {
			kept = append(kept, n)
			for _, in := range slices.Concat(n.Input, captured(n)) {
				needed[in] = true
			}
		}
	}
	slices.Reverse(kept)
	g.nodes = kept
	for name := range g.consts {
		if !needed[name] {
			delete(g.consts, name)
		}
	}
}

// describe names a node for people, as in `Conv "/layer1/conv1"`.
func describe(n *onnx.NodeProto) string { return fmt.Sprintf("%s %q", n.OpType, nameOf(n)) }

// nameOf is a node's name, or that of what it computes if it has none.
func nameOf(n *onnx.NodeProto) string {
	if n.Name == "" {
		return first(n.Output)
	}
	return n.Name
}
