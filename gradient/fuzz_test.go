package gradient

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/ascood/ascood/gotorch"
	"github.com/ascood/ascood/internal/ort"
	"github.com/ascood/ascood/onnx"
)

// FuzzGraphs builds small graphs of random operators, and compares values and
// gradients with those of libtorch in float64.
func FuzzGraphs(f *testing.F) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 60 {
		plan := make([]byte, 8+rng.IntN(24))
		for i := range plan {
			plan[i] = byte(rng.IntN(256))
		}
		f.Add(plan)
	}
	for _, plan := range []string{"001011011001011021001080", "00101102100108", "00101101100101101100108"} { // pools of a Pad
		f.Add([]byte(plan))
	}
	f.Fuzz(compareGraph)
}

// FuzzUnsupported looks at graphs of each rule that were changed at random, as files may
// be that anybody has written. Whatever is wrong with them, it is said.
func FuzzUnsupported(f *testing.F) {
	var graphs []*onnx.GraphProto
	rng := rand.New(rand.NewPCG(1, 2))
	for _, family := range [][]ruleCase{elementwiseCases, activationCases, productCases, convolutionCases, poolCases, normalisationCases, reductionCases, movementCases} {
		for _, c := range family {
			g := c.build(f, CPU, rng).model.Graph
			graphs = append(graphs, onnx.WithOutputs(g, g.Output[len(g.Output)-1:])) // y alone
		}
	}
	for i := range graphs {
		for range 20 {
			edits := make([]byte, 4*(1+rng.IntN(2)))
			for k := range edits {
				edits[k] = byte(rng.IntN(256))
			}
			f.Add(uint16(i), edits)
		}
	}
	f.Fuzz(func(t *testing.T, which uint16, edits []byte) {
		g := proto.CloneOf(graphs[int(which)%len(graphs)])
		for ; len(edits) >= 4; edits = edits[4:] {
			edit(g, int(edits[0]), int(edits[1]), int(edits[2]), odd[int(edits[3])%len(odd)])
		}
		for _, f := range Unsupported(g) {
			if f.Reason == "" {
				t.Errorf("there is no reason against %v", f)
			}
		}
		if onnx.Check(&onnx.ModelProto{Graph: g}) == nil {
			t.Error("a file without versions is canonical")
		}
	})
}

// odd are numbers that a file may have where others are expected.
var odd = []int64{-1, 0, 1, 2, 3, 5, 64, -7, 1 << 20, 1 << 31, math.MaxInt64, math.MinInt64}

// edit puts a number, or another name, somewhere into a graph.
func edit(g *onnx.GraphProto, what, node, at int, v int64) {
	n := g.Node[node%len(g.Node)]
	switch what % 6 {
	case 0: // an attribute
		if len(n.Attribute) > 0 {
			a := n.Attribute[at%len(n.Attribute)]
			if a.I, a.F = v, float32(v); len(a.Ints) > 0 {
				a.Ints[at%len(a.Ints)] = v
			}
		}
	case 1: // an attribute that it does not have
		names := []string{"axis", "group", "blocksize", "transA", "keepdims", "ceil_mode", "storage_order", "to"}
		n.Attribute = append(n.Attribute, onnx.Int(names[at%len(names)], int(v)))
	case 2: // another operand
		if len(n.Input) == 0 {
			return
		}
		n.Input[at%len(n.Input)] = g.Node[int(uint64(v)%uint64(len(g.Node)))].Output[0]
	case 3: // more or fewer operands
		n.Input = n.Input[:at%(len(n.Input)+1)]
	case 4: // a shape, or how many axes there are
		dims := &g.Input[at%len(g.Input)].Type.GetTensorType().Shape.Dim
		if len(*dims) > 0 {
			*dims = (*dims)[1:]
		}
	case 5: // a constant
		if len(g.Initializer) > 0 {
			t := g.Initializer[at%len(g.Initializer)]
			if len(t.Dims) > 0 && v%2 == 0 {
				t.Dims[0] = v
			} else if t.Type() == onnx.TensorProto_INT64 && len(t.RawData) >= 8 {
				binary.LittleEndian.PutUint64(t.RawData, uint64(v))
			}
		}
	}
}

// grower builds a graph and computes the same by libtorch as it goes. Each byte of the
// plan decides something.
type grower struct {
	b     *onnx.Builder
	scope *gotorch.Scope
	rng   *rand.Rand
	plan  []byte
	made  []grown
}

// grown is a value of both.
type grown struct {
	name  string
	torch gotorch.Tensor
}

const grownBatch = 2

func compareGraph(t *testing.T, plan []byte) {
	g := &grower{b: onnx.NewBuilder("grown"), scope: gotorch.NewScope(), rng: rand.New(rand.NewPCG(3, 4)), plan: plan}
	defer g.scope.Close()
	name := g.b.Input("x", "", onnx.TensorProto_FLOAT, onnx.Batch, 4, 6, 6)
	data := images(4, 6, 6).draw(g.rng, grownBatch)
	x := gotorch.FromSlice(g.scope, doubles(data), grownBatch, 4, 6, 6).SetRequiresGrad(true)
	g.made = []grown{{name, x}}
	for len(g.plan) > 0 && len(g.made) < 12 {
		g.grow(t)
	}
	y := g.made[len(g.made)-1]
	if len(g.made) == 1 {
		return
	}
	shape := g.shape(t, y)
	seed := operand{shape: shape, values: normal}.draw(g.rng, grownBatch)
	dy := g.b.Input("dy", "", onnx.TensorProto_FLOAT, dims(shape)...)
	gradient, err := Of(g.b, CPU, y.name, dy, name)
	if err != nil {
		t.Fatal(err)
	}
	g.b.Output(y.name, "", onnx.TensorProto_FLOAT, dims(shape)...)
	g.b.Output(g.b.Op("Identity", []string{gradient}), "", onnx.TensorProto_FLOAT, onnx.Batch, 4, 6, 6)

	seeds := gotorch.FromSlice(g.scope, doubles(seed), shape.At(grownBatch)...)
	want := gotorch.Grad([]gotorch.Tensor{y.torch}, []gotorch.Tensor{x}, gotorch.GradOptions{Seeds: []gotorch.Tensor{seeds}})
	values, gradients := gotorch.ToSlice[float64](y.torch.Detach().Contiguous()), gotorch.ToSlice[float64](want[0].Contiguous())
	if err := g.scope.Err(); err != nil {
		t.Fatal(err)
	}
	s, m := open(t, g.b)
	out, err := s.Run(map[string]ort.Value{
		"x": {Shape: []int{grownBatch, 4, 6, 6}, Data: data}, "dy": {Shape: shape.At(grownBatch), Data: seed},
	})
	if err != nil {
		t.Fatal(err)
	}
	if slices.ContainsFunc(gradients, math.IsNaN) || largest(gradients) < 1e-3 || largest(values) < 1e-3 {
		return // what is left is rounding of larger numbers that cancel
	}
	closeTo(t, "output", out[m.Graph.Output[0].Name].Floats(), values, 1e-4)
	closeTo(t, "gradient", out[m.Graph.Output[1].Name].Floats(), gradients, 1e-4)
}

func largest(v []float64) float64 {
	most := 0.0
	for _, x := range v {
		most = math.Max(most, math.Abs(x))
	}
	return most
}

// next decides between n things.
func (g *grower) next(n int) int {
	if len(g.plan) == 0 {
		return 0
	}
	v := int(g.plan[0]) % n
	g.plan = g.plan[1:]
	return v
}

func (g *grower) shape(t *testing.T, v grown) onnx.Shape {
	t.Helper()
	s, err := g.b.Shape(v.name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// weights draws a constant of both.
func (g *grower) weights(sizes ...int) grown {
	v := constant(sizes...).draw(g.rng, 1)
	for i := range v {
		v[i] /= float32(math.Sqrt(float64(len(v))))
	}
	return grown{g.b.Weights("w", v, sizes...), gotorch.FromSlice(g.scope, doubles(v), sizes...)}
}

// grow adds a node to a value that there is. One that does not fit adds nothing.
func (g *grower) grow(t *testing.T) {
	t.Helper()
	// The newest values more often, so that the graph becomes deep.
	v := g.made[max(0, len(g.made)-1-g.next(4)*g.next(2))]
	s := g.shape(t, v)
	added := grown{}
	switch maps := len(s) == 4; {
	case g.next(3) == 0:
		added = g.unary(v)
	case maps && g.next(2) == 0:
		added = g.ofMaps(v, s)
	case g.next(2) == 0:
		added = g.binary(t, v, s)
	default:
		added = g.moved(v, s)
	}
	if added.name != "" {
		g.made = append(g.made, added)
	}
}

// unary applies a function to each element, if none is next to where it has a kink:
// rounding would decide between two gradients there.
func (g *grower) unary(v grown) grown {
	smooth := map[string]string{"Sigmoid": "sigmoid", "Tanh": "tanh", "Erf": "erf", "Sin": "sin", "Cos": "cos", "Softplus": "softplus", "Neg": "neg", "Identity": "clone"}
	kinked := map[string]string{"Relu": "relu", "Abs": "abs", "LeakyRelu": "leaky_relu", "Elu": "elu", "Softsign": "softsign"}
	names := append(sortedKeys(smooth), sortedKeys(kinked)...)
	op := names[g.next(len(names))]
	if fn, ok := smooth[op]; ok {
		return grown{g.b.Op(op, []string{v.name}), gotorch.Call(nil, fn, v.torch)}
	}
	for _, x := range gotorch.ToSlice[float64](v.torch.Detach().Contiguous()) {
		if math.Abs(x) < 1e-4 {
			return grown{}
		}
	}
	fn := kinked[op]
	if op == "Softsign" {
		return grown{g.b.Op(op, []string{v.name}), v.torch.Div(v.torch.Abs().AddScalar(1))}
	}
	return grown{g.b.Op(op, []string{v.name}), gotorch.Call(nil, fn, v.torch)}
}

func sortedKeys(m map[string]string) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// ofMaps applies what is for maps [N,C,H,W].
func (g *grower) ofMaps(v grown, s onnx.Shape) grown {
	c, h, w := s[1].Size, s[2].Size, s[3].Size
	if s[0] != onnx.N || c*h*w > 4096 || h < 2 || w < 2 {
		return grown{}
	}
	switch g.next(5) {
	case 0:
		return g.conv(v, c, h, w)
	case 1: // averages
		k, stride, pad, includes := 2+g.next(2), 1+g.next(3), g.next(2), g.next(2)
		if h+2*pad < k || w+2*pad < k || g.padding(v.name)+pad >= k {
			return grown{}
		}
		name := g.b.Op("AveragePool", []string{v.name}, onnx.Ints("kernel_shape", k, k), onnx.Ints("strides", stride, stride),
			onnx.Ints("pads", pad, pad, pad, pad), onnx.Int("count_include_pad", includes))
		return grown{name, gotorch.Call(nil, "avg_pool2d", v.torch, []int{k, k}, []int{stride, stride}, []int{pad, pad}, false, includes == 1)}
	case 2:
		return grown{g.b.Op("GlobalAveragePool", []string{v.name}), gotorch.Call(nil, "mean.dim", v.torch, []int{2, 3}, true)}
	case 3: // normalisation of channels
		scale, bias, mean := g.weights(c), g.weights(c), g.weights(c)
		variance := make([]float32, c)
		for i := range variance {
			variance[i] = 0.5 + g.rng.Float32()
		}
		name := g.b.Op("BatchNormalization", []string{v.name, scale.name, bias.name, mean.name, g.b.Weights("w", variance, c)})
		return grown{name, gotorch.Call(nil, "batch_norm", v.torch, scale.torch, bias.torch, mean.torch,
			gotorch.FromSlice(g.scope, doubles(variance), c), false, 0.1, float64(float32(1e-5)), false)}
	}
	pad := []int{g.next(3) - 1, g.next(3), g.next(3), g.next(3) - 1} // of both axes, before and after
	if h+pad[0]+pad[2] < 1 || w+pad[1]+pad[3] < 1 {
		return grown{}
	}
	name := g.b.Op("Pad", []string{v.name, g.b.Int64s(0, 0, pad[0], pad[1], 0, 0, pad[2], pad[3])})
	return grown{name, gotorch.Call(nil, "constant_pad_nd", v.torch, []int{pad[1], pad[3], pad[0], pad[2]}, 0.0)}
}

// padding is the widest that the Pads just before a value add up to, 0 if there are none.
// ONNX Runtime moves them into an average pool that follows, and then refuses the pool if
// that makes its padding as wide as its kernel: such a graph does not run, with or without
// gradient, and importers keep them apart.
func (g *grower) padding(value string) int {
	widest := 0
	for n := g.b.Maker(value); n != nil; n = g.b.Maker(n.Operand(0)) {
		switch n.OpType {
		case "Identity", "Slice", "Transpose": // which it may leave out
		case "Pad":
			pads, err := g.b.Constant(n.Operand(1)).Ints()
			if err != nil {
				return math.MaxInt
			}
			widest += int(slices.Max(pads))
		default:
			return widest
		}
	}
	return widest
}

// conv is a convolution of any kernel, stride, dilation, padding and groups.
func (g *grower) conv(v grown, c, h, w int) grown {
	group := []int{1, 1, 2, c}[g.next(4)]
	kernel, stride := []int{1 + g.next(4), 1 + g.next(4)}, []int{1 + g.next(3), 1}
	if stride[1] = stride[0]; g.next(4) == 0 {
		stride[1] = 1 + g.next(3)
	}
	dilation, pads := []int{1, 1}, []int{g.next(3), g.next(3), g.next(3), g.next(3)}
	if g.next(3) == 0 {
		dilation = []int{1 + g.next(2), 1 + g.next(2)}
	}
	if c%group != 0 || h+pads[0]+pads[2] < (kernel[0]-1)*dilation[0]+1 || w+pads[1]+pads[3] < (kernel[1]-1)*dilation[1]+1 {
		return grown{}
	}
	weight := g.weights(group*(1+g.next(3)), c/group, kernel[0], kernel[1])
	name := g.b.Op("Conv", []string{v.name, weight.name}, window(stride, dilation, pads, onnx.Int("group", group))...)
	return grown{name, gotorch.Call(nil, "convolution", padded(v.torch, pads, 0), weight.torch, nil, stride, []int{0, 0}, dilation, false, []int{0, 0}, group)}
}

// binary puts a value together with another of a shape that goes with it.
func (g *grower) binary(t *testing.T, v grown, s onnx.Shape) grown {
	t.Helper()
	other := g.made[g.next(len(g.made))]
	if out, err := onnx.Broadcast(s, g.shape(t, other)); err != nil || out.Elements().Size > 4096 {
		return grown{}
	}
	switch op := g.next(5); op {
	case 0, 1, 2:
		name := g.b.Op([]string{"Add", "Sub", "Mul"}[op], []string{v.name, other.name})
		return grown{name, gotorch.Call(nil, []string{"add.Tensor", "sub.Tensor", "mul.Tensor"}[op], v.torch, other.torch)}
	case 3: // divided by what is at least 1
		below := g.b.Op("Add", []string{g.b.Op("Mul", []string{other.name, other.name}), g.b.Scalar(1)})
		return grown{g.b.Op("Div", []string{v.name, below}), v.torch.Div(other.torch.Mul(other.torch).AddScalar(1))}
	}
	s = g.shape(t, v)
	if !g.shape(t, other).Equal(s) || len(s) < 2 {
		return grown{}
	}
	axis := 1 + g.next(len(s)-1)
	if s[axis].Batch {
		return grown{}
	}
	return grown{g.b.Op("Concat", []string{v.name, other.name}, onnx.Int("axis", axis)), gotorch.Cat([]gotorch.Tensor{v.torch, other.torch}, axis)}
}

// moved reduces, moves, picks or multiplies along axes other than that of the images.
func (g *grower) moved(v grown, s onnx.Shape) grown {
	if len(s) < 2 || s[0] != onnx.N {
		return grown{}
	}
	axis := 1 + g.next(len(s)-1)
	size := s[axis].Size
	switch g.next(9) {
	case 0:
		return grown{g.b.Op("Softmax", []string{v.name}, onnx.Int("axis", axis)), v.torch.Softmax(axis)}
	case 1:
		return grown{g.b.Op("ReduceMean", []string{v.name}, onnx.Ints("axes", axis)), gotorch.Call(nil, "mean.dim", v.torch, []int{axis}, true)}
	case 2:
		name := g.b.Op("ReduceSum", []string{v.name, g.b.Int64s(axis)}, onnx.Int("keepdims", 0))
		return grown{name, gotorch.Call(nil, "sum.dim_IntList", v.torch, []int{axis}, false)}
	case 3:
		from, to, step := g.next(size), 1+g.next(size), 1+g.next(3)
		if from >= to {
			return grown{}
		}
		name := g.b.Op("Slice", []string{v.name, g.b.Int64s(from), g.b.Int64s(to), g.b.Int64s(axis), g.b.Int64s(step)})
		return grown{name, gotorch.Call(nil, "slice.Tensor", v.torch, axis, from, to, step)}
	case 4:
		var indices []int
		for range 1 + g.next(5) {
			indices = append(indices, g.next(size))
		}
		name := g.b.Op("Gather", []string{v.name, g.b.Int64s(indices...)}, onnx.Int("axis", axis))
		return grown{name, pick(axis, indices...)(tensors{v.torch})}
	case 5:
		perm := []int{0}
		for i := len(s) - 1; i > 0; i-- {
			perm = append(perm, i)
		}
		return grown{g.b.Op("Transpose", []string{v.name}, onnx.Ints("perm", perm...)), v.torch.Permute(perm...)}
	case 6:
		return grown{g.b.Op("Flatten", []string{v.name}), v.torch.Flatten(1, -1)}
	case 7:
		last := s[len(s)-1].Size
		weight := g.weights(last, 1+g.next(5))
		return grown{g.b.Op("MatMul", []string{v.name, weight.name}), v.torch.MatMul(weight.torch)}
	}
	last := s[len(s)-1].Size
	if last < 2 {
		return grown{}
	}
	scale, bias := g.weights(last), g.weights(last)
	name := g.b.Op("LayerNormalization", []string{v.name, scale.name, bias.name}, onnx.Float("epsilon", 0.125))
	return grown{name, gotorch.Call(nil, "layer_norm", v.torch, []int{last}, scale.torch, bias.torch, 0.125)}
}

// String is for the messages of the tests.
func (v grown) String() string { return fmt.Sprint(v.name, v.torch.Shape()) }
