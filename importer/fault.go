package importer

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/onnx"
)

// faults are the nodes of a network that cannot be handled, by reason, in the order in
// which they were found.
type faults struct {
	reasons []string
	nodes   map[string][]string
}

func (f *faults) add(n *onnx.NodeProto, format string, args ...any) {
	op := n.OpType
	if !standard(n.Domain) {
		op = n.Domain + "." + op
	}
	reason := op + ": " + fmt.Sprintf(format, args...)
	if f.nodes == nil {
		f.nodes = map[string][]string{}
	}
	if f.nodes[reason] == nil {
		f.reasons = append(f.reasons, reason)
	}
	f.nodes[reason] = append(f.nodes[reason], nameOf(n))
}

// join adds those of others that are of further nodes.
func (f *faults) join(others faults) {
	var known []string
	for _, nodes := range f.nodes {
		known = append(known, nodes...)
	}
	for _, reason := range others.reasons {
		for _, node := range others.nodes[reason] {
			if slices.Contains(known, node) {
				continue
			}
			if f.nodes[reason] == nil {
				f.reasons = append(f.reasons, reason)
			}
			f.nodes[reason] = append(f.nodes[reason], node)
		}
	}
}

// err lists all faults, nil if there are none.
func (f *faults) err() error {
	if len(f.reasons) == 0 {
		return nil
	}
	var lines []string
	for _, reason := range f.reasons {
		nodes := f.nodes[reason]
		where := fmt.Sprintf("node %q", nodes[0])
		if len(nodes) > 1 {
			where = fmt.Sprintf("%d nodes, first %q", len(nodes), nodes[0])
		}
		lines = append(lines, fmt.Sprintf("  %s (%s)", reason, where))
	}
	return ascood.Errorf(ascood.Unsupported, "this network cannot be handled:\n%s\ndocs/onnx.md lists what can", strings.Join(lines, "\n"))
}
