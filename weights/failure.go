package weights

import (
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
	if f.closest == nil {
		stem, err := stemOf(archs[0])
		if err != nil {
			return err
		}
		names := (&match{}).rest(f.largest.Shapes)
		f.closest = &attempt{state: f.largest, arch: archs[0], faults: []string{"no " + stem + " of 4 dimensions among " + brief(names)}}
	}
	near := f.closest
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
	err := ascood.Errorf(ascood.Invalid, "the weights%s are not those of %s: %s", where, whose, brief(near.faults))
	if kind := recognise(near.state.Shapes); kind != "" && kind != recognised[near.arch] {
		err = ascood.Errorf(ascood.Invalid, "%w; they look like those of %s", err, kind)
	}
	return near.hint(err, opt)
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
