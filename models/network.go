// Package models writes networks as graphs in the canonical form of ONNX (onnx.Check),
// without the values of their weights: initializers carry the names of PyTorch's state
// dicts, and whoever has the weights fills them in. The trainer interprets such graphs,
// the exporter adds gradient and scores to them; neither knows any architecture.
//
// An architecture is a function that writes a network's modules one after the other
// with the methods of module, and an entry of the registry.
package models

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/onnx"
)

// Spec selects a network.
type Spec struct {
	Arch    string // one of Archs
	Width   int    // base width: channels of the first convolution
	Classes int
	Head    Head
}

// Network is a network without the values of its weights.
type Network struct {
	Spec   Spec
	Params []Param // in state-dict order
	Last   string  // path of the last layer, with the prefix of the head; "" in a network that came as a graph
	Graph  *onnx.GraphProto
}

// Image is the input of every network's graph: float32 [N,3,H,W], normalised.
const Image = "image"

// Param is a tensor of a state dict.
type Param struct {
	Name      string
	Shape     []int
	Trainable bool    // updated by the optimiser; the others are buffers and constants
	Last      bool    // of the last layer
	Integer   bool    // int64 instead of float32: Values, or a counter of seen batches, which is in no graph
	Values    []int64 // of an integer tensor that is always the same
	Init      Init    // what training begins with
}

// Elements is how many numbers the tensor holds.
func (p Param) Elements() int {
	n := 1
	for _, d := range p.Shape {
		n *= d
	}
	return n
}

// Check compares the shapes of a state dict with the network's parameters. The
// error lists what is missing, unexpected or of another shape. Counters of
// seen batches may be missing.
func (n *Network) Check(state map[string][]int) error {
	if err := n.CheckSize(state); err != nil {
		return err
	}
	unexpected := maps.Clone(state)
	var faults []string
	for _, p := range n.Params {
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
		n.Spec.Arch, n.Spec.Width, n.Spec.Classes, n.Spec.Head, strings.Join(faults, "\n  "))
}

// CheckSize reports weights that are for images of another size, by the shapes of a state
// dict with or without the prefix of the head.
func (n *Network) CheckSize(state map[string][]int) error {
	prefix := n.Spec.Head.Backbone()
	size := SizeOf(n.Spec.Arch, func(name string) []int {
		if shape, ok := state[prefix+name]; ok {
			return shape
		}
		return state[name]
	})
	if image, err := n.Graph.Input[0].Shape(); err == nil && size != 0 && size != image[2].Size {
		return fmt.Errorf("the weights of %s are for images of %dx%d pixels alone, not for %dx%d: its positions are of that size", n.Spec.Arch, size, size, image[2].Size, image[3].Size)
	}
	return nil
}

// Model returns the network with weights, by their names in the state dict. One that is
// missing or of another size is ascood.Invalid.
func (n *Network) Model(weights map[string][]float32) (*onnx.ModelProto, error) {
	filled := map[string]*onnx.TensorProto{}
	for _, p := range n.Params {
		if p.Integer {
			continue
		}
		values, ok := weights[p.Name]
		if !ok {
			return nil, ascood.Errorf(ascood.Invalid, "the weights lack %s", p.Name)
		}
		if len(values) != p.Elements() {
			return nil, ascood.Errorf(ascood.Invalid, "%s has %d values, want %d of the shape %v", p.Name, len(values), p.Elements(), p.Shape)
		}
		filled[p.Name] = onnx.NewFloats(p.Name, values, dims(p.Shape)...)
	}
	return onnx.File(onnx.WithConstants(n.Graph, filled)), nil
}

func dims(shape []int) []int64 {
	out := make([]int64, len(shape))
	for i, d := range shape {
		out[i] = int64(d)
	}
	return out
}
