package export

import "github.com/ascood/ascood/onnx"

// passes emits a network once for each image that it is to see.
type passes struct {
	*onnx.Builder
	net    Network
	graph  *onnx.GraphProto // with its normalisations folded
	stages []stage          // nearby
}

// values are those of one pass.
type values struct {
	logits  string
	feature string            // "" if there is none
	inner   [][2]string       // further values, each with the name that it is to have
	of      map[string]string // all, by their names in the graph
}

// whole emits the network on an image.
func (p *passes) whole(scope, image string) values {
	p.Scope(scope + "/")
	of := p.Inline(p.graph, map[string]string{p.graph.Input[0].Name: image})
	v := values{logits: of[p.graph.Output[0].Name], feature: of[p.net.Feature], of: of}
	for _, inner := range p.net.Inner {
		v.inner = append(v.inner, [2]string{of[inner[0]], inner[1]})
	}
	return v
}

// rename gives a value of a pass another name, and returns that.
func (p *passes) rename(v values, name, public string) string {
	for inGraph, of := range v.of {
		if of == name {
			v.of[inGraph] = public
		}
	}
	return p.Rename(name, public)
}

// again emits the network on an image that differs from that of an earlier pass in one
// element, at row and column [N,2], and returns the logits. The stages take what that
// element does not reach from the earlier pass.
func (p *passes) again(scope string, earlier values, image, at string) string {
	if len(p.stages) == 0 {
		return p.whole(scope, image).logits
	}
	p.Scope(scope + "/")
	number, changed := p.number(at), p.grid(image)
	done, last := 0, ""
	for _, s := range p.stages {
		patch, window, within := p.blocks(s, number, at)
		part := p.Inline(p.part(s.nodes), map[string]string{s.from: p.maps(p.take(changed, patch))})
		changed = p.put(p.grid(earlier.of[s.to]), window, p.take(p.grid(part[s.to]), within))
		at, done, last = window.corner, done+len(s.nodes), s.to
	}
	rest := p.part(p.graph.Node[done:])
	rest.ValueInfo, rest.Output = p.graph.ValueInfo, p.graph.Output
	return p.Inline(rest, map[string]string{last: p.maps(changed)})[p.graph.Output[0].Name]
}

// part is some of the graph's nodes. The shapes of their values are not said.
func (p *passes) part(nodes []*onnx.NodeProto) *onnx.GraphProto {
	return &onnx.GraphProto{Node: nodes, Initializer: p.graph.Initializer}
}

// number counts images from 0, [N,1], given two integers of each.
func (p *passes) number(of string) string {
	first := p.Op("Gather", []string{of, p.Int64s(0)}, onnx.Int("axis", 1))
	one := p.op("Add", p.op("Mul", first, p.Int64s(0)), p.Int64s(1))
	return p.Op("CumSum", []string{one, p.Int64s(0)}, onnx.Int("exclusive", 1))
}

// blocks are where a stage's patch and window lie in its maps, and the window in what is
// computed of the patch, given the row and column of the first place that has changed [N,2].
func (p *passes) blocks(s stage, number, at string) (patch, window, within block) {
	h, w := s.along[0], s.along[1]
	pair := func(of func(e extent) int) string { return p.Int64s(of(h), of(w)) }
	stride, zero := pair(func(e extent) int { return e.Stride }), p.Int64s(0)

	// The first place that sees one that has changed is ⌈(at - After)/Stride⌉.
	first := p.op("Add", at, pair(func(e extent) int { return e.Stride - 1 - e.After }))
	first = p.op("Div", p.op("Max", first, zero), stride)
	first = p.op("Min", first, pair(func(e extent) int { return e.to - e.window }))
	window = block{number, first, [2]int{h.window, w.window}}

	start := p.op("Max", p.op("Sub", first, pair(func(e extent) int { return e.margin })), zero)
	start = p.op("Min", start, pair(func(e extent) int { return (e.from - e.patch) / e.Stride })) // in places of to
	patch = block{number, p.op("Mul", start, stride), [2]int{h.patch, w.patch}}
	within = block{number, p.op("Sub", first, start), window.size}
	return patch, window, within
}

// op emits an operator without attributes.
func (p *passes) op(op string, inputs ...string) string { return p.Op(op, inputs) }

// shape is that of a value; one that is not known is an error of the graph's.
func (p *passes) shape(value string) onnx.Shape {
	s, err := p.Shape(value)
	if err != nil {
		p.Fail(err)
		return onnx.Images(1, 1, 1)
	}
	return s
}
