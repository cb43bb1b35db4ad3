// Package gradient adds to an ONNX graph the computation of its own derivative: the
// gradient of a value with respect to another, in plain ai.onnx operators, so that
// whatever runs the graph needs no automatic differentiation.
//
// A table has a rule for each operator (the vector-Jacobian product), one walker goes
// back from the output to the input. It takes the shapes that onnx.Builder knows.
package gradient

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/internal/windows"
	"github.com/ascood/ascood/onnx"
)

// Target is what a graph is to run on. The gradient is the same on all, but operators
// that are fast on one are slow on another.
type Target int

const (
	CPU  Target = iota // ONNX Runtime's kernels of blocked layout: convolutions, without ConvTranspose
	CUDA               // ConvTranspose, which is cuDNN's gradient of a convolution
)

// Of adds to b the gradient of out with respect to wrt, given the one with respect to
// out, dout, and returns its name. The values that out is computed from must have
// shapes. What cannot be differentiated is an error with code Unsupported that lists
// it all; b is of no use then.
func Of(b *onnx.Builder, target Target, out, dout, wrt string) (string, error) {
	w := &walk{Builder: b, target: target}
	gradient := w.back(out, dout, wrt)
	return gradient, Refusal(w.faults)
}

// Fault is a node that cannot be differentiated.
type Fault struct {
	Node, Op string // of the whole graph if empty
	Reason   string // completes a sentence that begins with the operator
}

// Unsupported lists all that keeps Of from differentiating the first output of a graph
// by its first input.
func Unsupported(g *onnx.GraphProto) []Fault {
	if len(g.GetInput()) == 0 || len(g.GetOutput()) == 0 {
		return []Fault{{Reason: "there is no input or no output"}}
	}
	w := &walk{Builder: onnx.Extend(g)}
	out := g.Output[0].Name
	w.back(out, w.op("Identity", out), g.Input[0].Name)
	return w.faults
}

// Refusal is the error for a network of which there are faults, nil if there are none.
func Refusal(faults []Fault) error {
	if len(faults) == 0 {
		return nil
	}
	type kind struct{ op, reason string }
	var kinds []kind
	nodes := map[kind][]string{}
	for _, f := range faults {
		k := kind{f.Op, f.Reason}
		if nodes[k] == nil {
			kinds = append(kinds, k)
		}
		nodes[k] = append(nodes[k], f.Node)
	}
	var lines []string
	for _, k := range kinds {
		which := ""
		switch of := nodes[k]; {
		case k.op == "":
		case len(of) == 1:
			which = fmt.Sprintf("%s (%q) ", k.op, of[0])
		default:
			which = fmt.Sprintf("%s (%d nodes, the first %q) ", k.op, len(of), of[0])
		}
		lines = append(lines, which+k.reason)
	}
	return ascood.Errorf(ascood.Unsupported, "the network cannot be differentiated:\n  %s", strings.Join(lines, "\n  "))
}

// rule is how an operator is differentiated.
type rule struct {
	// vjp emits the gradient with respect to an input, given the one with respect to
	// the output: one for each input. An input whose vjp is nil must not depend on
	// what is differentiated by.
	vjp []vjp
	// each takes the place of vjp where an operator has any number of inputs.
	each func(n *node, i int) string
	// takes refuses a node whose form has no gradient.
	takes func(n *node)
	// broadcasts says that gradients may be of the output's shape; the walker sums
	// them to the input's.
	broadcasts bool
	// local reports whether a node treats each place of maps alone, so that the vjp may be
	// given the gradient at some places, and take operands and outputs there (node.here).
	local func(n *node) bool
	// outputs says that the vjp takes the gradients of all outputs. Those of others
	// take that of the first, and nothing may be computed from the others.
	outputs bool
	// variants is for docs/onnx.md: which forms of the operator are differentiated.
	variants string
}

// vjp is a vector-Jacobian product. It returns the name of the gradient that it has
// emitted, "" for zero.
type vjp func(n *node) string

// node is a node of the forward pass, seen from the gradient of its output.
type node struct {
	*walk
	*onnx.NodeProto
	dy    string   // gradient with respect to output 0
	grads []string // with respect to each output, "" for zero

	rows, columns windows.Places // of the maps, that dy is at; none if it is whole
}

func (n *node) x() string { return n.here(n.Operand(0)) }
func (n *node) y() string { return n.here(n.Result(0)) }

// walk is one way back through a graph.
type walk struct {
	*onnx.Builder
	target Target
	double map[string]bool // values of double precision
	wide   bool            // the node at hand makes such a value
	err    error           // the first of the node at hand
	faults []Fault
	late   map[string]*phased // gradients that are yet to be put into place
	parts  map[string]*joined // gradients that are yet to be put together

	users   map[string][]*onnx.NodeProto // of the values of the forward pass
	passed  map[string]string            // gradients that a Relu has nothing to take from, and what that makes
	blocked map[string]bool              // whether ONNX Runtime has values in its blocked layout
	blocks  map[string]string            // those that it has not, when they are brought there
}

// back emits the gradient.
func (w *walk) back(out, dout, wrt string) string {
	nodes := slices.Clone(w.Nodes())
	depends := dependent(nodes, wrt)
	if !depends[out] {
		w.faults = append(w.faults, Fault{Reason: fmt.Sprintf("%q does not depend on %q but by operators whose result changes in steps", out, wrt)})
		return ""
	}
	w.double, w.users = wide(nodes), users(nodes)
	grads := map[string]string{out: dout}
	for _, n := range slices.Backward(nodes) {
		at := &node{walk: w, NodeProto: n}
		for _, y := range n.Output {
			at.grads = append(at.grads, grads[y])
		}
		if !slices.ContainsFunc(n.Output, func(y string) bool { return depends[y] && grads[y] != "" }) {
			continue
		}
		at.dy, w.wide = at.grads[0], w.double[n.Output[0]]
		w.Scope("gradient/" + n.Name + "/")
		for i, x := range n.Input {
			if !depends[x] {
				continue
			}
			grads[x] = w.total(grads[x], w.input(at, i, w.late[grads[x]] != nil))
		}
	}
	w.Scope("gradient/")
	return w.whole(grads[wrt])
}

// input returns the gradient with respect to input i of a node, of that input's shape.
// After a fault it is something of that shape, so that further ones are found. others says
// that it is to be added to one in phases.
func (w *walk) input(n *node, i int, others bool) string {
	w.err = nil
	x, g := n.Operand(i), ""
	emit := n.rule(i)
	want := w.shape(x)
	if w.err == nil && n.staysInPhases(i, others) {
		return w.byPhase(n, i, emit)
	}
	if !slices.Contains([]string{"Conv", "Concat", "MaxPool"}, n.OpType) { // which may take phases and parts
		n = n.inPlace()
	}
	if w.err == nil {
		g = emit(n)
		if g != "" && w.err == nil && rules[n.OpType].broadcasts {
			g = w.unbroadcast(g, want)
		}
		if g != "" && w.err == nil && !w.shapeOf(g).Equal(want) {
			w.refuse("has a gradient of the shape %v for an input of the shape %v", w.shapeOf(g), want)
		}
	}
	if w.err == nil {
		return g
	}
	fault := Fault{n.Name, n.OpType, w.err.Error()}
	if !slices.Contains(w.faults, fault) {
		w.faults = append(w.faults, fault)
	}
	return w.op("Identity", x)
}

// rule returns what emits the gradient with respect to input i of the node, if nothing
// is wrong with that.
func (n *node) rule(i int) vjp {
	r, ok := rules[n.OpType]
	switch {
	case n.Domain != "":
		n.refuse("has no gradient rule: it is an operator of %s", n.Domain)
	case !ok && refusals[n.OpType] != "":
		n.refuse("has no gradient rule: %s", refusals[n.OpType])
	case !ok:
		n.refuse("has no gradient rule")
	case !r.outputs && slices.ContainsFunc(n.grads[1:], func(g string) bool { return g != "" }):
		n.refuse("has a second output that the result depends on")
	case r.each == nil && (i >= len(r.vjp) || r.vjp[i] == nil):
		n.refuse("has an input %d that depends on what is differentiated by", i)
	}
	if n.err != nil {
		return nil
	}
	if n.form(); r.takes != nil && n.err == nil {
		r.takes(n)
	}
	if r.each != nil {
		return func(n *node) string { return r.each(n, i) }
	}
	return r.vjp[i]
}

// form checks that the shapes of the node's inputs and outputs are known and go with
// each other, so that rules need not.
func (n *node) form() {
	shapes, err := n.Infer(n.NodeProto)
	n.note(err)
	if y := n.shape(n.y()); n.err == nil && !y.Equal(shapes[0]) {
		n.refuse("makes %v, but is said to make %v", shapes[0], y)
	}
}

// dependent returns the values that change with wrt, steps apart.
func dependent(nodes []*onnx.NodeProto, wrt string) map[string]bool {
	depends := map[string]bool{wrt: true}
	for _, n := range nodes {
		if !ends(n) && slices.ContainsFunc(n.Input, func(x string) bool { return depends[x] }) {
			for i, y := range n.Output {
				depends[y] = y != "" && !(n.OpType == "TopK" && i == 1) // places change in steps
			}
		}
	}
	return depends
}

// users returns the nodes that take each value.
func users(nodes []*onnx.NodeProto) map[string][]*onnx.NodeProto {
	all := map[string][]*onnx.NodeProto{}
	for _, n := range nodes {
		for _, x := range n.Input {
			all[x] = append(all[x], n)
		}
	}
	return all
}

// wide returns the values of double precision: those that are cast to it, and what is
// computed from such.
func wide(nodes []*onnx.NodeProto) map[string]bool {
	all := map[string]bool{}
	for _, n := range nodes {
		is := slices.ContainsFunc(n.Input, func(x string) bool { return all[x] }) && !ends(n)
		if n.OpType == "Cast" {
			is = onnx.TensorProto_DataType(n.IntAttr("to", 0)) == onnx.TensorProto_DOUBLE
		}
		for _, y := range n.Output {
			all[y] = is
		}
	}
	return all
}

// unbroadcast sums a gradient over the axes along which an operator has stretched its
// input, which is of the shape s.
func (w *walk) unbroadcast(g string, s onnx.Shape) string {
	stretched := w.shape(g)
	added := len(stretched) - len(s)
	var axes []int
	for i, d := range stretched {
		if i < added || d != s[i-added] && s[i-added] == (onnx.Dim{Size: 1}) {
			axes = append(axes, i)
		}
	}
	if len(axes) == 0 {
		return g
	}
	if w.onePerMap(s, stretched) {
		return w.scale(w.op("GlobalAveragePool", g), float64(stretched[2:].Elements().Size))
	}
	g = w.sum(g, axes...)
	if added > 0 {
		g = w.reshape(g, s)
	}
	return g
}

// refuse keeps the first reason against the node at hand.
func (w *walk) refuse(format string, args ...any) {
	if w.err == nil {
		w.err = fmt.Errorf(format, args...)
	}
}

// note is refuse for what package onnx finds wrong with a node.
func (w *walk) note(err error) {
	if err != nil {
		w.refuse("is not in a form that has a gradient: %w", err)
	}
}

// shape returns a value's shape; one that is not known is noted.
func (w *walk) shape(value string) onnx.Shape {
	s, err := w.Shape(value)
	w.note(err)
	return s
}
