package importer

import (
	"fmt"

	"github.com/ascood/ascood/onnx"
)

// maxBranches is how many branches may be chosen, nested ones included.
const maxBranches = 1000

// chooseBranches replaces each If whose condition does not depend on the image by the
// branch that it takes, which one run tells. Others stay.
func (g *graph) chooseBranches(run Run, in feed) error {
	for chosen := 0; chosen < maxBranches; {
		dependent := g.dependent()
		var conditions []string
		for _, n := range g.nodes {
			if n.OpType == "If" && computes(n, dependent) && !dependent[n.Operand(0)] {
				conditions = append(conditions, n.Operand(0))
			}
		}
		if len(conditions) == 0 {
			return nil
		}
		values, err := g.evaluate(run, in, conditions)
		if err != nil {
			return err
		}
		var nodes []*onnx.NodeProto
		for _, n := range g.nodes {
			condition := values[n.Operand(0)]
			if n.OpType != "If" || condition == nil || !computes(n, dependent) {
				nodes = append(nodes, n)
				continue
			}
			chosen++
			taken := "else_branch"
			if yes, err := condition.Ints(); err == nil && len(yes) > 0 && yes[0] != 0 {
				taken = "then_branch"
			}
			nodes = append(nodes, g.branch(n, taken, fmt.Sprintf("branch.%d/", chosen))...)
		}
		g.nodes = nodes
		if err := g.settle(); err != nil {
			return err
		}
	}
	return nil
}

// branch returns what a branch of an If computes, under names of its own.
func (g *graph) branch(n *onnx.NodeProto, taken, prefix string) []*onnx.NodeProto {
	for g.names[prefix] {
		prefix = "_" + prefix
	}
	g.names[prefix] = true
	for _, a := range n.Attribute {
		if a.Name != taken || a.G == nil {
			continue
		}
		own := map[string]bool{}
		for _, t := range a.G.Initializer {
			own[t.Name] = true
		}
		for _, inner := range a.G.Node {
			for _, out := range inner.Output {
				own[out] = true
			}
		}
		rename := func(name string) string {
			if own[name] && name != "" {
				return prefix + name
			}
			return name
		}
		copied := instantiateGraph(a.G, prefix, rename, nil)
		for _, t := range copied.Initializer {
			g.consts[t.Name] = t
		}
		var values []string
		for _, v := range a.G.Output {
			values = append(values, v.Name)
		}
		return append(copied.Node, hand(values, n.Output, rename)...)
	}
	return nil
}

// first is the first of some, the zero value if there are none.
func first[T any](some []T) (one T) {
	if len(some) > 0 {
		one = some[0]
	}
	return one
}
