package gradient

import (
	"slices"

	"github.com/ascood/ascood/onnx"
)

var reductions = map[string]rule{
	"ReduceMean": reduce("", func(n *node, dy, _ string) string {
		return n.expand(n.scale(dy, 1/float64(n.summands())), n.shape(n.x()))
	}),
	"ReduceSum":       reduce("", func(n *node, dy, _ string) string { return n.expand(dy, n.shape(n.x())) }),
	"ReduceSumSquare": reduce("", func(n *node, dy, _ string) string { return n.mul(n.scale(n.x(), 2), dy) }),
	"ReduceL1":        reduce("", func(n *node, dy, _ string) string { return n.mul(n.op("Sign", n.x()), dy) }),
	"ReduceL2": reduce("", func(n *node, dy, y string) string {
		return n.mul(n.x(), n.div(dy, n.op("Max", y, n.tiny())))
	}),
	"ReduceLogSum":    reduce("", func(n *node, dy, y string) string { return n.expand(n.div(dy, n.op("Exp", y)), n.shape(n.x())) }),
	"ReduceLogSumExp": reduce("", func(n *node, dy, y string) string { return n.mul(n.op("Exp", n.sub(n.x(), y)), dy) }),
	"ReduceProd":      reduce("elements may be 0", prodGradient),
	"ReduceMax":       reduce("equal ones share the gradient", func(n *node, dy, y string) string { return n.chosen(dy, y, n.axes()...) }),
	"ReduceMin":       reduce("equal ones share the gradient", func(n *node, dy, y string) string { return n.chosen(dy, y, n.axes()...) }),
}

// reduce is a rule whose function is given dy and y with the reduced axes, as 1.
func reduce(variants string, dx func(n *node, dy, y string) string) rule {
	if variants != "" {
		variants = "; " + variants
	}
	return rule{
		vjp: []vjp{func(n *node) string {
			kept := slices.Clone(n.shape(n.x()))
			for _, axis := range n.axes() {
				kept[axis] = onnx.Dim{Size: 1}
			}
			return dx(n, n.reshape(n.dy, kept), n.reshape(n.y(), kept))
		}, nil},
		takes:    takesReduce,
		variants: "any axes but that of the batch" + variants,
	}
}

// takesReduce keeps images of a batch apart.
func takesReduce(n *node) {
	if axes := n.axes(); slices.Contains(axes, n.shape(n.x()).BatchAxis()) {
		n.refuse("is over the axis of the batch: its images would change each other's results")
	}
}

// axes are those that the node reduces.
func (n *node) axes() []int {
	axes, _, err := n.Axes(n.NodeProto, n.shape(n.x()))
	n.note(err)
	return axes
}

// summands is how many elements the node makes one of.
func (n *node) summands() int {
	count := 1
	for _, axis := range n.axes() {
		count *= n.shape(n.x())[axis].Size
	}
	return count
}

// chosen gives dy to the elements of x that equal y; equal ones share it.
func (n *node) chosen(dy, y string, axes ...int) string {
	mask := n.toFloat(n.op("Equal", n.x(), y))
	return n.mul(mask, n.div(dy, n.sum(mask, axes...)))
}

// prodGradient is dy times the product of the other elements. Zeros are taken as ones, of
// which each counts: if there is none it is the whole product divided by the element, if
// there is one the zero alone has a gradient, and of two none has.
func prodGradient(n *node, dy, _ string) string {
	axes := n.axes()
	zero := n.toFloat(n.op("Equal", n.x(), n.number(0)))
	x, zeros := n.add(n.x(), zero), n.sum(zero, axes...)
	are := func(count float64) string { return n.toFloat(n.op("Equal", zeros, n.number(count))) }
	product := n.mul(dy, n.Op("ReduceProd", []string{x}, onnx.Ints("axes", axes...)))
	none := n.mul(are(0), n.div(product, x))
	one := n.mul(zero, n.mul(are(1), product))
	return n.add(none, one)
}
