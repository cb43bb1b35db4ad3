package onnx

import (
	"fmt"
	"maps"
	"slices"
)

// shapeOf is the answer to what a value's shape is.
type shapeOf struct {
	shape Shape
	err   error
}

// Shape returns a value's shape: the one that the graph says, or else the one that
// follows from the shapes of what it is computed from. A value of which neither is
// known is an error that names what is missing.
func (b *Builder) Shape(value string) (Shape, error) {
	if known, ok := b.shapes[value]; ok {
		return known.shape, known.err
	}
	if t := b.constants[value]; t != nil {
		b.shapes[value] = shapeOf{t.Shape(), t.Shape().check()}
		return b.shapes[value].shape, b.shapes[value].err
	}
	n := b.makers[value]
	if n == nil {
		return nil, fmt.Errorf("the shape of %q is not known", value)
	}
	b.shapes[value] = shapeOf{nil, fmt.Errorf("%q is computed from itself", value)}
	shapes, err := b.Infer(n)
	for i, out := range n.Output {
		switch {
		case out == "" || i >= len(shapes) && err == nil && out != value:
			continue
		case i >= len(shapes) && err == nil:
			b.shapes[out] = shapeOf{nil, fmt.Errorf("the shape of %q, output %d of a %s, is not known", out, i, n.OpType)}
		case err != nil:
			b.shapes[out] = shapeOf{nil, err}
		default:
			b.shapes[out] = shapeOf{shape: shapes[i]}
		}
	}
	return b.shapes[value].shape, b.shapes[value].err
}

// Ints returns the integers that a value holds, if it is an initializer. An empty
// name is a value that was left out: it has none.
func (b *Builder) Ints(value string) ([]int, error) {
	if value == "" {
		return nil, nil
	}
	t := b.constants[value]
	if t == nil {
		return nil, fmt.Errorf("%q is no initializer", value)
	}
	v, err := t.Ints()
	return ints(v), err
}

// Infer returns the shapes of a node's outputs, as far as they follow from those of
// its inputs: not all optional outputs are there. What the operator cannot take is
// an error that names the node.
func (b *Builder) Infer(n *NodeProto) ([]Shape, error) {
	infer := inferences[n.OpType]
	if infer == nil || n.Domain != "" {
		return nil, fmt.Errorf("%s: the shapes that %s makes are not known", n.Name, n.OpType)
	}
	o := &operands{NodeProto: n, b: b}
	shapes := infer(o)
	for _, s := range shapes {
		o.note(s.check())
	}
	if o.err != nil {
		return nil, fmt.Errorf("%s (%s): %w", n.Name, n.OpType, o.err)
	}
	return shapes, nil
}

// operands are what a node takes. The first thing that is wrong with them is kept.
type operands struct {
	*NodeProto
	b   *Builder
	err error
}

func (o *operands) note(err error) {
	if o.err == nil {
		o.err = err
	}
}

func (o *operands) wrong(format string, args ...any) []Shape {
	o.note(fmt.Errorf(format, args...))
	return nil
}

// shape is that of input i.
func (o *operands) shape(i int) Shape {
	s, err := o.b.Shape(o.Operand(i))
	o.note(err)
	return s
}

// rank is shape(i), which must have at least so many dimensions: a nil one is what
// the caller returns.
func (o *operands) rank(i, least int) Shape {
	s := o.shape(i)
	if o.err == nil && len(s) < least {
		o.wrong("the shape of %q is %v, want at least %d dimensions", o.Operand(i), s, least)
	}
	if o.err != nil {
		return nil
	}
	return s
}

// ints are the values of input i.
func (o *operands) ints(i int) []int {
	v, err := o.b.Ints(o.Operand(i))
	o.note(err)
	return v
}

// held is the shape that input i holds as values: those of an initializer, or what
// the operator Shape took of another value.
func (o *operands) held(i int) Shape {
	if n := o.b.Maker(o.Operand(i)); n != nil && n.OpType == "Shape" && len(n.Attribute) == 0 {
		s, err := o.b.Shape(n.Operand(0))
		o.note(err)
		return s
	}
	return Static(o.ints(i)...)
}

// axis is an attribute that is an axis of s.
func (o *operands) axis(s Shape, name string, otherwise int) int {
	axis, err := s.Axis(o.IntAttr(name, otherwise))
	o.note(err)
	return axis
}

// axes turns axes of s that may be counted from the end into ones that are not, in
// ascending order.
func (o *operands) axes(s Shape, axes []int) []int {
	out := make([]int, len(axes))
	for i, a := range axes {
		axis, err := s.Axis(a)
		o.note(err)
		out[i] = axis
	}
	slices.Sort(out)
	if len(slices.Compact(slices.Clone(out))) < len(out) {
		o.wrong("the axes %v name one twice", axes)
	}
	return out
}

// inferences is what is known of operators' outputs, of opset 17. It is filled when
// the program starts, since the entries lead back to it.
var inferences = map[string]func(o *operands) []Shape{}

func init() {
	maps.Copy(inferences, map[string]func(o *operands) []Shape{
		"Conv":               inferConv,
		"ConvTranspose":      inferConvTranspose,
		"BatchNormalization": inferBatchNorm,
		"MaxPool":            inferPool,
		"AveragePool":        inferPool,
		"GlobalAveragePool":  inferGlobalPool,
		"GlobalMaxPool":      inferGlobalPool,
		"Gemm":               inferGemm,
		"MatMul":             inferMatMul,
		"Einsum":             inferEinsum,
		"Constant":           inferConstant,
		"ConstantOfShape":    func(o *operands) []Shape { return []Shape{o.held(0)} },
		"Shape":              func(o *operands) []Shape { return []Shape{Static(len(o.shape(0)))} },
		"Reshape":            inferReshape,
		"Flatten":            inferFlatten,
		"Squeeze":            inferSqueeze,
		"Unsqueeze":          inferUnsqueeze,
		"Transpose":          inferTranspose,
		"Expand":             inferExpand,
		"Tile":               inferTile,
		"Concat":             inferConcat,
		"Split":              inferSplit,
		"Slice":              inferSlice,
		"Gather":             inferGather,
		"GatherElements":     func(o *operands) []Shape { return []Shape{o.shape(1)} },
		"GatherND":           inferGatherND,
		"Pad":                inferPad,
		"DepthToSpace":       inferDepthToSpace,
		"SpaceToDepth":       inferSpaceToDepth,
		"Resize":             inferResize,
		"ArgMax":             inferArg,
		"ArgMin":             inferArg,
		"OneHot":             inferOneHot,
		"TopK":               inferTopK,
	})
	for _, op := range slices.Concat(pointwise, likeFirst) {
		inferences[op] = func(o *operands) []Shape { return []Shape{o.shape(0)} }
	}
	for _, op := range broadcast {
		inferences[op] = inferBroadcast
	}
	for _, op := range reducing {
		inferences[op] = inferReduce
	}
}

// Operators that treat each element of their first input alone, others whose output has
// its shape, those that broadcast all their inputs, and those that reduce axes.
var (
	pointwise = []string{
		"Abs", "Cast", "Ceil", "Celu", "Clip", "Cos", "Dropout", "Elu", "Erf", "Exp", "Floor", "HardSigmoid", "HardSwish",
		"Identity", "IsInf", "IsNaN", "LeakyRelu", "Log", "Neg", "Not", "PRelu", "Reciprocal", "Relu", "Round", "Selu",
		"Sigmoid", "Sign", "Sin", "Softplus", "Softsign", "Sqrt", "Tan", "Tanh", "ThresholdedRelu",
	}
	likeFirst = []string{
		"CumSum", "Hardmax", "InstanceNormalization", "LayerNormalization", "LogSoftmax", "LpNormalization", "LRN",
		"ScatterElements", "ScatterND", "Softmax",
	}
	broadcast = []string{
		"Add", "And", "Div", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Max", "Mean", "Min", "Mod",
		"Mul", "Or", "Pow", "Sub", "Sum", "Where", "Xor",
	}
	reducing = []string{
		"ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd",
		"ReduceSum", "ReduceSumSquare",
	}
)

func inferBatchNorm(o *operands) []Shape {
	s := o.rank(0, 2)
	for i := 1; i < 5 && o.err == nil; i++ {
		if !o.shape(i).Equal(Shape{s[1]}) {
			return o.wrong("%q is of the shape %v, want a number for each channel of %v", o.Operand(i), o.shape(i), s)
		}
	}
	return []Shape{s}
}

func inferBroadcast(o *operands) []Shape {
	var out Shape
	for i := range o.Input {
		s, err := Broadcast(out, o.shape(i))
		o.note(err)
		out = s
	}
	return []Shape{out}
}

// Axes returns the axes that an operator such as ReduceMean reduces, given the shape
// of its input, and whether they stay, as 1.
func (b *Builder) Axes(n *NodeProto, s Shape) (axes []int, keep bool, err error) {
	o := &operands{NodeProto: n, b: b}
	axes = n.IntsAttr("axes")
	if n.OpType == "ReduceSum" {
		axes = o.ints(1)
	}
	if len(axes) == 0 && n.IntAttr("noop_with_empty_axes", 0) == 0 {
		for i := range s {
			axes = append(axes, i)
		}
	}
	axes = o.axes(s, axes)
	return axes, n.IntAttr("keepdims", 1) != 0, o.err
}

func inferReduce(o *operands) []Shape {
	s := o.shape(0)
	axes, keep, err := o.b.Axes(o.NodeProto, s)
	o.note(err)
	if o.err != nil {
		return nil
	}
	return []Shape{without(s, axes, keep)}
}

// without is a shape whose axes are reduced.
func without(s Shape, axes []int, keep bool) Shape {
	var out Shape
	for i, d := range s {
		switch {
		case !slices.Contains(axes, i):
			out = append(out, d)
		case keep:
			out = append(out, Dim{Size: 1})
		}
	}
	return out
}

func inferArg(o *operands) []Shape {
	s := o.shape(0)
	axis := o.axis(s, "axis", 0)
	return []Shape{without(s, []int{axis}, o.IntAttr("keepdims", 1) != 0)}
}

func inferTopK(o *operands) []Shape {
	s, k := slices.Clone(o.shape(0)), o.ints(1)
	axis := o.axis(s, "axis", -1)
	if o.err != nil {
		return nil
	}
	if len(k) != 1 || k[0] < 1 || !s[axis].Batch && k[0] > s[axis].Size {
		return o.wrong("takes %v of %v", k, s)
	}
	s[axis] = Dim{Size: k[0]}
	return []Shape{s, s}
}

func inferOneHot(o *operands) []Shape {
	s, depth := o.shape(0), o.ints(1)
	if o.err != nil || len(depth) != 1 || o.IntAttr("axis", -1) != -1 {
		return o.wrong("want a constant depth and the last axis")
	}
	return []Shape{append(slices.Clone(s), Dim{Size: depth[0]})}
}

func inferConstant(o *operands) []Shape {
	if t := o.TensorAttr("value"); t != nil {
		return []Shape{t.Shape()}
	}
	return o.wrong("its value is not a tensor")
}
