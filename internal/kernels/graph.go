package kernels

import (
	"slices"

	"github.com/ascood/ascood/onnx"
)

// blocked is the domain of ONNX Runtime's operators on maps in the blocked layout.
const blocked = "com.microsoft.nchwc"

// microsoft is the domain of ONNX Runtime's other operators of its own.
const microsoft = "com.microsoft"

// graph is one that is being rewritten.
type graph struct {
	*onnx.GraphProto
	lanes     int
	constants map[string]*onnx.TensorProto
	makers    map[string]*onnx.NodeProto
	users     map[string]int          // how many operands, and outputs of the graph, a value is
	places    map[*onnx.NodeProto]int // in the file
	gone      map[*onnx.NodeProto]bool
	shapes    *onnx.Builder   // knows those of values
	floats    map[string]bool // values of float32
	changed   bool
}

// Rewrite puts the operators into a graph that ONNX Runtime has optimized, whose blocks are of so many channels. It
// reports whether the graph has any now.
func Rewrite(m *onnx.ModelProto, lanes int) bool {
	g := &graph{GraphProto: m.Graph, lanes: lanes, constants: onnx.Constants(m.Graph), gone: map[*onnx.NodeProto]bool{}}
	g.settle()
	g.measure()
	g.types()
	g.count()
	g.stay()
	g.clips()
	for _, n := range g.Node {
		g.winograd(n)
	}
	for _, n := range g.Node {
		g.gate(n)
	}
	for _, n := range slices.Backward(g.Node) {
		if !g.gone[n] {
			g.elementwise(n)
		}
	}
	for _, n := range g.Node {
		if !g.gone[n] {
			g.end(n)
		}
	}
	if !g.changed {
		return false
	}
	g.sweep()
	m.OpsetImport = withDomain(m.OpsetImport)
	return true
}

func (g *graph) count() {
	g.users, g.places = map[string]int{}, map[*onnx.NodeProto]int{}
	for i, n := range g.Node {
		g.places[n] = i
		for _, in := range n.Input {
			g.users[in]++
		}
	}
	for _, out := range g.Output {
		g.users[out.Name]++
	}
}

// become makes a node one of ours.
func (g *graph) become(n *onnx.NodeProto, op string, inputs []string, attrs ...onnx.Attr) {
	n.Domain, n.OpType, n.Input, n.Attribute = Domain, op, inputs, attrs
	g.changed = true
}

// release says that a value has lost a user. What makes it is gone with the last.
func (g *graph) release(v string) {
	g.users[v]--
	if n := g.makers[v]; g.users[v] == 0 && n != nil {
		g.gone[n] = true
		for _, in := range n.Input {
			g.release(in)
		}
	}
}

// sweep takes out the nodes that are gone, and the constants that nobody takes any more. It says the shapes of what the
// operators make, without which nothing would be written over what it is computed from.
func (g *graph) sweep() {
	g.Node = slices.DeleteFunc(g.Node, func(n *onnx.NodeProto) bool { return g.gone[n] })
	g.count()
	g.Initializer = slices.DeleteFunc(g.Initializer, func(t *onnx.TensorProto) bool { return g.users[t.Name] == 0 })
	for _, n := range g.Node {
		if s, err := g.shapes.Shape(n.Output[0]); n.Domain == Domain && err == nil {
			g.ValueInfo = append(g.ValueInfo, onnx.Described(n.Output[0], onnx.TensorProto_FLOAT, s))
		}
	}
}
