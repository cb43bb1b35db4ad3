package importer

import (
	"cmp"
	"errors"
	"slices"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/onnx"
)

// batch finishes the graph: it finds out where each value counts the images, and lets
// the network take any number of them. Where that cannot be found out, it takes one.
func (c *canonical) batch(net *Network, in image) error {
	c.Output(net.Logits, "class scores", onnx.TensorProto_FLOAT, in.batch, net.Classes)
	m, err := c.Model("", "")
	if err != nil {
		return err
	}
	if m, err = onnx.Extract(m, []string{net.Logits}); err != nil {
		return err
	}
	if len(m.Graph.Input) == 0 {
		return ascood.Errorf(ascood.Invalid, "the logits do not depend on the image")
	}
	t := &tracker{g: m.Graph, batch: in.batch, consts: onnx.Constants(m.Graph), values: map[string]tracked{}}
	shapes, err := t.solve(onnx.Images(3, in.size, in.size), onnx.Shape{onnx.N, onnx.Dim{Size: net.Classes}})
	if err != nil && in.batch > 1 {
		return ascood.Errorf(ascood.Unsupported, "the file takes %d images at a time, and it cannot be told where it counts them; export it for one image, or for any number (dynamic_axes)", in.batch)
	}
	if err != nil {
		net.single()
		shapes = c.static(m.Graph)
	}
	net.Image, net.Model = in.name, m
	rewrite(m.Graph, shapes)
	return nil
}

func (net *Network) single() {
	net.Single = true
	net.note("it cannot be told where the network counts images: it takes one at a time")
}

// static returns the shapes of all values as the file has them.
func (c *canonical) static(g *onnx.GraphProto) map[string]onnx.Shape {
	shapes := map[string]onnx.Shape{}
	for _, v := range g.Input {
		shapes[v.Name], _ = c.Shape(v.Name)
	}
	for _, n := range g.Node {
		for _, out := range n.Output {
			shapes[out], _ = c.Shape(out)
		}
	}
	return shapes
}

// rewrite says the shapes of a graph's values, and has each Reshape make its own.
func rewrite(g *onnx.GraphProto, shapes map[string]onnx.Shape) {
	for i, v := range g.Input {
		g.Input[i] = onnx.Described(v.Name, onnx.TensorProto_FLOAT, shapes[v.Name])
	}
	for i, v := range g.Output {
		g.Output[i] = onnx.Described(v.Name, onnx.TensorProto_FLOAT, shapes[v.Name])
	}
	targets := map[string]string{}
	g.ValueInfo = nil
	makers := onnx.Makers(g)
	maker := func(value string) *onnx.NodeProto { return makers[value] }
	for _, n := range g.Node {
		for _, out := range n.Output {
			if out != "" {
				g.ValueInfo = append(g.ValueInfo, onnx.Described(out, onnx.TypeOf(maker, out), shapes[out]))
			}
		}
		if n.OpType != "Reshape" {
			continue
		}
		target := shapes[n.Output[0]].Target()
		key := shapes[n.Output[0]].String()
		if targets[key] == "" {
			targets[key] = onnx.Prefix + "shape" + key
			var sizes []int64
			for _, size := range target {
				sizes = append(sizes, int64(size))
			}
			g.Initializer = append(g.Initializer, onnx.NewInts(targets[key], sizes, int64(len(sizes))))
		}
		n.Input[1] = targets[key]
	}
	used := map[string]bool{}
	for _, n := range g.Node {
		for _, in := range n.Input {
			used[in] = true
		}
	}
	g.Initializer = slices.DeleteFunc(g.Initializer, func(t *onnx.TensorProto) bool { return !used[t.Name] })
}

// tracked is a value's shape, with the number of elements of the axis of the images
// that come before these: an axis of 49·N may be 49 images' worth, or images of 49.
type tracked struct {
	shape onnx.Shape
	outer int
}

// tracker follows the axis of the images through a graph of a fixed batch. All but
// Reshape leaves no choice of where it goes. Of a Reshape's axes all are tried that
// can hold the images in their order, until no operator contradicts.
type tracker struct {
	g      *onnx.GraphProto
	batch  int
	consts map[string]*onnx.TensorProto
	values map[string]tracked
	steps  int
}

// choice is a Reshape with the axes that are yet to be tried.
type choice struct {
	node int
	rest []tracked
}

var errNotTracked = errors.New("the axis of the images cannot be followed")

// solve returns the shapes of all values, given those of the image and of the logits.
func (t *tracker) solve(image, logits onnx.Shape) (map[string]onnx.Shape, error) {
	t.values[t.g.Input[0].Name] = tracked{image, 1}
	most := 1000 + 20*len(t.g.Node)
	var choices []choice
	for i := 0; i < len(t.g.Node); i++ {
		if t.steps++; t.steps > most {
			return nil, errNotTracked
		}
		n := t.g.Node[i]
		var err error
		if options := t.options(n); n.OpType == "Reshape" && options != nil {
			choices = append(choices, choice{i, options})
			err = errNotTracked // so that the first is taken
		} else {
			err = t.follow(n)
		}
		if n.Output[0] == t.g.Output[0].Name && err == nil && !t.values[n.Output[0]].shape.Equal(logits) {
			err = errNotTracked
		}
		for err != nil {
			if len(choices) == 0 {
				return nil, err
			}
			last := &choices[len(choices)-1]
			if len(last.rest) == 0 {
				choices = choices[:len(choices)-1]
				continue
			}
			made := t.g.Node[last.node]
			t.values[made.Output[0]], last.rest, i = last.rest[0], last.rest[1:], last.node
			err = nil
			if made.Output[0] == t.g.Output[0].Name && !t.values[made.Output[0]].shape.Equal(logits) {
				err = errNotTracked
			}
		}
	}
	shapes := map[string]onnx.Shape{}
	for name, v := range t.values {
		shapes[name] = v.shape
	}
	return shapes, nil
}

// options returns what a Reshape can make of its input, the likeliest first: axes that
// hold little beside the images.
func (t *tracker) options(n *onnx.NodeProto) []tracked {
	if n.OpType != "Reshape" {
		return nil
	}
	in := t.values[n.Operand(0)]
	target := t.consts[n.Operand(1)]
	at := in.shape.BatchAxis()
	if target == nil || at < 0 {
		return nil
	}
	values, err := target.Ints()
	if err != nil {
		return nil
	}
	sizes := ints(values)
	before := product(in.shape[:at].At(1)) * in.outer
	var options []tracked
	for k, size := range sizes {
		lead := product(sizes[:k])
		if lead == 0 || size%t.batch != 0 || before%lead != 0 || (size/t.batch)%(before/lead) != 0 {
			continue
		}
		shape := onnx.Static(sizes...)
		shape[k] = onnx.Dim{Size: size / t.batch, Batch: true}
		options = append(options, tracked{shape, before / lead})
	}
	slices.SortStableFunc(options, func(a, b tracked) int {
		return cmp.Compare(a.shape[a.shape.BatchAxis()].Size, b.shape[b.shape.BatchAxis()].Size)
	})
	return options
}

// follow finds the shapes of what a node computes.
func (t *tracker) follow(n *onnx.NodeProto) error {
	one := &onnx.GraphProto{Node: []*onnx.NodeProto{n}}
	outer := 0
	for _, in := range n.Input {
		if c := t.consts[in]; c != nil {
			one.Initializer = append(one.Initializer, c)
			continue
		}
		v, ok := t.values[in]
		if !ok {
			continue
		}
		one.ValueInfo = append(one.ValueInfo, onnx.Described(in, onnx.TensorProto_FLOAT, v.shape))
		if v.shape.BatchAxis() < 0 {
			continue
		}
		if outer != 0 && v.outer != outer {
			return errNotTracked
		}
		outer = v.outer
	}
	if t.mixes(n) {
		return errNotTracked
	}
	shapes, err := onnx.Extend(one).Infer(n)
	if err != nil {
		return err
	}
	for i, out := range n.Output {
		if out == "" {
			continue
		}
		if i >= len(shapes) || shapes[i].BatchAxis() < 0 {
			return errNotTracked
		}
		t.values[out] = tracked{shapes[i], t.outer(n, shapes[i], outer)}
	}
	return nil
}

// outer is what stands before the images in their axis of what a node makes.
func (t *tracker) outer(n *onnx.NodeProto, made onnx.Shape, outer int) int {
	if n.OpType != "Flatten" {
		return outer
	}
	in := t.values[n.Operand(0)]
	before := product(in.shape[:in.shape.BatchAxis()].At(1)) * in.outer
	return before / max(product(made[:made.BatchAxis()].At(1)), 1)
}

// mixes reports whether a node would compute an image's values from those of others.
func (t *tracker) mixes(n *onnx.NodeProto) bool {
	s := t.values[n.Operand(0)].shape
	at := s.BatchAxis()
	along := func(axes ...int) bool {
		return at >= 0 && slices.ContainsFunc(axes, func(a int) bool { return a == at || a+len(s) == at })
	}
	switch n.OpType {
	case "Conv", "ConvTranspose", "MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool", "DepthToSpace", "SpaceToDepth", "BatchNormalization", "Gemm":
		return at != 0
	case "Softmax", "LogSoftmax", "LayerNormalization", "LpNormalization", "ArgMax", "ArgMin", "Concat", "Split", "Gather", "TopK":
		otherwise := map[string]int{"ArgMax": 0, "ArgMin": 0, "Split": 0, "Gather": 0}
		a, ok := otherwise[n.OpType]
		if !ok {
			a = -1
		}
		if n.OpType == "Concat" {
			for _, in := range n.Input {
				v := t.values[in].shape
				if v != nil && v.BatchAxis() >= 0 {
					s, at = v, v.BatchAxis()
				}
			}
		}
		return along(n.IntAttr("axis", a))
	case "GatherElements", "GatherND", "ScatterElements", "ScatterND", "CumSum":
		return true
	case "Einsum":
		eq, err := onnx.EquationOf(n)
		if err != nil {
			return true
		}
		for i, in := range n.Input {
			if v := t.values[in].shape; v != nil && v.BatchAxis() >= 0 && !slices.Contains([]byte(eq.Out), eq.In[i][v.BatchAxis()]) {
				return true
			}
		}
	case "ReduceSum":
		axes, err := t.consts[n.Operand(1)].Ints()
		return err != nil || along(ints(axes)...)
	case "ReduceMean", "ReduceMax", "ReduceMin", "ReduceL1", "ReduceL2", "ReduceSumSquare", "ReduceLogSum", "ReduceLogSumExp", "ReduceProd":
		return along(n.IntsAttr("axes")...)
	}
	return false
}
