package weights

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/models"
)

// head is what follows a backbone in a state dict.
type head struct {
	kind         models.Head
	sigma        string   // name of the scale of the ASCOOD head, "" in a linear one
	weight, bias string   // of the last layer; "" without
	classes      int      // 0 without a last layer
	rest         []string // what belongs to nothing
}

// findHead looks for the last layer among the names that are left of a state dict: by
// its shape, since it has many names. Two that could be it are an error, as is one
// that is followed by others.
func findHead(m *match, left []string, shapes map[string][]int) (*head, error) {
	h := &head{kind: models.HeadLinear, rest: slices.Clone(left)}
	if base, ok := strings.CutSuffix(m.prefix, "backbone."); ok {
		if shape, ok := shapes[base+sigma]; ok && elements(shape) == 1 {
			h.kind, h.sigma = models.HeadASCOOD, base+sigma
			h.drop(h.sigma)
		}
	}
	var found []string
	for _, name := range h.rest {
		if shape := shapes[name]; isWeight(name) && len(shape) == 2 && shape[1] == m.width() {
			found = append(found, name)
		}
	}
	switch {
	case len(found) > 1:
		return nil, ascood.Errorf(ascood.Invalid, "%d last layers: %s; want one, leave the others out of the file", len(found), describe(found, shapes))
	case len(found) == 0:
		return h, nil
	}
	h.weight, h.classes = found[0], shapes[found[0]][0]
	h.drop(h.weight)
	if bias := strings.TrimSuffix(h.weight, "weight") + "bias"; slices.Equal(shapes[bias], []int{h.classes}) {
		h.bias = bias
		h.drop(bias)
	}
	return h, nil
}

const sigma = "sigma"

func (h *head) drop(name string) {
	h.rest = slices.DeleteFunc(h.rest, func(other string) bool { return other == name })
}

// name is the path of the last layer.
func (h *head) name() string {
	module, _ := cutLast(h.weight)
	return module
}

// check reports what keeps it from being that of a classifier.
func (h *head) check(m *match, shapes map[string][]int) error {
	layers := slices.DeleteFunc(slices.Clone(h.rest), func(name string) bool { return m.ofBackbone(name) || !isWeight(name) || len(shapes[name]) != 2 })
	if h.weight != "" {
		layers = slices.Insert(layers, 0, h.weight)
	}
	switch {
	case len(layers) > 1:
		return ascood.Errorf(ascood.Unsupported, "a head of several layers: %s; want one linear layer after the backbone", describe(layers, shapes))
	case h.weight == "":
		return ascood.Errorf(ascood.Invalid, "no last layer: want a matrix of %d columns, as wide as the feature, left over are %s", m.width(), describe(h.rest, shapes))
	case h.classes == 1:
		return ascood.Errorf(ascood.Unsupported, "one output, %s: a binary classifier with a sigmoid; two are needed: put a row of zeros before the weights and before the bias, for logits (0, x)", describe([]string{h.weight}, shapes))
	}
	return nil
}

func isWeight(name string) bool {
	_, last := cutLast(name)
	return last == "weight"
}

func elements(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// describe lists a few tensors.
func describe(names []string, shapes map[string][]int) string {
	described := make([]string, len(names))
	for i, name := range names {
		described[i] = fmt.Sprintf("%s %v", name, shapes[name])
	}
	return Brief(described)
}

// Brief lists a few items, and says how many more there are.
func Brief(items []string) string {
	const most = 6
	switch n := len(items); {
	case n == 0:
		return "none"
	case n > most:
		return fmt.Sprintf("%s and %d more", strings.Join(items[:most], ", "), n-most)
	}
	return strings.Join(items, ", ")
}
