package weights

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/checkpoint"
	"github.com/ascood/ascood/models"
)

// attempt is a state dict that is not a network of an architecture.
type attempt struct {
	state  *checkpoint.State
	arch   string   // "" if none of its first layers was found
	whole  bool     // the backbone is complete
	found  int      // tensors of it
	faults []string // what differs from the architecture
	err    error    // or what is wrong with what it is
}

// closer reports whether more of a network was found.
func (a attempt) closer(b attempt) bool {
	if a.whole != b.whole {
		return a.whole
	}
	return a.found > b.found
}

// failure remembers what came closest to a network.
type failure struct {
	largest *checkpoint.State // the one of most tensors
	closest *attempt
}

func (f *failure) sawState(s *checkpoint.State) {
	if f.largest == nil || len(s.Shapes) > len(f.largest.Shapes) {
		f.largest = s
	}
}

func (f *failure) add(a attempt) {
	if f.closest == nil || a.closer(*f.closest) {
		f.closest = &a
	}
}

// error says what is wrong with what came closest, and what the weights are instead.
func (f *failure) error(archs []string, opt Options) error {
	near := f.closest
	if near == nil {
		near = &attempt{state: f.largest}
	}
	kind := recognise(near.state.Shapes)
	if kind == recognised[near.arch] {
		kind = ""
	}
	if near.err != nil && kind != "" {
		return ascood.Errorf(ascood.CodeOf(near.err), "%w; by their names the weights are those of %s", near.err, kind)
	}
	if near.err != nil {
		return near.err
	}
	where, whose := "", near.arch
	if near.state.Key != "" {
		where = " under " + near.state.Key
	}
	switch {
	case len(archs) == 1:
		whose = archs[0]
	case !near.whole:
		whose = "any of " + strings.Join(archs, ", ")
	}
	if kind != "" {
		whose += ", but by their names those of " + kind
	}
	why, err := near.why(archs)
	if err != nil {
		return err
	}
	return near.hint(ascood.Errorf(ascood.Invalid, "the weights%s are not those of %s: %s", where, whose, why), opt)
}

// why lists the differences to the architecture or, where there is little in common,
// what there is instead of the first weights of those that were looked for.
func (a *attempt) why(archs []string) (string, error) {
	var stems []string
	for _, arch := range archs {
		stem, err := stemOf(arch)
		if err != nil {
			return "", err
		}
		if !slices.Contains(stems, stem) {
			stems = append(stems, stem)
		}
	}
	const few = 10
	if slices.ContainsFunc(stems, func(stem string) bool { return a.state.Shapes[stem] != nil }) || a.found > few {
		return Brief(a.faults), nil
	}
	return fmt.Sprintf("no %s of 4 dimensions among %s", strings.Join(stems, " or "), Brief(slices.Sorted(maps.Keys(a.state.Shapes)))), nil
}

// hint names the architecture that the weights do fit or, if there is none, the way that
// is open to all networks.
func (a *attempt) hint(err error, opt Options) error {
	if opt.Arch != "" {
		for _, other := range models.Archs() {
			fits, unlike := fitAll(a.state, other, opt, &failure{})
			if unlike == nil && len(fits) > 0 {
				return ascood.Errorf(ascood.Invalid, "%w; they are those of %s %s, width %d", err, ascood.Field("arch"), other, fits[0].graph.Spec.Width)
			}
		}
	}
	return ascood.Errorf(ascood.Invalid, "%w; any other network is taken as an ONNX file, by ascood-export --onnx and ascood-train --onnx (docs/onnx.md)", err)
}
