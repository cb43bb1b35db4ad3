package models

import (
	"slices"
	"strings"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/onnx"
)

// ArchONNX is the architecture of networks that came as graphs.
const ArchONNX = "onnx"

// Adopted is a network that came as a graph, made ready to be trained.
type Adopted struct {
	*Network
	Weights map[string]*onnx.TensorProto // what the file has of the parameters
	NewLast bool                         // the last layer is a new one, for another number of classes
}

// Values names what is known of the values in a graph.
type Values struct {
	Feature string      // [N,D]; "" if there is none
	Linear  bool        // the last layer is a linear one, which takes the feature
	Taps    [][2]string // maps, each with the name by which others know it, as layer4
}

// Adopts reports whether a network that came as a graph can have the head.
func (h Head) Adopts() bool { return h == HeadLinear || h == HeadASCOOD }

// Adopt makes a network of a graph in the canonical form (onnx.Check) ready to be trained
// for a number of classes. If its last layer is not a linear one, neither the number of
// classes nor the head can be another. The ASCOOD head comes before the last layer. What
// cannot be is ascood.Unsupported.
func Adopt(g *onnx.GraphProto, known Values, classes int, head Head) (*Adopted, error) {
	image, err := g.Input[0].Shape()
	if err != nil {
		return nil, err
	}
	logits, err := g.Output[0].Shape()
	if err != nil {
		return nil, err
	}
	switch own := logits[1].Size; {
	case !image[0].Batch:
		return nil, ascood.Errorf(ascood.Unsupported, "the network takes images one by one, and is trained on several at a time; export it for any number of them (dynamic_axes)")
	case !head.Adopts():
		return nil, ascood.Errorf(ascood.Unsupported, "the %s head is for networks of an architecture; one that came as a graph has the %s or the %s head", head, HeadLinear, HeadASCOOD)
	case !known.Linear && head == HeadASCOOD:
		return nil, ascood.Errorf(ascood.Unsupported, "the network has no last linear layer, before which the %s head is; train it by plain cross-entropy, the method ce", head)
	case !known.Linear && classes != own:
		return nil, ascood.Errorf(ascood.Unsupported, "the network has no last linear layer that could be replaced: it has %d classes, and the images %d", own, classes)
	}
	a := &Adopted{Weights: map[string]*onnx.TensorProto{}, NewLast: classes != logits[1].Size}
	if g, err = a.named(g, known, classes, head); err != nil {
		return nil, err
	}
	a.Network, err = FromGraph(onnx.WithConstants(g, a.takeWeights(g)))
	return a, err
}

// named is the graph with its values named as others look for them (onnx.Tap), and with
// the last layer and the head that it is to have.
func (a *Adopted) named(g *onnx.GraphProto, known Values, classes int, head Head) (*onnx.GraphProto, error) {
	out := g.Output[0].Name
	last := onnx.Makers(g)[out]
	rest := onnx.WithOutputs(g, nil)
	if known.Linear {
		rest = without(rest, last)
	}
	b := onnx.Extend(rest)
	b.Scope(onnx.Prefix + "head/")
	for _, tap := range known.Taps {
		b.Rename(tap[0], onnx.Tap(tap[1]))
	}
	if known.Feature != "" {
		b.Rename(known.Feature, onnx.Tap("feature"))
	}
	if known.Linear {
		var err error
		if out, err = a.last(b, last, onnx.Constants(g), classes, head); err != nil {
			return nil, err
		}
	}
	b.Output(b.Rename(out, onnx.Tap("logits")), "class scores", onnx.TensorProto_FLOAT, onnx.Batch, classes)
	return b.Graph()
}

// last writes head and last layer, given the one that the graph had.
func (a *Adopted) last(b *onnx.Builder, old *onnx.NodeProto, constants map[string]*onnx.TensorProto, classes int, head Head) (string, error) {
	x := onnx.Tap("feature")
	if head == HeadASCOOD {
		if b.Constant(Sigma) != nil {
			return "", ascood.Errorf(ascood.Unsupported, "the network has a weight of the name %s, which the %s head's scale has; rename it", Sigma, head)
		}
		var err error
		if x, err = ZScore(b, x, b.Tensor(onnx.NewTensor(Sigma, onnx.TensorProto_FLOAT, nil))); err != nil {
			return "", err
		}
		b.Scope(onnx.Prefix + "head/")
	}
	weight, bias := constants[old.Operand(1)], constants[old.Operand(2)]
	if a.NewLast {
		name := strings.TrimSuffix(weight.Name, ".weight") + ".bias"
		if bias != nil {
			name = bias.Name
		}
		weight = onnx.NewTensor(weight.Name, onnx.TensorProto_FLOAT, nil, int64(classes), weight.Dims[1])
		bias = onnx.NewTensor(name, onnx.TensorProto_FLOAT, nil, int64(classes))
	}
	add := func(t *onnx.TensorProto) string {
		if !a.NewLast && b.Constant(t.Name) != nil {
			return t.Name // which another layer takes, too
		}
		return b.Tensor(t)
	}
	in := []string{x, add(weight)}
	if bias != nil {
		in = append(in, add(bias))
	}
	return b.Op("Gemm", in, onnx.Int("transB", 1)), nil
}

// without leaves a node out of a graph, with the constants that nothing else takes.
func without(g *onnx.GraphProto, gone *onnx.NodeProto) *onnx.GraphProto {
	rest := onnx.WithOutputs(g, g.Output)
	taken := map[string]bool{}
	rest.Node = nil
	for _, n := range g.Node {
		if n == gone {
			continue
		}
		rest.Node = append(rest.Node, n)
		for _, in := range n.Input {
			taken[in] = true
		}
	}
	rest.Initializer = slices.DeleteFunc(slices.Clone(g.Initializer), func(t *onnx.TensorProto) bool { return !taken[t.Name] })
	rest.ValueInfo = slices.DeleteFunc(slices.Clone(g.ValueInfo), func(v *onnx.ValueInfoProto) bool { return slices.Contains(gone.Output, v.Name) })
	return rest
}

// takeWeights returns the parameters of a graph without their values, which it keeps.
func (a *Adopted) takeWeights(g *onnx.GraphProto) map[string]*onnx.TensorProto {
	bare := map[string]*onnx.TensorProto{}
	positions := weightsOf(g)
	for _, t := range g.Initializer {
		if positions[t.Name] == none {
			continue
		}
		if len(t.RawData) > 0 {
			a.Weights[t.Name] = t
		}
		bare[t.Name] = onnx.NewTensor(t.Name, onnx.TensorProto_FLOAT, nil, t.Dims...)
	}
	return bare
}

// Parse reads the network that a checkpoint keeps: an ONNX file of FromGraph's graph. What
// is none is ascood.Invalid.
func Parse(file []byte) (*Network, error) {
	m, err := onnx.Parse(file)
	if err != nil {
		return nil, ascood.Errorf(ascood.Invalid, "the checkpoint's network is %w", err)
	}
	if len(m.Graph.Input) != 1 || len(m.Graph.Output) != 1 {
		return nil, ascood.Errorf(ascood.Invalid, "the checkpoint's network has %d inputs and %d outputs, want one of each", len(m.Graph.Input), len(m.Graph.Output))
	}
	return FromGraph(m.Graph)
}

// FromGraph is the network of a graph whose parameters are the initializers without
// values, as Adopt makes one and checkpoints keep it. A graph in which anything else is
// missing is ascood.Invalid.
func FromGraph(g *onnx.GraphProto) (*Network, error) {
	logits, err := g.Output[0].Shape()
	if err != nil {
		return nil, err
	}
	if len(logits) != 2 {
		return nil, ascood.Errorf(ascood.Invalid, "the output %q is %v, want logits, [N,C]", g.Output[0].Name, logits)
	}
	n := &Network{Spec: Spec{Arch: ArchONNX, Classes: logits[1].Size, Head: HeadLinear}, Graph: g}
	positions := weightsOf(g)
	last := onnx.Makers(g)[g.Output[0].Name]
	if last == nil {
		return nil, ascood.Errorf(ascood.Invalid, "nothing computes the output %q", g.Output[0].Name)
	}
	fanIn := 1 // of the last layer
	if weight := onnx.Constants(g)[last.Operand(1)]; len(weight.GetDims()) == 2 {
		fanIn = max(int(weight.Dims[1]), 1)
	}
	for _, t := range g.Initializer {
		elements, err := t.Elements()
		if err != nil {
			return nil, ascood.Errorf(ascood.Invalid, "%w", err)
		}
		if len(t.RawData) > 0 || elements == 0 {
			continue
		}
		at := positions[t.Name]
		p := Param{Name: t.Name, Shape: t.Shape().At(1), Trainable: at == weight}
		switch {
		case at == none && t.Name != Sigma:
			return nil, ascood.Errorf(ascood.Invalid, "the graph's constant %q has no values", t.Name)
		case t.Name == Sigma && len(p.Shape) == 0:
			n.Spec.Head = HeadASCOOD
		case last.OpType == "Gemm" && slices.Contains(last.Input, t.Name):
			p.Last = true
			p.Init = byFanIn(fanIn, 0)
		}
		n.Params = append(n.Params, p)
	}
	return n, nil
}

// position is what a constant is, by the operand that it is of nodes.
type position int

const (
	none      position = iota // no parameter
	weight                    // trained
	statistic                 // of batch normalisation
)

// weightsAt are the operands of operators that are trained if they are constants, or
// computed of constants: all where the list is empty. Of operators that are not here no
// operand is.
var weightsAt = map[string][]int{
	"Conv": {1, 2}, "ConvTranspose": {1, 2}, "Gemm": {1, 2}, "BatchNormalization": {1, 2}, "LayerNormalization": {1, 2}, "PRelu": {1},
	"Add": {}, "Mul": {}, "MatMul": {}, "Einsum": {}, "Concat": {},
	"Reshape": {0}, "Flatten": {0}, "Squeeze": {0}, "Unsqueeze": {0}, "Transpose": {0}, "Slice": {0}, "Gather": {0}, "Expand": {0}, "Tile": {0}, "Pad": {0}, "Identity": {0},
}

// weightsOf tells which initializers are parameters: by the operands that they are of
// nodes on the image's way, and of what these are computed of. Single numbers, and
// constants that are marked (onnx.Fixed), are none.
func weightsOf(g *onnx.GraphProto) map[string]position {
	makers, constants := onnx.Makers(g), onnx.Constants(g)
	depends := map[string]bool{g.Input[0].Name: true}
	found, seen := map[string]position{}, map[string]bool{}
	var mark func(value string, at position)
	mark = func(value string, at position) {
		if t := constants[value]; t != nil {
			if t.IsFloat() && len(t.Dims) > 0 && !onnx.IsFixed(value) && found[value] != weight {
				found[value] = at
			}
			return
		}
		if n := makers[value]; n != nil && !depends[value] && !seen[value] {
			seen[value] = true
			for _, in := range operandsOf(n) {
				mark(in, at)
			}
		}
	}
	for _, n := range g.Node {
		if !slices.ContainsFunc(n.Input, func(in string) bool { return depends[in] }) {
			continue
		}
		for _, out := range n.Output {
			depends[out] = true
		}
		for _, in := range operandsOf(n) {
			if !depends[in] {
				mark(in, weight)
			}
		}
		if n.OpType == "BatchNormalization" {
			mark(n.Operand(3), statistic)
			mark(n.Operand(4), statistic)
		}
	}
	return found
}

// operandsOf are a node's operands that may be weights.
func operandsOf(n *onnx.NodeProto) []string {
	at, ok := weightsAt[n.OpType]
	if ok && len(at) == 0 {
		return n.Input
	}
	var list []string
	for _, i := range at {
		list = append(list, n.Operand(i))
	}
	return list
}
