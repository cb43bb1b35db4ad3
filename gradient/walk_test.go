package gradient

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/internal/ort"
	"github.com/ascood/ascood/onnx"
)

// refused is a node that cannot be differentiated.
type refused struct {
	op     string
	in     []operand
	attrs  []onnx.Attr
	reason string
	domain string
}

var refusedNodes = []refused{
	{op: "GridSample", in: in(images(3, 4, 4), images(4, 4, 2)), reason: "has no gradient rule"},
	{op: "Loop", in: in(images(3)), reason: "has no gradient rule: export the network with a fixed number of steps, written out"},
	{op: "QuantizeLinear", in: in(images(3)), reason: "quantised networks change in steps"},
	{op: "Gelu", in: in(images(3)), domain: "com.microsoft", reason: "it is an operator of com.microsoft"},
	{op: "Pow", in: in(images(3), constant(3)), reason: "an exponent that is not one constant number"},
	{op: "Pow", in: in(number(2), images(3)), reason: "an input 1 that depends"},
	{op: "Cast", in: in(images(3)), attrs: []onnx.Attr{onnx.Int("to", int(onnx.TensorProto_FLOAT16))}, reason: "casts to FLOAT16"},
	{op: "Clip", in: in(images(3), constant(2)), reason: "bounds that are not constant numbers"},
	{op: "PRelu", in: in(images(3), images(3)), reason: "an input 1 that depends"},
	{op: "Gemm", in: in(of(onnx.Dim{Size: 5}, onnx.N), constant(5, 7)), attrs: []onnx.Attr{onnx.Int("transA", 1)}, reason: "has transA"},
	{op: "MatMul", in: in(images(3), constant(4, 5)), reason: "cannot be multiplied"},
	{op: "Einsum", in: in(images(3), images(3), images(3)), attrs: []onnx.Attr{onnx.String("equation", "bi,bi,bi->b")}, reason: "has 3 operands, want at most two"},
	{op: "Einsum", in: in(images(3, 3)), attrs: []onnx.Attr{onnx.String("equation", "bii->bi")}, reason: "a letter of its own for each axis"},
	{op: "Conv", in: in(images(3, 8, 8), constant(4, 3, 3, 3)), attrs: []onnx.Attr{onnx.String("auto_pad", "SAME_UPPER")}, reason: "auto_pad is SAME_UPPER"},
	{op: "Conv", in: in(images(3, 8, 8), images(3, 3, 3)), reason: "counts the images in more than one axis"},
	{op: "ConvTranspose", in: in(images(3, 8, 8), constant(3, 4, 3, 3)), attrs: []onnx.Attr{onnx.Ints("output_shape", 9, 9)}, reason: "do not fit"},
	{op: "MaxPool", in: in(images(3, 8, 8)), attrs: []onnx.Attr{onnx.Ints("kernel_shape", 2, 2), onnx.Int("storage_order", 1)}, reason: "storage_order other than 0"},
	{op: "AveragePool", in: in(images(3, 8, 8)), reason: "do not go together"},
	{op: "BatchNormalization", in: in(images(3), constant(3), constant(3), constant(3), constant(3)), attrs: []onnx.Attr{onnx.Int("training_mode", 1)}, reason: "is in training mode"},
	{op: "Dropout", in: in(images(3), number(0.5), number(1)), reason: "drops values at random"},
	{op: "LpNormalization", in: in(images(3)), attrs: []onnx.Attr{onnx.Int("p", 1)}, reason: "has p 1, want 2"},
	{op: "Softmax", in: in(images(3)), attrs: []onnx.Attr{axis(2)}, reason: "no axis 2"},
	{op: "ReduceMean", in: in(images(3)), attrs: []onnx.Attr{axes(0)}, reason: "over the axis of the batch"},
	{op: "ReduceSum", in: in(images(3)), reason: "over the axis of the batch"},
	{op: "ReduceSum", in: in(images(3), images()), reason: "no initializer"},
	{op: "Tan", in: in(images(3)), reason: "has no gradient rule"},
	{op: "Reshape", in: in(images(3), images()), reason: "no initializer"},
	{op: "Concat", in: in(images(3), images(3)), attrs: []onnx.Attr{axis(0)}, reason: "along the axis of the batch"},
	{op: "Slice", in: in(images(3), ints(0), ints(1), ints(0)), reason: "some of the images"},
	{op: "Gather", in: in(images(3), ints(0)), reason: "along the axis of the batch"},
	{op: "Gather", in: in(images(3), of(onnx.Dim{Size: 2})), attrs: []onnx.Attr{axis(1)}, reason: "no initializer"},
	{op: "Gather", in: in(images(3), ints(3)), attrs: []onnx.Attr{axis(1)}, reason: "takes element 3 of 3"},
	{op: "Gather", in: in(images(3), ints(make([]int, 65)...)), attrs: []onnx.Attr{axis(1)}, reason: "65 times, want at most 64"},
	{op: "Gather", in: in(images(1<<21), ints(0)), attrs: []onnx.Attr{axis(1)}, reason: "an axis of 2097152"},
	{op: "GatherElements", in: in(images(3), ints(0)), reason: "along the axis of the batch"},
	{op: "GatherND", in: in(images(3), ints(0)), reason: "along the axis of the batch"},
	{op: "ScatterND", in: in(images(3), ints(0), images(3)), attrs: []onnx.Attr{onnx.String("reduction", "mul")}, reason: "has the reduction mul, want none or add"},
	{op: "Pad", in: in(images(3), ints(0, 1, 0, 1)), attrs: []onnx.Attr{onnx.String("mode", "reflect")}, reason: "of the mode reflect; a Gather"},
	{op: "Resize", in: in(images(3, 4, 4), omitted, omitted, ints(1, 3, 8, 8)), attrs: []onnx.Attr{onnx.String("mode", "linear")}, reason: "of the mode linear"},
	{op: "Resize", in: in(images(3, 4, 4), omitted, omitted, ints(1, 3, 7, 8)), reason: "want whole multiples"},
}

// graph is the node, of operands that an unknown operator makes of the input.
func (r refused) graph(t *testing.T) *onnx.GraphProto {
	t.Helper()
	b := onnx.NewBuilder("refused")
	b.Input("x", "", onnx.TensorProto_FLOAT, onnx.Batch, 3)
	var names []string
	var said []*onnx.ValueInfoProto
	for _, o := range r.in {
		name := ""
		switch {
		case o.ints != nil:
			name = b.Int64s(o.ints...)
		case o.variable:
			name = b.Op("Opaque", []string{"x"})
			said = append(said, onnx.Described(name, onnx.TensorProto_FLOAT, o.shape))
		case !o.omitted:
			name = b.Weights("w", o.draw(rand.New(rand.NewPCG(1, 2)), 1), o.shape.At(1)...)
		}
		names = append(names, name)
	}
	y := b.Op(r.op, names, r.attrs...)
	b.Maker(y).Domain = r.domain
	b.Output(y, "", onnx.TensorProto_FLOAT, onnx.Batch, 5)
	m, err := b.Model("test", "1")
	if err != nil {
		t.Fatal(err)
	}
	m.Graph.ValueInfo = said
	m.Graph.Output[0] = onnx.Shapeless(y, onnx.TensorProto_FLOAT)
	return m.Graph
}

// TestRefusals: what cannot be differentiated is named with the reason, and does not
// hide what comes before it.
func TestRefusals(t *testing.T) {
	for _, r := range refusedNodes {
		t.Run(r.op+" "+r.reason, func(t *testing.T) {
			faults := Unsupported(r.graph(t))
			found := slices.ContainsFunc(faults, func(f Fault) bool { return f.Node == r.op && f.Op == r.op && strings.Contains(f.Reason, r.reason) })
			if !found {
				t.Errorf("the faults are %v, want one of %s that says %s", faults, r.op, r.reason)
			}
			if !slices.ContainsFunc(faults, func(f Fault) bool { return f.Op == "Opaque" && f.Reason == "has no gradient rule" }) {
				t.Errorf("the faults are %v, want those of Opaque, too", faults)
			}
		})
	}
}

// chain is a graph of operators of one input, one after the other.
func chain(t *testing.T, ops ...string) *onnx.Builder {
	t.Helper()
	b := onnx.NewBuilder("chain")
	x := b.Input("x", "", onnx.TensorProto_FLOAT, onnx.Batch, 3)
	for _, op := range ops {
		x = b.Op(op, []string{x})
	}
	b.Output(b.Rename(x, "y"), "", onnx.TensorProto_FLOAT, onnx.Batch, 3)
	return b
}

// TestRefusalGroups: all faults are in one error, those of one kind together.
func TestRefusalGroups(t *testing.T) {
	b := chain(t, "Relu", "Odd", "Tanh", "Odd", "Odder")
	_, err := Of(b, CPU, "y", "y", "x")
	want := "the network cannot be differentiated:\n  Odder (\"Odder\") has no gradient rule\n  Odd (2 nodes, the first \"Odd_2\") has no gradient rule"
	if err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("the error is\n%v\nwant\n%s", err, want)
	}
	if ascood.CodeOf(err) != ascood.Unsupported {
		t.Errorf("the error has the code %s", ascood.CodeOf(err))
	}
	if err := Refusal(nil); err != nil {
		t.Errorf("without faults the error is %v", err)
	}
}

// TestNoWay: an output that the input does not change, or changes in steps.
func TestNoWay(t *testing.T) {
	for _, ops := range [][]string{{"Floor", "Relu"}, {"Sign"}} {
		m, err := chain(t, ops...).Model("test", "1")
		if err != nil {
			t.Fatal(err)
		}
		faults := Unsupported(m.Graph)
		if len(faults) != 1 || !strings.Contains(faults[0].Reason, `"y" does not depend on "x" but by operators whose result changes in steps`) {
			t.Errorf("%v: the faults are %v", ops, faults)
		}
	}
	if faults := Unsupported(&onnx.GraphProto{}); len(faults) != 1 || !strings.Contains(faults[0].Reason, "no input or no output") {
		t.Errorf("of an empty graph the faults are %v", faults)
	}
}

// TestUnsupportedLeavesTheGraph: it is looked at, not added to.
func TestUnsupportedLeavesTheGraph(t *testing.T) {
	m, err := chain(t, "Relu", "Tanh").Model("test", "1")
	if err != nil {
		t.Fatal(err)
	}
	if faults := Unsupported(m.Graph); len(faults) > 0 || len(m.Graph.Node) != 2 {
		t.Errorf("the faults are %v, the nodes %v", faults, m.Graph.Node)
	}
}

// TestOffTheWay: of what the input does not change, nothing is computed.
func TestOffTheWay(t *testing.T) {
	b := onnx.NewBuilder("off")
	x := b.Input("x", "", onnx.TensorProto_FLOAT, onnx.Batch, 3)
	w := b.Op("Odd", []string{b.Weights("w", []float32{1, 2, 3}, 3)}) // no rule, but constant
	unused := b.Op("Odd", []string{x})
	y := b.Op("Add", []string{x, b.Op("Round", []string{x})})
	y = b.Op("Mul", []string{y, b.Weights("v", []float32{1, 2, 3}, 3)})
	before := len(b.Nodes())
	g, err := Of(b, CPU, y, y, x)
	if err != nil {
		t.Fatal(err)
	}
	if added := b.Nodes()[before:]; len(added) != 1 || added[0].Output[0] != g || added[0].Name != "gradient/Mul/Mul" {
		t.Errorf("what was added is %v", added)
	}
	_, _ = w, unused
}

// TestSaidOtherwise: a shape that the graph says, but its operators do not make.
func TestSaidOtherwise(t *testing.T) {
	b := chain(t, "Relu", "Tanh")
	m, err := b.Model("test", "1")
	if err != nil {
		t.Fatal(err)
	}
	m.Graph.ValueInfo = []*onnx.ValueInfoProto{onnx.Described("Relu", onnx.TensorProto_FLOAT, onnx.Images(4))}
	faults := Unsupported(m.Graph)
	if !slices.ContainsFunc(faults, func(f Fault) bool {
		return f.Node == "Relu" && f.Reason == "makes [N,3], but is said to make [N,4]"
	}) {
		t.Errorf("the faults are %v", faults)
	}
}

// TestSecondOutput: the mean and the deviation that a LayerNormalization may put out
// have no rule.
func TestSecondOutput(t *testing.T) {
	b := onnx.NewBuilder("second")
	x := b.Input("x", "", onnx.TensorProto_FLOAT, onnx.Batch, 3)
	y := b.Ops("LayerNormalization", 2, []string{x, b.Weights("w", []float32{1, 2, 3}, 3)})
	_, err := Of(b, CPU, b.Op("Add", []string{y[0], y[1]}), y[0], x)
	if err == nil || !strings.Contains(err.Error(), "a second output that the result depends on") {
		t.Errorf("the error is %v", err)
	}
}

// TestMasks: a step is exactly one, at any number and at its neighbours.
func TestMasks(t *testing.T) {
	bounds := []float32{0, 1, 6, -3, 0.1, -1e-3, 1e-30, 3e38, -math.MaxFloat32, 1 << 20, 2.0 / 3}
	b := onnx.NewBuilder("masks")
	w := &walk{Builder: b}
	x := b.Input("x", "", onnx.TensorProto_FLOAT, onnx.Batch)
	for _, c := range bounds {
		for _, y := range []string{w.above(x, float64(c)), w.below(x, float64(c))} {
			b.Output(y, "", onnx.TensorProto_FLOAT, onnx.Batch)
		}
	}
	s, m := open(t, b)
	values := []float32{0, math.MaxFloat32, -math.MaxFloat32, 1.5e-38, -1.5e-38, 5, -5}
	inf := float32(math.Inf(1))
	for _, c := range bounds {
		values = append(values, c, math.Nextafter32(c, inf), math.Nextafter32(c, -inf))
	}
	out, err := s.Run(map[string]ort.Value{"x": {Shape: []int{len(values)}, Data: values}})
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range bounds {
		above, below := out[m.Graph.Output[2*i].Name].Floats(), out[m.Graph.Output[2*i+1].Name].Floats()
		for k, v := range values {
			if distance := math.Abs(float64(v) - float64(c)); distance > 0 && distance < math.Ldexp(1, -126) {
				continue // nearer than the step is steep: something between 0 and 1
			}
			if above[k] != one(v > c) || below[k] != one(v < c) {
				t.Errorf("%g is taken for above %g: %g, below: %g", values[k], c, above[k], below[k])
			}
		}
	}
}

func one(yes bool) float32 {
	if yes {
		return 1
	}
	return 0
}

// TestConstantFeature: the deviation of equal numbers is 0, where a root has no slope.
// The gradient of a standardisation must be finite there.
func TestConstantFeature(t *testing.T) {
	b := onnx.NewBuilder("constant")
	x := b.Input("x", "", onnx.TensorProto_FLOAT, onnx.Batch, 4)
	mean := func(x string) string { return b.Op("ReduceMean", []string{x}, onnx.Ints("axes", 1)) }
	centred := b.Op("Sub", []string{x, mean(x)})
	deviation := b.Op("Sqrt", []string{mean(b.Op("Mul", []string{centred, centred}))})
	y := b.Op("Div", []string{centred, b.Op("Add", []string{deviation, b.Scalar(0.5)})})
	g, err := Of(b, CPU, y, b.Input("dy", "", onnx.TensorProto_FLOAT, onnx.Batch, 4), x)
	if err != nil {
		t.Fatal(err)
	}
	b.Output(g, "", onnx.TensorProto_FLOAT, onnx.Batch, 4)
	s, _ := open(t, b)
	out, err := s.Run(map[string]ort.Value{
		"x": {Shape: []int{1, 4}, Data: []float32{3, 3, 3, 3}}, "dy": {Shape: []int{1, 4}, Data: []float32{1, 2, 3, 6}},
	})
	if err != nil {
		t.Fatal(err)
	}
	closeTo(t, "gradient", out[g].Floats(), []float64{-4, -2, 0, 6}, 1e-6) // (dy - mean(dy))/0.5
}

// TestBatchIsCopied: the batch of what is reshaped is said to be that of its input,
// which the runtime must know of values that it adds in its blocked layout.
func TestBatchIsCopied(t *testing.T) {
	b := onnx.NewBuilder("copied")
	x := b.Input("x", "", onnx.TensorProto_FLOAT, onnx.Batch, 3, 2, 2)
	y := b.Op("Flatten", []string{x})
	g, err := Of(b, CPU, y, y, x)
	if err != nil {
		t.Fatal(err)
	}
	target, err := b.Ints(b.Maker(g).Operand(1))
	if err != nil || !slices.Equal(target, []int{0, 3, 2, 2}) {
		t.Errorf("the target is %v (%v)", target, err)
	}
}

// open opens the graph that a builder holds.
func open(t testing.TB, b *onnx.Builder) (*ort.Session, *onnx.ModelProto) {
	t.Helper()
	m, err := b.Model("test", "1")
	if err != nil {
		t.Fatal(err)
	}
	s, err := ort.Open(m, ort.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s, m
}
