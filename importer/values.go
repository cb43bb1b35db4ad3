package importer

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/onnx"
)

// keep has the values of the file that were asked for outlast its rewriting: what of
// the file's values is on the image's way to the logits.
func (g *graph) keep(opt Options) {
	on := g.dependent()
	logits := *g
	logits.consts = map[string]*onnx.TensorProto{}
	logits.prune()
	for _, n := range logits.nodes {
		for _, out := range n.Output {
			if on[out] && out != g.outputs[0].Name && slices.Contains(opt.asked(), out) {
				g.outputs = append(g.outputs[:len(g.outputs):len(g.outputs)], onnx.Shapeless(out, onnx.TensorProto_FLOAT))
			}
		}
	}
}

// asked are the values of the file that the user wants to have.
func (opt Options) asked() []string {
	var names []string
	if opt.Feature != "" {
		names = append(names, opt.Feature)
	}
	for _, name := range sortedKeys(opt.Taps) {
		names = append(names, opt.Taps[name])
	}
	return names
}

// find looks up the values that were asked for.
func (c *canonical) find(net *Network, opt Options) error {
	c.onTheWay(net.Logits)
	if opt.Feature != "" {
		value, err := c.asked(opt.Feature, ascood.Field("feature"), "a vector of each image, [N,D]", func(s []int) bool { return len(s) == 2 })
		switch {
		case err != nil:
			return err
		case net.Linear && value != net.Feature:
			return ascood.Errorf(ascood.Invalid, "%s: %q is not what the last linear layer takes, which is found without being named", ascood.Field("feature"), opt.Feature)
		}
		net.Feature = value
	}
	seen := map[string]string{}
	for _, name := range sortedKeys(opt.Taps) {
		field := ascood.Field("tap")
		value, err := c.asked(opt.Taps[name], field, "maps, [N,C,H,W]", isMaps)
		if err != nil {
			return err
		}
		if other := seen[value]; other != "" {
			return ascood.Errorf(ascood.Invalid, "%s: %s and %s are the same value", field, other, name)
		}
		seen[value] = name
		net.Taps = append(net.Taps, [2]string{value, name})
	}
	if net.Feature == "" {
		net.note("there is no last linear layer, and so no feature: methods that need one cannot be used")
	} else if !net.Linear {
		net.note("there is no last linear layer: methods that need its weights cannot be used")
	}
	return nil
}

func isMaps(s []int) bool { return len(s) == 4 && s[2] > 1 && s[3] > 1 }

// onTheWay finds the canonical values of which the logits are computed, of as many
// images as there are.
func (c *canonical) onTheWay(logits string) {
	c.way = map[string][]int{}
	for todo := []string{logits}; len(todo) > 0; {
		value := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		n := c.Maker(value)
		if _, seen := c.way[value]; seen || n == nil {
			continue
		}
		c.way[value] = nil
		if shape, err := c.Shape(value); err == nil && len(shape) > 0 && shape[0].Size == c.images {
			c.way[value] = shape.At(1)
		}
		todo = append(todo, n.Input...)
	}
	c.way[logits] = nil // which is neither feature nor map
}

// counted makes sure that the first axis of the values that were asked for counts the
// images, which only shows when all shapes are known.
func (net *Network) counted() error {
	shapes := onnx.Shapes(net.Model.Graph)
	values := net.Taps
	if !net.Linear && net.Feature != "" {
		values = append(values[:len(values):len(values)], [2]string{net.Feature, "feature"})
	}
	for _, v := range values {
		if !net.Single && shapes[v[0]].BatchAxis() != 0 || shapes[v[0]][0].Size != 1 {
			return ascood.Errorf(ascood.Invalid, "%s is %v, whose first axis does not count the images", v[1], shapes[v[0]])
		}
	}
	return nil
}

// asked returns the canonical value of one of the file, which must be of a form. The
// error lists those that are.
func (c *canonical) asked(name string, field ascood.Field, want string, fits func(sizes []int) bool) (string, error) {
	value := c.values[name]
	if fits(c.way[value]) {
		return value, nil
	}
	return "", ascood.Errorf(ascood.Invalid, "%s: %q is not %s, on the image's way to the logits; such are, from the end:%s", field, name, want, c.candidates(fits))
}

// mostCandidates are listed.
const mostCandidates = 12

// candidates lists values of the file that are of a form, the last of each shape; of
// maps those that are square, as images are.
func (c *canonical) candidates(fits func(sizes []int) bool) string {
	list, count := "", 0
	seen := map[string]bool{}
	for _, n := range slices.Backward(c.from.nodes) {
		sizes := c.way[c.values[first(n.Output)]]
		if !fits(sizes) || len(sizes) == 4 && sizes[2] != sizes[3] {
			continue
		}
		text := fmt.Sprintf("[N,%s]", strings.Join(strings.Fields(strings.Trim(fmt.Sprint(sizes[1:]), "[]")), ","))
		if !seen[text] && count < mostCandidates {
			seen[text] = true
			count++
			list += fmt.Sprintf("\n  %s %s", first(n.Output), text)
		}
	}
	if list == "" {
		return " none"
	}
	return list
}
