package importer

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/onnx"
)

// output is the output of a file that becomes the logits.
type output struct {
	name  string
	ends  []string // operators after the logits, from the end
	notes []string
}

// findLogits chooses the output that is the logits, and drops the others.
func (g *graph) findLogits(name string) (output, error) {
	var list []string
	for _, v := range g.outputs {
		list = append(list, fmt.Sprintf("%s: %s", v.Name, describeValue(v)))
	}
	field := ascood.Field("logits")
	switch at := slices.IndexFunc(g.outputs, func(v *onnx.ValueInfoProto) bool { return v.Name == name }); {
	case len(g.outputs) == 0:
		return output{}, ascood.Errorf(ascood.Invalid, "the network has no outputs")
	case name != "" && at < 0:
		return output{}, ascood.Errorf(ascood.Invalid, "%s: there is no output %q; the network has %s", field, name, strings.Join(list, "; "))
	case name != "":
		g.outputs = g.outputs[at : at+1]
	case len(g.outputs) > 1:
		return output{}, ascood.Errorf(ascood.Invalid, "%s must say which of the %d outputs is the logits: %s", field, len(g.outputs), strings.Join(list, "; "))
	}
	return output{name: g.outputs[0].Name}, nil
}

// head finds logits and feature: what the file ends in after the logits is left out.
func (c *canonical) head(net *Network, out *output) error {
	value := c.values[out.name]
	for {
		end, op := c.lastOf(value)
		if op != "Softmax" && op != "LogSoftmax" {
			break
		}
		out.ends = append(out.ends, op)
		value = c.Maker(end).Operand(0)
		net.note(fmt.Sprintf("the %s at the end is left out: scores are computed from the logits before it", op))
	}
	if _, op := c.lastOf(value); op == "Sigmoid" || op == "HardSigmoid" {
		return ascood.Errorf(ascood.Unsupported, "the network ends in %s, which gives each class a probability of its own; supported are networks of which one class is right: export the values before it if that is so, by a softmax or none", op)
	}
	shape, err := c.Shape(value)
	if err != nil {
		return err
	}
	sizes := shape.At(1)
	if len(sizes) == 1 && c.images == 1 { // of one image, squeezed
		sizes = []int{1, sizes[0]}
		c.Scope(onnx.Prefix + "logits/")
		value = c.Op("Reshape", []string{value, c.Int64s(sizes...)})
	}
	if len(sizes) > 2 && product(sizes[1:]) == slices.Max(sizes[1:]) {
		sizes = []int{sizes[0], product(sizes[1:]), 1} // such as [N,1,1,C]
	}
	if len(sizes) < 2 || product(sizes[2:]) != 1 {
		return ascood.Errorf(ascood.Unsupported, "the output %q is %v; want logits, [N,C]: supported are classifiers", out.name, shape)
	}
	if sizes[1] < 2 {
		return ascood.Errorf(ascood.Unsupported, "the output %q is of one value; want a logit for each of two or more classes: export a network of two outputs and a softmax", out.name)
	}
	c.Scope(onnx.Prefix + "logits/")
	linear := c.linear(value, sizes[0], sizes[1])
	if linear == "" && len(sizes) > 2 {
		value = c.Op("Reshape", []string{value, c.Int64s(sizes[:2]...)})
	}
	if linear != "" {
		value = linear
		net.Feature, net.Linear = c.Maker(value).Operand(0), true
	}
	net.Logits, net.Classes = value, sizes[1]
	return nil
}

// lastOf goes back over what only changes a value's shape, and returns the value with
// the operator that computes it.
func (c *canonical) lastOf(value string) (string, string) {
	for {
		n := c.Maker(value)
		switch {
		case n == nil:
			return value, ""
		case slices.Contains([]string{"Reshape", "Flatten", "Squeeze", "Unsqueeze"}, n.OpType) || n.OpType == "Transpose" && c.onlyMovesOnes(n):
			value = n.Operand(0)
		default:
			return value, n.OpType
		}
	}
}

// onlyMovesOnes reports whether a Transpose leaves the order of the elements as it is,
// and the images in front.
func (c *canonical) onlyMovesOnes(n *onnx.NodeProto) bool {
	shape, err := c.Shape(n.Operand(0))
	perm := n.IntsAttr("perm")
	if err != nil || len(perm) != len(shape) || perm[0] != 0 {
		return false
	}
	last := 0
	for _, axis := range perm {
		if shape[axis].Size == 1 {
			continue
		}
		if axis < last {
			return false
		}
		last = axis
	}
	return true
}

// classNames returns the names of the classes that the file's metadata has, as the
// exporters of Hugging Face (id2label) and others (names, classes, labels) write them.
func classNames(m *onnx.ModelProto) []string {
	for _, p := range m.MetadataProps {
		switch p.Key {
		case "id2label", "names", "classes", "class_names", "labels", "label_names":
			if names := parseNames(p.Value); names != nil {
				return names
			}
		}
	}
	return nil
}

// parseNames reads names from a list in JSON, or from an object whose keys are the
// indices.
func parseNames(text string) []string {
	var list []string
	if json.Unmarshal([]byte(text), &list) == nil {
		return list
	}
	var byIndex map[string]string
	if json.Unmarshal([]byte(text), &byIndex) != nil {
		return nil
	}
	names := make([]string, len(byIndex))
	for key, name := range byIndex {
		i, err := strconv.Atoi(key)
		if err != nil || i < 0 || i >= len(names) {
			return nil
		}
		names[i] = name
	}
	return names
}
