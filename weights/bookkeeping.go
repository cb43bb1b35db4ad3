package weights

import (
	"slices"
	"strings"
)

// Entries of state dicts that belong to no network: what averaging (n_averaged) and
// counting of operations (total_…) leave behind, the state of an nn.Module's own
// making, and losses that a training wrapped with the network.
var (
	bookkeepingNames = []string{"n_averaged", "total_ops", "total_params", "_extra_state", "num_batches_tracked"}
	bookkeepingRoots = []string{"criterion", "loss", "loss_fn", "loss_func", "loss_function"}
)

// isBookkeeping reports whether an entry says nothing about a network.
func isBookkeeping(name string) bool {
	_, last := cutLast(name)
	if slices.Contains(bookkeepingNames, last) {
		return true
	}
	parts := strings.Split(name, ".")
	return slices.ContainsFunc(parts[:len(parts)-1], func(part string) bool { return slices.Contains(bookkeepingRoots, part) })
}

// isCounter reports whether an entry counts the batches that BatchNorm has seen.
func isCounter(name string) bool {
	_, last := cutLast(name)
	return last == "num_batches_tracked"
}
