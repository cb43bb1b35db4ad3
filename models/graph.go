// Package models describes each network as data: a small graph of operations
// whose parameters carry the names of PyTorch's state dicts. The trainer
// interprets the graph with libtorch, the exporter lowers it to ONNX; neither
// knows any architecture by itself.
package models

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Value identifies a value of a graph: 0 is the normalised image [3,H,W] and
// i+1 the output of node i.
type Value int

// Image is the input of every graph.
const Image Value = 0

// Node applies an operation to values that precede it.
type Node struct {
	Name   string // the module's path in the state dict, "" at the root
	Op     Op
	Inputs []Value
}

// Param returns the state-dict name of the node's parameter name.
func (n Node) Param(name string) string {
	if n.Name == "" {
		return name
	}
	return n.Name + "." + name
}

// Head is what follows the backbone's feature.
type Head string

const (
	HeadLinear Head = "linear" // logits = fc(feature)
	HeadASCOOD Head = "ascood" // logits = fc(sigma·zscore(feature)); names of the backbone and fc begin with "backbone."
)

// Spec selects a network.
type Spec struct {
	Arch    string // one of Archs
	Width   int    // base width: channels of the first convolution
	Classes int
	Head    Head
}

// Graph is a network: nodes in an order in which each follows its inputs.
type Graph struct {
	Spec    Spec
	Nodes   []Node
	Feature Value // pooled backbone output [D], before any standardisation
	Logits  Value // [Classes]
}

// Params returns the parameters of all nodes under their state-dict names, in
// state-dict order.
func (g *Graph) Params() []Param {
	var all []Param
	for _, n := range g.Nodes {
		for _, p := range n.Op.Params() {
			p.Name = n.Param(p.Name)
			all = append(all, p)
		}
	}
	return all
}

// Shapes returns the shape of every value, without the batch dimension, for an
// image of the given height and width. The error names the first node that the
// image's size does not suit.
func (g *Graph) Shapes(height, width int) ([][]int, error) {
	shapes := [][]int{{3, height, width}}
	for _, n := range g.Nodes {
		var in [][]int
		for _, v := range n.Inputs {
			in = append(in, shapes[v])
		}
		out, err := n.Op.Shape(in...)
		if err != nil {
			return nil, fmt.Errorf("%s cannot take %dx%d images: at %q: %w", g.Spec.Arch, width, height, n.Name, err)
		}
		shapes = append(shapes, out)
	}
	return shapes, nil
}

// Check compares the shapes of a state dict with the graph's parameters. The
// error lists what is missing, unexpected or of another shape. Counters of
// seen batches may be missing.
func (g *Graph) Check(state map[string][]int) error {
	unexpected := maps.Clone(state)
	var faults []string
	for _, p := range g.Params() {
		have, ok := state[p.Name]
		delete(unexpected, p.Name)
		switch {
		case !ok && !p.Integer:
			faults = append(faults, fmt.Sprintf("missing %s %v", p.Name, p.Shape))
		case ok && !slices.Equal(have, p.Shape):
			faults = append(faults, fmt.Sprintf("%s is %v, want %v", p.Name, have, p.Shape))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(unexpected)) {
		faults = append(faults, fmt.Sprintf("unexpected %s %v", name, state[name]))
	}
	if len(faults) == 0 {
		return nil
	}
	const most = 8
	if len(faults) > most {
		faults = append(faults[:most], fmt.Sprintf("and %d more", len(faults)-most))
	}
	return fmt.Errorf("the weights are not those of %s (width %d, %d classes, %s head):\n  %s",
		g.Spec.Arch, g.Spec.Width, g.Spec.Classes, g.Spec.Head, strings.Join(faults, "\n  "))
}
