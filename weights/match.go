package weights

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/models"
)

// match is a backbone in a state dict: the tensors that an architecture's parameters
// are, under one naming and one prefix.
type match struct {
	graph  *models.Network // with the linear head
	naming naming
	prefix string            // of all names
	names  map[string]string // in the state dict, by the names of the graph
	faults []string          // what is missing or of another shape
}

// complete reports whether the backbone is whole.
func (m *match) complete() bool { return len(m.faults) == 0 }

// matches returns the complete backbones of an architecture in a state dict or, if
// there is none, the one that most is found of; none without a first convolution.
func matches(arch string, shapes map[string][]int) ([]*match, error) {
	stem, err := stemOf(arch)
	if err != nil {
		return nil, err
	}
	var whole []*match
	var best *match
	found := map[string]bool{} // prefixes of complete ones
	networks := networks{}
	for _, n := range namings(stem) {
		for _, prefix := range prefixes(n.rename(stem), shapes) {
			if found[prefix] {
				continue
			}
			if shapes[prefix+n.rename(stem)][0] == 0 {
				return nil, ascood.Errorf(ascood.Invalid, "%s has no channels", prefix+n.rename(stem))
			}
			size := models.SizeOf(arch, func(name string) []int { return shapes[prefix+n.rename(name)] })
			g := networks.of(arch, shapes[prefix+n.rename(stem)][0], size)
			if g == nil {
				continue
			}
			m := newMatch(g, n, prefix, shapes)
			switch {
			case m.complete():
				whole, found[prefix] = append(whole, m), true
			case best == nil || len(m.names) > len(best.names):
				best = m
			}
		}
	}
	if len(whole) == 0 && best != nil {
		return []*match{best}, nil
	}
	return whole, nil
}

// stemOf returns the name of an architecture's first weights.
func stemOf(arch string) (string, error) {
	g, err := models.New(models.Spec{Arch: arch, Classes: 2, Head: models.HeadLinear}, 0)
	if err != nil {
		return "", err
	}
	for _, p := range g.Params {
		if len(p.Shape) == 4 {
			return p.Name, nil
		}
	}
	return "", ascood.Errorf(ascood.Internal, "%s has no convolution", arch)
}

// prefixes returns what stands before the name of the first convolution, whose input
// are the three channels of an image, wherever it is in a state dict.
func prefixes(stem string, shapes map[string][]int) []string {
	var found []string
	for name, shape := range shapes {
		prefix, ok := strings.CutSuffix(name, stem)
		if ok && (prefix == "" || strings.HasSuffix(prefix, ".")) && len(shape) == 4 && shape[1] == 3 {
			found = append(found, prefix)
		}
	}
	slices.Sort(found)
	return found
}

// networks are those of one architecture, by their width and the size of their images.
// One that cannot be is nil.
type networks map[[2]int]*models.Network

func (n networks) of(arch string, width, size int) *models.Network {
	key := [2]int{width, size}
	if g, ok := n[key]; ok {
		return g
	}
	n[key], _ = models.New(models.Spec{Arch: arch, Width: width, Classes: 2, Head: models.HeadLinear}, size)
	return n[key]
}

// newMatch compares a state dict with a network.
func newMatch(g *models.Network, n naming, prefix string, shapes map[string][]int) *match {
	m := &match{graph: g, naming: n, prefix: prefix, names: map[string]string{}}
	for _, p := range m.backbone() {
		name := prefix + n.rename(p.Name)
		switch shape, ok := shapes[name]; {
		case !ok:
			m.faults = append(m.faults, fmt.Sprintf("no %s %v", name, p.Shape))
		case !slices.Equal(shape, p.Shape):
			m.faults = append(m.faults, fmt.Sprintf("%s is %v, want %v", name, shape, p.Shape))
		default:
			m.names[p.Name] = name
		}
	}
	return m
}

// last returns the name of a parameter of the last layer.
func (m *match) last(param string) string { return m.graph.Last + "." + param }

// width is the number of values of the feature, which the last layer takes.
func (m *match) width() int {
	at := slices.IndexFunc(m.graph.Params, func(p models.Param) bool { return p.Name == m.last("weight") })
	return m.graph.Params[at].Shape[1]
}

// backbone returns the parameters before the last layer, but for the integers, which say
// nothing.
func (m *match) backbone() []models.Param {
	return slices.DeleteFunc(slices.Clone(m.graph.Params), func(p models.Param) bool {
		return p.Integer || strings.HasPrefix(p.Name, m.last(""))
	})
}

// rest returns the names of a state dict that are not of the match, sorted.
func (m *match) rest(shapes map[string][]int) []string {
	left := maps.Clone(shapes)
	for _, name := range m.names {
		delete(left, name)
	}
	for _, p := range m.graph.Params {
		if p.Integer {
			delete(left, m.prefix+m.naming.rename(p.Name))
		}
	}
	return slices.Sorted(maps.Keys(left))
}

// ofBackbone reports whether a name is that of a module of the backbone.
func (m *match) ofBackbone(name string) bool {
	rest, ok := strings.CutPrefix(name, m.prefix)
	if !ok {
		return false
	}
	root, _, _ := strings.Cut(rest, ".")
	for _, taken := range m.names {
		if r, _, _ := strings.Cut(strings.TrimPrefix(taken, m.prefix), "."); r == root {
			return true
		}
	}
	return false
}
