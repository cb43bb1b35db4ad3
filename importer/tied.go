package importer

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/onnx"
)

// lineage is how a constant comes of one of the file's weights, of which nothing but the
// shape and the order of elements is another.
type lineage struct {
	weight string
	turns  string // the permutations of axes, in their order
	part   bool   // it is a part of the weight
}

// findLineage follows the file's weights through what the file computes of them before
// it comes to the image. By an Identity exporters name weights that are equal, which vectors
// and uniform ones may be by chance, such as fresh normalisations: these are of their own.
func (g *graph) findLineage() {
	g.lineage = map[string]lineage{}
	for name, ok := range g.weights {
		if ok && g.consts[name] != nil {
			g.lineage[name] = lineage{weight: name}
		}
	}
	for _, n := range g.nodes {
		of, ok := g.lineage[n.Operand(0)]
		if !ok {
			continue
		}
		switch n.OpType {
		case "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Cast", "CastLike":
		case "Identity":
			if t := g.consts[of.weight]; len(t.Dims) < 2 || uniformTensor(t) {
				continue
			}
		case "Transpose":
			of.turns += fmt.Sprint(n.IntsAttr("perm"))
		case "Slice", "Split", "Gather":
			of.part = true
		default:
			continue
		}
		for _, out := range n.Output {
			g.lineage[out] = of
		}
	}
}

// tie has nodes that take the same made of one weight take one constant: a layer that is
// used twice may come with a Transpose for each use.
func (g *graph) tie() {
	one := map[string]string{}
	seen := map[lineage][]string{}
	for _, name := range sortedKeys(g.consts) {
		of, ok := g.lineage[name]
		if !ok || of.part || of.weight == name {
			continue
		}
		if equal(g.consts[of.weight], g.consts[name]) && of.turns == "" {
			one[name] = of.weight
			continue
		}
		if at := slices.IndexFunc(seen[of], func(other string) bool { return equal(g.consts[other], g.consts[name]) }); at >= 0 {
			one[name] = seen[of][at]
			continue
		}
		seen[of] = append(seen[of], name)
	}
	for i, n := range g.nodes {
		if !slices.ContainsFunc(n.Input, func(in string) bool { return one[in] != "" }) {
			continue
		}
		in := slices.Clone(n.Input)
		for k, name := range in {
			if one[name] != "" {
				in[k] = one[name]
			}
		}
		g.nodes[i] = &onnx.NodeProto{Name: n.Name, Domain: n.Domain, OpType: n.OpType, Input: in, Output: n.Output, Attribute: n.Attribute}
	}
}

// uniformTensor reports whether all elements are one number.
func uniformTensor(t *onnx.TensorProto) bool {
	values, err := t.Floats()
	return err != nil || len(values) == 0 || slices.Min(values) == slices.Max(values)
}

// equal reports whether tensors hold the same.
func equal(a, b *onnx.TensorProto) bool {
	one, errA := a.Raw()
	other, errB := b.Raw()
	return errA == nil && errB == nil && a.Type() == b.Type() && slices.Equal(a.Dims, b.Dims) && bytes.Equal(one, other)
}

// derived adds a constant that is made of another, once for all that make the same of it.
func (c *canonical) derived(t *onnx.TensorProto, from string) string {
	if had := c.Constant(t.Name); had != nil && c.origin[t.Name] == from && equal(had, t) {
		return t.Name
	}
	name := c.Tensor(t)
	c.origin[name] = from
	return name
}

// tied reports weights of the file that a graph has in several forms, which training
// would change apart. Parts of a weight are none.
func (c *canonical) tied(g *onnx.GraphProto) error {
	constants := onnx.Constants(g)
	forms, takers, whole := map[string][]string{}, map[string][]string{}, map[string]bool{}
	for _, n := range g.Node {
		for _, in := range n.Input {
			t := constants[in]
			if t == nil || !t.IsFloat() || len(t.Dims) == 0 || onnx.IsFixed(in) {
				continue
			}
			of, ok := c.lineageOf(in)
			if !ok || slices.Contains(forms[of.weight], in) {
				continue
			}
			whole[of.weight] = whole[of.weight] || !of.part
			forms[of.weight] = append(forms[of.weight], in)
			takers[of.weight] = append(takers[of.weight], fmt.Sprintf("%s %q", n.OpType, strings.TrimPrefix(n.Name, onnx.Prefix)))
		}
	}
	var faults []string
	for _, weight := range sortedKeys(forms) {
		if len(forms[weight]) > 1 && whole[weight] {
			faults = append(faults, fmt.Sprintf("%q, of %s", weight, strings.Join(takers[weight], " and ")))
		}
	}
	if len(faults) == 0 {
		return nil
	}
	return ascood.Errorf(ascood.Unsupported, "weights that several layers share in different forms, such as one transposed, would be trained apart: %s. "+
		"If they may be, export the network with a copy for each (weight.detach().clone()); otherwise train it where it was made", strings.Join(faults, "; "))
}

// lineageOf is the lineage of a constant of the canonical graph.
func (c *canonical) lineageOf(constant string) (lineage, bool) {
	for c.origin[constant] != "" && c.origin[constant] != constant {
		constant = c.origin[constant]
	}
	of, ok := c.from.lineage[constant]
	return of, ok
}

// copies tells of matrices that are alike, or one the other's transpose, though the file
// has both: what exporters make of a weight that layers share when they compute constants.
func copies(g *onnx.GraphProto) string {
	var matrices []*onnx.TensorProto
	for _, t := range g.Initializer {
		if t.Type() == onnx.TensorProto_FLOAT && len(t.Dims) == 2 && min(t.Dims[0], t.Dims[1]) > 1 && !onnx.IsFixed(t.Name) {
			matrices = append(matrices, t)
		}
	}
	var pairs []string
	for i, a := range matrices {
		for _, b := range matrices[:i] {
			if (equal(a, b) || transposes(a, b)) && !uniformTensor(a) {
				pairs = append(pairs, fmt.Sprintf("%q and %q", strings.TrimPrefix(b.Name, onnx.Prefix), strings.TrimPrefix(a.Name, onnx.Prefix)))
			}
		}
	}
	if len(pairs) == 0 {
		return ""
	}
	return fmt.Sprintf("the same numbers are in %s: if that is one weight of the network, training makes two of it; an export with do_constant_folding=False shows what is shared", strings.Join(pairs, "; "))
}

// transposes reports whether one matrix is the other's transpose.
func transposes(a, b *onnx.TensorProto) bool {
	rows, columns := int(a.Dims[0]), int(a.Dims[1])
	one, errA := a.Raw()
	other, errB := b.Raw()
	if errA != nil || errB != nil || int(b.Dims[0]) != columns || int(b.Dims[1]) != rows {
		return false
	}
	for r := range rows {
		for c := range columns {
			from, to := 4*(r*columns+c), 4*(c*rows+r)
			if !bytes.Equal(one[from:from+4], other[to:to+4]) {
				return false
			}
		}
	}
	return true
}
