package kernels

import (
	"maps"
	"slices"

	"github.com/ascood/ascood/onnx"
)

// draft is a graph that ONNX Runtime has yet to optimize. Operators take their places in it that would be hard to find
// afterwards, of what a gradient does by dozens of nodes; a pattern is a graph that the same code wrote. They work in
// the blocked layout, but ONNX Runtime knows nothing of them and has what they take and make outside it, until settle
// brings them together. So that their neighbours are in that layout, too, all of it goes through convolutions that
// bring it there.
type draft struct {
	*onnx.Builder
	*numbers
	users    map[string][]*onnx.NodeProto // of values that are computed alike
	replaced map[string]string            // values by what is to be taken in their place
	moved    map[string][]source          // where the channels of values come from
	lanes    int
	changed  bool
}

// Prepare puts operators into the graph of a file, for blocks of so many channels. It returns nil where there is no place
// for any.
func Prepare(m *onnx.ModelProto, lanes int) *onnx.ModelProto {
	b := onnx.Extend(m.Graph)
	d := &draft{b, numbered(b, m.Graph.Initializer), map[string][]*onnx.NodeProto{}, map[string]string{}, map[string][]source{}, lanes, false}
	nodes := b.Nodes()
	for _, n := range nodes {
		for _, in := range n.Input {
			d.users[d.number(in)] = append(d.users[d.number(in)], n)
		}
	}
	for _, n := range nodes {
		d.maxPool(n)
	}
	d.interleave(nodes)
	for _, n := range nodes {
		d.channels(n)
	}
	for _, n := range nodes {
		d.widen(n)
	}
	if len(d.replaced) == 0 && !d.changed {
		return nil
	}
	made, err := b.Model("", "")
	if err != nil {
		return nil
	}
	g := made.Graph
	for _, n := range g.Node {
		for i, in := range n.Input {
			if by := d.replaced[in]; by != "" {
				n.Input[i] = by
			}
		}
	}
	for _, out := range g.Output {
		d.rename(out.Name)
	}
	g.Node = inOrder(g)
	with := onnx.WithGraph(m, g)
	with.OpsetImport = withDomain(m.OpsetImport)
	return with
}

// rename gives what is to be taken in the place of an output its name.
func (d *draft) rename(out string) {
	by := d.replaced[out]
	if by == "" {
		return
	}
	replace := func(names []string, old, name string) {
		if i := slices.Index(names, old); i >= 0 {
			names[i] = name
		}
	}
	replace(d.Maker(out).Output, out, out+"/before")
	for _, n := range d.Nodes() {
		replace(n.Input, by, out)
		replace(n.Output, by, out)
	}
}

// withDomain adds the operators' to the domains that a file is of.
func withDomain(domains []*onnx.OperatorSetIdProto) []*onnx.OperatorSetIdProto {
	if slices.ContainsFunc(domains, func(d *onnx.OperatorSetIdProto) bool { return d.Domain == Domain }) {
		return domains
	}
	return append(slices.Clone(domains), &onnx.OperatorSetIdProto{Domain: Domain, Version: 1})
}

// inOrder are the nodes that a graph's outputs are computed from, each behind those that it takes values of.
func inOrder(g *onnx.GraphProto) []*onnx.NodeProto {
	var ordered []*onnx.NodeProto
	makers, seen := onnx.Makers(g), map[*onnx.NodeProto]bool{}
	var add func(value string)
	add = func(value string) {
		n := makers[value]
		if n == nil || seen[n] {
			return
		}
		seen[n] = true
		for _, in := range n.Input {
			add(in)
		}
		ordered = append(ordered, n)
	}
	for _, out := range g.Output {
		add(out.Name)
	}
	return ordered
}

// find returns where in the graph a pattern is: what values of the graph those of the pattern are, given those of some of
// its inputs. Others may be anything.
func (d *draft) find(pattern *onnx.Builder, given map[string]string) []map[string]string {
	made, err := pattern.Model("", "")
	if err != nil {
		return nil
	}
	at := maps.Clone(given)
	for _, t := range made.Graph.Initializer {
		if at[t.Name] = d.first[constantKey(t)]; at[t.Name] == "" {
			return nil
		}
	}
	found := []map[string]string{at}
	for _, n := range pattern.Nodes() {
		var more []map[string]string
		for _, at := range found {
			for _, at := range d.bind(n, at) {
				if value := d.first[nodeKey(n, 0, func(in string) string { return at[in] })]; value != "" {
					at[n.Output[0]] = value
					more = append(more, at)
				}
			}
		}
		found = more
	}
	return found
}

// bind returns what else must be said of where a pattern is so that all is known that a node of it takes.
func (d *draft) bind(n *onnx.NodeProto, at map[string]string) []map[string]string {
	free := slices.IndexFunc(n.Input, func(in string) bool { return at[in] == "" })
	if free < 0 {
		return []map[string]string{at}
	}
	var all []map[string]string
	known := at[n.Input[len(n.Input)-1-free]]
	for _, user := range d.users[known] {
		if user.OpType == n.OpType && len(user.Input) == len(n.Input) {
			bound := maps.Clone(at)
			bound[n.Input[free]] = d.number(user.Input[free])
			all = append(all, bound)
		}
	}
	return all
}

// blocks adds what brings maps into the blocked layout, or tells ONNX Runtime that they are there.
func (d *draft) blocks(maps string) string {
	s, err := d.Shape(maps)
	if err != nil {
		d.Fail(err)
		return maps
	}
	channels := s[1].Size
	ones := d.Const([]int{channels, 1, 1, 1}, slices.Repeat([]float32{1}, channels)...)
	return d.Op("Conv", []string{maps, ones}, onnx.Int("group", channels), onnx.Ints("kernel_shape", 1, 1))
}

// put puts an operator in the place of what makes some values of the same shapes, in the blocked layout.
func (d *draft) put(op string, inputs, outputs []string, attrs ...onnx.Attr) {
	var shapes []onnx.Shape
	for _, out := range outputs {
		s, err := d.Shape(out)
		if err != nil {
			d.Fail(err)
		}
		shapes = append(shapes, s)
	}
	made := d.add(op, inputs, len(inputs), shapes, len(outputs), attrs...)
	for i, out := range outputs {
		d.replaced[out] = d.blocks(made[i])
	}
}

// add adds an operator that takes so many maps in blocks, and other inputs, and makes maps of some shapes, so many of them
// in blocks.
func (d *draft) add(op string, inputs []string, maps int, shapes []onnx.Shape, blocks int, attrs ...onnx.Attr) []string {
	taken := slices.Clone(inputs)
	for i, in := range inputs[:maps] {
		if in != "" {
			taken[i] = d.blocks(in)
		}
	}
	made := d.Ops(op, len(shapes), taken, append(attrs, onnx.Int("lanes", d.lanes), onnx.Ints(outside, maps, blocks))...)
	d.Maker(made[0]).Domain = Domain
	for i, s := range shapes {
		d.Know(made[i], s)
		d.Say(made[i])
	}
	return made
}
