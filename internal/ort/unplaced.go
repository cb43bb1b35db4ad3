package ort

import (
	"slices"
	"sort"
	"strings"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/onnx"
)

// CheckPlacement reports the first node of a graph that a GPU has no kernel for: ONNX
// Runtime would run it on the CPU, and copy to and fro. On the CPU there is nothing to report.
func CheckPlacement(m *onnx.ModelProto, device ascood.Device, opt Options) error {
	if !device.IsCUDA() {
		return nil
	}
	library, err := loadLibrary()
	if err == nil {
		err = findCUDA(library)
	}
	if err != nil {
		return err
	}
	opt.strict = true
	err = loadable(onnx.WithDim(m, batchDim, 1), device, opt)
	if err == nil || !strings.Contains(err.Error(), "fallback to CPU") {
		return err
	}
	nodes := m.Graph.Node
	at := sort.Search(len(nodes), func(i int) bool { return loadable(onnx.WithDim(upTo(m, i), batchDim, 1), device, opt) != nil })
	if at == len(nodes) {
		return err
	}
	return ascood.Errorf(ascood.Unsupported, "%s has no kernel for %s, node %q of the graph: run it on the CPU: %w", device, nodes[at].OpType, nodes[at].Name, err)
}

// loadable reports why a graph cannot be loaded.
func loadable(m *onnx.ModelProto, device ascood.Device, opt Options) error {
	p, err := load(m, device, opt)
	if err != nil {
		return err
	}
	return p.close()
}

// upTo is a graph that ends with the node at an index. All values that no node takes are its
// outputs, so that none of the nodes is left out.
func upTo(m *onnx.ModelProto, at int) *onnx.ModelProto {
	g := onnx.WithOutputs(m.Graph, nil)
	g.Node = g.Node[:at+1]
	taken := map[string]bool{}
	for _, n := range g.Node {
		for _, in := range n.Input {
			taken[in] = true
		}
	}
	for _, n := range g.Node {
		if !slices.ContainsFunc(n.Output, func(out string) bool { return taken[out] }) {
			g.Output = append(g.Output, &onnx.ValueInfoProto{Name: n.Output[0]})
		}
	}
	return onnx.WithGraph(m, g)
}
