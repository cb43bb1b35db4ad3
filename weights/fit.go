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

// fit is a network in a state dict.
type fit struct {
	*match
	head  *head
	state *checkpoint.State
	below string   // the prefix that tells networks in one state dict apart
	name  string   // the state dict's key and that
	unfit []string // tensors that belong to nothing
	over  []string // bookkeeping
}

// fitAll returns the networks of an architecture in a state dict, and adds to the
// failure what keeps others from being one.
func fitAll(s *checkpoint.State, arch string, opt Options, failure *failure) ([]*fit, error) {
	found, err := matches(arch, s.Shapes)
	if err != nil {
		return nil, err
	}
	failure.sawState(s)
	var fits []*fit
	for _, m := range found {
		near := attempt{state: s, arch: arch, whole: m.complete(), found: len(m.names), faults: m.faults}
		if !near.whole {
			failure.add(near)
			continue
		}
		f := &fit{match: m, state: s, below: unwrapped(m.prefix)}
		f.name = strings.Trim(s.Key+"."+f.below, ".")
		if near.faults, near.err = f.complete(found, opt); near.err != nil || len(near.faults) > 0 {
			failure.add(near)
			continue
		}
		fits = append(fits, f)
	}
	return fits, nil
}

// wrappers are modules that hold a network and nothing else.
var wrappers = []string{"module", "_orig_mod", "_forward_module"}

// unwrapped returns a prefix without those of wrappers.
func unwrapped(prefix string) string {
	parts := strings.Split(prefix, ".")
	return strings.Join(slices.DeleteFunc(parts, func(part string) bool { return part == "" || slices.Contains(wrappers, part) }), ".")
}

// complete finds what follows the backbone, and sorts what is left. It returns the
// tensors that belong to nothing; the error is about those that might. Of several
// networks in a state dict each has what is under its prefix.
func (f *fit) complete(all []*match, opt Options) (unexpected []string, err error) {
	shapes := f.state.Shapes
	left := f.rest(shapes)
	if len(all) > 1 {
		left = slices.DeleteFunc(left, func(name string) bool { return !f.owns(name, all) })
	}
	var tensors []string
	for _, name := range left {
		switch {
		case isCounter(name), isNormalisation(name, shapes[name]) && !f.ofBackbone(name):
		case isBookkeeping(name), !f.ofBackbone(name) && counts(f.state, name):
			f.over = append(f.over, name)
		default:
			tensors = append(tensors, name)
		}
	}
	if err := f.passOver(); err != nil {
		return nil, err
	}
	if f.head, err = findHead(f.match, tensors, shapes); err != nil {
		return nil, err
	}
	own := f.head.rest
	if opt.Backbone {
		f.unfit, own = f.head.rest, slices.DeleteFunc(slices.Clone(own), func(name string) bool { return !f.ofBackbone(name) })
	} else if err := f.head.check(f.match, shapes); err != nil {
		return nil, err
	}
	if len(own) == 0 {
		return nil, nil
	}
	return []string{"unexpected " + describe(own, shapes)}, nil
}

// owns reports whether a name is under the match's prefix and under no longer one.
func (f *fit) owns(name string, all []*match) bool {
	if base, ok := strings.CutSuffix(f.prefix, "backbone."); ok && name == base+sigma {
		return true
	}
	return strings.HasPrefix(name, f.prefix) && !slices.ContainsFunc(all, func(other *match) bool {
		return len(other.prefix) > len(f.prefix) && strings.HasPrefix(name, other.prefix)
	})
}

// passOver goes through what is no tensor. Numbers and texts cannot be missing from a
// network, nor can what has no module's name before its own, such as a list of classes;
// anything else is an error.
func (f *fit) passOver() error {
	for _, name := range slices.Sorted(maps.Keys(f.state.Others)) {
		if foreign, ok := f.state.Others[name].(checkpoint.Foreign); ok && !isBookkeeping(name) && strings.Contains(name, ".") {
			return ascood.Errorf(ascood.Invalid, "the entry %s is %s, not a tensor", name, foreign)
		}
		f.over = append(f.over, name)
	}
	return nil
}

// network takes the tensors out of the state dict.
func (f *fit) network(all []*fit, opt Options) (*Network, error) {
	n := &Network{State: checkpoint.StateDict{}, Notes: f.notes(all, opt), Unfit: f.unfit, Spec: f.graph.Spec}
	given, err := normalisation(f.state)
	if err != nil {
		return nil, err
	}
	if len(given) > 0 {
		n.Notes = append(n.Notes, fmt.Sprintf("passed over: %s; the network normalised its images by these, and now mean and std must say them", Brief(given)))
	}
	n.Spec.Classes, n.Spec.Head = f.head.classes, f.head.kind
	prefix := ""
	if n.Spec.Head == models.HeadASCOOD {
		prefix = "backbone."
	}
	names := map[string]string{} // in the state dict, by those of the graph
	for name, from := range f.names {
		names[prefix+name] = from
	}
	if f.head.weight != "" {
		names[prefix+f.last("weight")] = f.head.weight
	}
	if f.head.bias != "" {
		names[prefix+f.last("bias")] = f.head.bias
	}
	if f.head.sigma != "" {
		names[sigma] = f.head.sigma
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		t, err := finite(f.state, names[name])
		if err != nil {
			return nil, err
		}
		n.State[name] = t
	}
	if f.head.sigma != "" {
		n.State[sigma].Shape = []int{}
	}
	if f.head.weight != "" && f.head.bias == "" {
		n.State[prefix+f.last("bias")] = checkpoint.FromFloat32s(make([]float32, f.head.classes), f.head.classes)
	}
	return n, nil
}

// finite returns a tensor of finite numbers.
func finite(s *checkpoint.State, name string) (*checkpoint.Tensor, error) {
	t, err := s.Tensor(name)
	if err != nil {
		return nil, err
	}
	values, err := t.Float32s()
	if err != nil {
		return nil, ascood.Errorf(ascood.Invalid, "%s: %w", name, err)
	}
	for _, v := range values {
		if v-v != 0 {
			return nil, ascood.Errorf(ascood.Invalid, "%s holds %v: the training has diverged or the file is damaged", name, v)
		}
	}
	return t, nil
}

// notes says what was taken, where it leaves a question.
func (f *fit) notes(all []*fit, opt Options) []string {
	var notes []string
	note := func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }
	if opt.Arch != f.graph.Spec.Arch {
		note("architecture: %s, which the weights are those of", f.graph.Spec.Arch)
	}
	if f.state.Key != "" {
		note("state dict: the one under %q", f.state.Key)
	}
	if others := slices.DeleteFunc(namesOf(all), func(name string) bool { return name == f.name }); len(others) > 0 {
		note("not taken: the networks under %s", Brief(others))
	}
	if of := f.naming.of; of != "" {
		note("names: those of %s", of)
	}
	prefix := f.prefix
	if f.head.kind == models.HeadASCOOD {
		prefix = strings.TrimSuffix(prefix, "backbone.")
	}
	if prefix != "" {
		note("prefix of the names: %s", prefix)
	}
	if f.head.weight != "" && f.head.name() != f.prefix+f.graph.Last {
		note("last layer: %s", f.head.name())
	}
	if f.head.weight != "" && f.head.bias == "" {
		note("bias of the last layer: zeros, the file has none")
	}
	if len(f.over) > 0 {
		note("passed over: %s", Brief(f.over))
	}
	return notes
}
