package importer

import (
	"fmt"
	"slices"
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

// findLogits chooses the output that is the logits, and drops the others. A value inside
// the network may be named as well.
func (g *graph) findLogits(name string) (output, error) {
	var list []string
	for _, v := range g.outputs {
		list = append(list, fmt.Sprintf("%s: %s", v.Name, describeValue(v)))
	}
	field := ascood.Field("logits")
	switch at := slices.IndexFunc(g.outputs, func(v *onnx.ValueInfoProto) bool { return v.Name == name }); {
	case len(g.outputs) == 0:
		return output{}, ascood.Errorf(ascood.Invalid, "the network has no outputs")
	case name != "" && at >= 0:
		g.outputs = g.outputs[at : at+1]
	case name != "" && g.names[name] && slices.ContainsFunc(g.nodes, func(n *onnx.NodeProto) bool { return slices.Contains(n.Output, name) }):
		g.outputs = []*onnx.ValueInfoProto{onnx.Shapeless(name, onnx.TensorProto_FLOAT)}
	case name != "":
		return output{}, ascood.Errorf(ascood.Invalid, "%s: there is no output or value %q; the outputs are %s", field, name, strings.Join(list, "; "))
	case len(g.outputs) > 1:
		return output{}, ascood.Errorf(ascood.Invalid, "%s must say which of the %d outputs is the logits: %s. If none is [N,C], with a value for each class, it is no classifier", field, len(g.outputs), strings.Join(list, "; "))
	case g.outputs[0].GetType() != nil && g.outputs[0].Type.GetTensorType() == nil:
		return output{}, ascood.Errorf(ascood.Invalid, "the output %q is no tensor: %s must name the value inside the network that is the logits, [N,C]", g.outputs[0].Name, field)
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
	if end, op := c.lastOf(value); op == "Sigmoid" || op == "HardSigmoid" {
		return ascood.Errorf(ascood.Unsupported, "the network ends in %s, which gives each class a probability of its own; supported are networks of which one class is right for an image: if that is so here, %s %q names the values before it",
			op, ascood.Field("logits"), c.nameInFile(c.Maker(end).Operand(0)))
	}
	if before := c.decided(value); before != "" {
		return ascood.Errorf(ascood.Unsupported, "the network ends in ArgMax, which tells the class alone: %s %q names the values before it", ascood.Field("logits"), c.nameInFile(before))
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
		return ascood.Errorf(ascood.Unsupported, "the output %q is of one value; want a logit for each of two or more classes: for two classes from one logit z let the network end in the two 0 and z, as in torch.cat([0 * z, z], 1)", out.name)
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

// decided returns what a class, of whatever type, is the ArgMax of; "" if a value is none.
func (c *canonical) decided(value string) string {
	end, op := c.lastOf(value)
	if op == "Cast" {
		end, op = c.lastOf(c.Maker(end).Operand(0))
	}
	if op != "ArgMax" {
		return ""
	}
	return c.Maker(end).Operand(0)
}

// nameInFile is the name that a canonical value has in the file.
func (c *canonical) nameInFile(value string) string {
	for _, n := range slices.Backward(c.from.nodes) {
		if c.values[first(n.Output)] == value {
			return first(n.Output)
		}
	}
	return value
}

// lastOf goes back over what only changes a value's shape, and returns the value with
// the operator that computes it.
func (c *canonical) lastOf(value string) (string, string) {
	for {
		n := c.Maker(value)
		switch {
		case n == nil:
			return value, ""
		case slices.Contains([]string{"Reshape", "Flatten", "Squeeze", "Unsqueeze"}, n.OpType) || n.OpType == "Transpose" && c.onlyMovesOnes(n) || n.OpType == "Gather" && c.onlyDropsOne(n):
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

// onlyDropsOne reports whether a Gather takes the only element of an axis that is not the
// first, as x[..., 0, 0] does of maps of one pixel.
func (c *canonical) onlyDropsOne(n *onnx.NodeProto) bool {
	shape, err := c.Shape(n.Operand(0))
	index := c.Constant(n.Operand(1))
	if err != nil || index == nil || len(index.Dims) > 0 {
		return false
	}
	at, err := axis(n.IntAttr("axis", 0), len(shape))
	return err == nil && at > 0 && shape[at].Size == 1
}
