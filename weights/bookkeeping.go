package weights

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ascood/ascood/checkpoint"
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

// counts reports whether an entry holds whole numbers, as those of metrics and queues
// do that a training kept beside the network. No weights are such.
func counts(s *checkpoint.State, name string) bool {
	if _, last := cutLast(name); last == "weight" || last == "bias" {
		return false
	}
	t, err := s.Tensor(name)
	return err == nil && (strings.HasPrefix(string(t.DType), "I") || strings.HasPrefix(string(t.DType), "U") || t.DType == checkpoint.Bool)
}

// isNormalisation reports whether an entry is the mean or the standard deviation of a
// layer before the network that normalises images: a value for each channel.
func isNormalisation(name string, shape []int) bool {
	_, last := cutLast(name)
	return elements(shape) == 3 && slices.Contains([]string{"mean", "std", "new_mean", "new_std"}, last)
}

// normalisation lists such entries with their values.
func normalisation(s *checkpoint.State) (entries []string, err error) {
	for name, shape := range s.Shapes {
		if !isNormalisation(name, shape) {
			continue
		}
		t, err := finite(s, name)
		if err != nil {
			return nil, err
		}
		v, err := t.Float32s()
		if err != nil {
			return nil, err
		}
		entries = append(entries, fmt.Sprintf("%s %v,%v,%v", name, v[0], v[1], v[2]))
	}
	slices.Sort(entries)
	return entries, nil
}
