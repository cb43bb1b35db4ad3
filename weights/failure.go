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
	arch   string
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
		near = &attempt{state: f.largest, arch: archs[0]}
	}
	if near.err != nil {
		return near.err
	}
	where, whose := "", near.arch
	if near.state.Key != "" {
		where = " under " + near.state.Key
	}
	if len(archs) > 1 && !near.whole {
		whose = "any of " + strings.Join(archs, ", ")
	}
	if kind := recognise(near.state.Shapes); kind != "" && kind != recognised[near.arch] {
		whose += ", but by their names those of " + kind
	}
	why, err := near.why()
	if err != nil {
		return err
	}
	return near.hint(ascood.Errorf(ascood.Invalid, "the weights%s are not those of %s: %s", where, whose, why), opt)
}

// why lists the differences to the architecture or, where there is little in common,
// what there is instead of its first weights.
func (a *attempt) why() (string, error) {
	stem, err := stemOf(a.arch)
	if err != nil {
		return "", err
	}
	const few = 10
	if _, ok := a.state.Shapes[stem]; ok || a.found > few {
		return Brief(a.faults), nil
	}
	return fmt.Sprintf("no %s of 4 dimensions among %s", stem, Brief(slices.Sorted(maps.Keys(a.state.Shapes)))), nil
}

// hint names the architecture that the weights do fit.
func (a *attempt) hint(err error, opt Options) error {
	if opt.Arch == "" {
		return err
	}
	for _, other := range models.Archs() {
		fits, unlike := fitAll(a.state, other, opt, &failure{})
		if unlike == nil && len(fits) > 0 {
			return ascood.Errorf(ascood.Invalid, "%w; they are those of %s %s, width %d", err, ascood.Field("arch"), other, fits[0].graph.Spec.Width)
		}
	}
	return err
}
