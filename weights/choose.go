package weights

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/checkpoint"
)

// keys are where training scripts put the weights, the likelier first. The last part
// of a path is compared.
var keys = []string{"", "state_dict", "model_state_dict", "model_state", "model", "net_state_dict", "net", "network", "module", "weights", "params", "classifier", "backbone", "state"}

// preference is the place of a path's last part among the keys.
func preference(path string) int {
	last := path[strings.LastIndexByte(path, '.')+1:]
	if i := slices.Index(keys, last); i >= 0 {
		return i
	}
	return len(keys)
}

// compare orders networks by the keys of their state dicts and, in one, by their
// prefixes.
func compare(a, b *fit) int {
	return cmp.Or(
		cmp.Compare(preference(a.state.Key), preference(b.state.Key)),
		cmp.Compare(preference(a.below), preference(b.below)),
	)
}

// candidates returns the state dicts that may be meant by a key: of that key, or those
// that hold several networks.
func candidates(f *checkpoint.File, key string) ([]*checkpoint.State, error) {
	if key == "" {
		return f.States, nil
	}
	var names []string
	var found []*checkpoint.State
	for _, s := range f.States {
		if s.Key == key {
			return []*checkpoint.State{s}, nil
		}
		if s.Key == "" || strings.HasPrefix(key, s.Key+".") {
			found = append(found, s)
		}
		names = append(names, fmt.Sprintf("%q", s.Key))
	}
	if len(found) == 0 {
		return nil, ascood.Errorf(ascood.Invalid, "%s %q: no state dict lies there; there are %s", ascood.Field("state_dict"), key, Brief(names))
	}
	return found, nil
}

// choose returns the fit that is meant: the only one, or that with the likeliest name.
func choose(fits []*fit, key string) (*fit, error) {
	if key != "" {
		named := slices.DeleteFunc(slices.Clone(fits), func(f *fit) bool { return f.name != key && f.state.Key != key })
		if len(named) == 0 {
			return nil, ascood.Errorf(ascood.Invalid, "%s %q: no network lies there; there are %s", ascood.Field("state_dict"), key, Brief(namesOf(fits)))
		}
		fits = named
	}
	ranked := slices.SortedStableFunc(slices.Values(fits), compare)
	if len(ranked) > 1 && compare(ranked[0], ranked[1]) == 0 {
		return nil, ascood.Errorf(ascood.Invalid, "%d networks are in the file: choose one with %s: %s", len(fits), ascood.Field("state_dict"), Brief(namesOf(ranked)))
	}
	return ranked[0], nil
}

func namesOf(fits []*fit) []string {
	names := make([]string, len(fits))
	for i, f := range fits {
		names[i] = f.name
	}
	return names
}
