package importer

import (
	"fmt"
	"slices"

	"github.com/ascood/ascood/onnx"
)

// inUse returns a file that was exported as its network is trained as if it had been
// exported as it is used, with a note; the same file if it was. Batch normalisation goes
// by its running statistics then, and dropout drops nothing.
func inUse(m *onnx.ModelProto) (*onnx.ModelProto, string) {
	g := onnx.WithOutputs(m.Graph, m.Graph.Output)
	g.Node = slices.Clone(g.Node)
	changed := map[string]int{}
	for i, n := range g.Node {
		if !standard(n.Domain) || !inTraining(n) {
			continue
		}
		used := &onnx.NodeProto{Name: n.Name, Domain: n.Domain, OpType: n.OpType, Input: n.Input, Output: n.Output}
		switch n.OpType {
		case "BatchNormalization":
			used.Output = n.Output[:1]
			used.Attribute = slices.DeleteFunc(slices.Clone(n.Attribute), func(a onnx.Attr) bool { return a.Name == "training_mode" })
		case "Dropout":
			used.Input = n.Input[:2]
		}
		g.Node[i] = used
		changed[n.OpType]++
	}
	if len(changed) == 0 {
		return m, ""
	}
	return &onnx.ModelProto{IrVersion: m.IrVersion, OpsetImport: m.OpsetImport, MetadataProps: m.MetadataProps, Functions: m.Functions, Graph: g},
		fmt.Sprintf("exported in training mode: where the network is used, %d batch normalisations go by their running statistics; %d dropouts are left out, in training too",
			changed["BatchNormalization"], changed["Dropout"])
}

// inTraining reports whether a node computes what it does in training.
func inTraining(n *onnx.NodeProto) bool {
	switch n.OpType {
	case "BatchNormalization":
		return n.IntAttr("training_mode", 0) != 0 || n.Result(1) != "" // before opset 14 by its outputs
	case "Dropout":
		return n.Operand(2) != ""
	}
	return false
}
