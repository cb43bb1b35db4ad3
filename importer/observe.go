package importer

import (
	"fmt"
	"slices"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/onnx"
)

// Run evaluates a graph on each of several sets of inputs, by name.
type Run func(m *onnx.ModelProto, inputs ...map[string]*onnx.TensorProto) ([]map[string]*onnx.TensorProto, error)

// dependent returns which values depend on what is in the image. Its shape alone does
// not count.
func (g *graph) dependent() map[string]bool {
	on := map[string]bool{}
	for _, v := range g.inputs {
		on[v.Name] = true
	}
	for _, n := range g.nodes {
		if n.OpType == "Shape" || n.OpType == "Size" {
			continue
		}
		if slices.ContainsFunc(slices.Concat(n.Input, captured(n)), func(in string) bool { return on[in] }) {
			for _, out := range n.Output {
				if out != "" {
					on[out] = true
				}
			}
		}
	}
	return on
}

// computes reports whether any of a node's outputs is among some values.
func computes(n *onnx.NodeProto, values map[string]bool) bool {
	return slices.ContainsFunc(n.Output, func(out string) bool { return values[out] })
}

// observe runs the graph once. From then on what does not depend on the image is
// constant, shape arithmetic above all, and the shapes of all other values are known.
func (g *graph) observe(run Run, in feed) error {
	g.findWeights()
	g.findLineage()
	dependent := g.dependent()
	for _, v := range g.outputs {
		if !dependent[v.Name] {
			return ascood.Errorf(ascood.Invalid, "the output %q does not depend on the image", v.Name)
		}
	}
	var nodes []*onnx.NodeProto
	var constant []string
	for _, n := range g.nodes {
		if !computes(n, dependent) {
			continue
		}
		nodes = append(nodes, n)
		for _, name := range slices.Concat(n.Input, captured(n)) {
			if name != "" && !dependent[name] && g.consts[name] == nil {
				constant = append(constant, name)
			}
		}
	}
	values, err := g.evaluate(run, in, constant)
	if err != nil {
		return err
	}
	for name, t := range values {
		g.consts[name] = t
	}
	g.nodes = nodes
	g.tie()
	g.prune()
	return nil
}

// evaluate returns the content of values.
func (g *graph) evaluate(run Run, in feed, values []string) (map[string]*onnx.TensorProto, error) {
	slices.Sort(values)
	values = slices.Compact(values)
	if len(values) == 0 {
		return nil, nil
	}
	p := newProbe(g)
	flat, shape := map[string]string{}, map[string]string{}
	for _, v := range values {
		flat[v], shape[v] = p.flat(v), p.shape(v)
	}
	results, err := p.run(run, in)
	if err != nil {
		return nil, err
	}
	content := map[string]*onnx.TensorProto{}
	for _, v := range values {
		dims, err := results[0][shape[v]].Ints()
		if err != nil {
			return nil, err
		}
		t := results[0][flat[v]]
		content[v] = onnx.NewTensor(v, t.Type(), t.RawData, dims...)
	}
	return content, nil
}

// feed are the inputs of a run, by name.
type feed = map[string]*onnx.TensorProto

// probe is a graph with further outputs, which tell of values inside it. What is
// asked of a value always has one dimension: runtimes in Go return no scalars.
type probe struct {
	*graph
	minusOne string
	wanted   []*onnx.ValueInfoProto
}

func newProbe(g *graph) *probe {
	copied := *g
	copied.nodes = slices.Clone(g.nodes)
	copied.consts = map[string]*onnx.TensorProto{}
	for name, t := range g.consts {
		copied.consts[name] = t
	}
	p := &probe{graph: &copied, minusOne: g.fresh("flat")}
	p.consts[p.minusOne] = onnx.NewInts(p.minusOne, []int64{-1}, 1)
	return p
}

// shape asks for the shape of a value.
func (p *probe) shape(value string) string {
	return p.ask("Shape", onnx.TensorProto_INT64, value)
}

// flat asks for the elements of a value.
func (p *probe) flat(value string) string {
	return p.ask("Reshape", onnx.TensorProto_UNDEFINED, value, p.minusOne)
}

func (p *probe) ask(op string, t onnx.TensorProto_DataType, inputs ...string) string {
	name := p.fresh(fmt.Sprintf("%s.%s", inputs[0], op))
	p.nodes = append(p.nodes, &onnx.NodeProto{Name: name, OpType: op, Input: inputs, Output: []string{name}})
	wanted := onnx.Shapeless(name, t)
	if t == onnx.TensorProto_UNDEFINED {
		wanted.Type = nil // the runtime finds it out
	}
	p.wanted = append(p.wanted, wanted)
	return name
}

func (p *probe) run(run Run, in feed) ([]map[string]*onnx.TensorProto, error) {
	p.outputs = p.wanted
	p.prune()
	results, err := run(p.model(p.inputs, p.outputs), in)
	if err != nil {
		return nil, doesNotRun(in, err)
	}
	return results, nil
}

// doesNotRun is the error of a file's network that cannot be run on images.
func doesNotRun(in feed, err error) error {
	for _, images := range in {
		if n := len(images.Dims); n > 1 {
			return ascood.Errorf(ascood.Invalid, "the network does not run on an image of %dx%d pixels: %w", images.Dims[n-1], images.Dims[n-2], err)
		}
	}
	return ascood.Errorf(ascood.Invalid, "the network does not run: %w", err)
}

func ints(v []int64) []int {
	out := make([]int, len(v))
	for i, n := range v {
		out[i] = int(n)
	}
	return out
}
