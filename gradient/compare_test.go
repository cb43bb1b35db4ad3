package gradient

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/ascood/ascood/gotorch"
	"github.com/ascood/ascood/internal/ort"
	"github.com/ascood/ascood/onnx"
)

// operand is what a tested operator takes.
type operand struct {
	shape    onnx.Shape
	variable bool // an input of the graph, by which is differentiated
	given    bool // an input of the graph, by which is not
	values   func(rng *rand.Rand) float64
	ints     []int // a constant of integers
	omitted  bool
}

func normal(rng *rand.Rand) float64 { return rng.NormFloat64() }

// images is a variable [N,…].
func images(sizes ...int) operand {
	return operand{shape: onnx.Images(sizes...), variable: true, values: normal}
}

// of is a variable of any shape.
func of(s ...onnx.Dim) operand { return operand{shape: s, variable: true, values: normal} }

// constant is an initializer.
func constant(sizes ...int) operand { return operand{shape: onnx.Static(sizes...), values: normal} }

// number is an initializer of one number.
func number(v float64) operand {
	return operand{shape: onnx.Static(), values: func(*rand.Rand) float64 { return v }}
}

func ints(v ...int) operand { return operand{ints: v, shape: onnx.Static(len(v))} }

var omitted = operand{omitted: true}

// positive draws from 0.5 to 2.
func (o operand) positive() operand {
	o.values = func(rng *rand.Rand) float64 { return 0.5 + 1.5*rng.Float64() }
	return o
}

// negative draws from -2 to -0.5.
func (o operand) negative() operand {
	o.values = func(rng *rand.Rand) float64 { return -0.5 - 1.5*rng.Float64() }
	return o
}

// few draws from so few numbers that many are equal.
func (o operand) few() operand {
	o.values = func(rng *rand.Rand) float64 { return float64(rng.IntN(3)) }
	return o
}

// fewSigned is few, with numbers below zero.
func (o operand) fewSigned() operand {
	o.values = func(rng *rand.Rand) float64 { return float64(rng.IntN(5) - 2) }
	return o
}

// off is an input of the graph by which is not differentiated.
func (o operand) off() operand {
	o.variable, o.given = false, true
	return o
}

// tensors are what a case's function is given for its operands.
type tensors []gotorch.Tensor

// ruleCase is an operator in one form, and the same in libtorch.
type ruleCase struct {
	op    string
	in    []operand
	attrs []onnx.Attr
	torch func(x tensors) gotorch.Tensor
	// graph takes the operator's place where it is not alone.
	graph func(b *onnx.Builder, x []string) string
	// kinked says that libtorch has another gradient where the function has none, so
	// that it cannot be compared by finite differences.
	kinked bool
	wide   bool // the operator is given its operands in double precision
}

func (c ruleCase) String() string {
	var parts []string
	for _, o := range c.in {
		switch {
		case o.omitted:
			parts = append(parts, "-")
		case o.ints != nil:
			parts = append(parts, fmt.Sprint(o.ints))
		default:
			parts = append(parts, o.shape.String())
		}
	}
	for _, a := range c.attrs {
		parts = append(parts, fmt.Sprint(a.Name, "=", a.I, a.F, string(a.S), a.Ints))
	}
	return c.op + " " + strings.Join(parts, " ")
}

// built is a case as a graph: its output y, and the gradient of Σ dy·y with respect to
// each variable.
type built struct {
	model     *onnx.ModelProto
	constants map[int][]float32
	gradients []string // by operand; "" for those that are no variables
	nodes     []*onnx.NodeProto
}

// build makes the graph. Inputs are x0, x1, … and dy.
func (c ruleCase) build(t testing.TB, target Target, rng *rand.Rand) built {
	t.Helper()
	b := onnx.NewBuilder("case")
	g := built{constants: map[int][]float32{}}
	var names []string
	for i, o := range c.in {
		name := fmt.Sprint("x", i)
		switch {
		case o.omitted:
			name = ""
		case o.ints != nil:
			name = b.Int64s(o.ints...)
		case o.variable || o.given:
			b.Input(name, "", onnx.TensorProto_FLOAT, dims(o.shape)...)
		default:
			g.constants[i] = o.draw(rng, 1)
			name = b.Weights(name, g.constants[i], o.shape.At(1)...)
		}
		names = append(names, name)
	}
	cast := func(x string, to onnx.TensorProto_DataType) string {
		return b.Op("Cast", []string{x}, onnx.Int("to", int(to)))
	}
	given := slices.Clone(names)
	for i, o := range c.in {
		if c.wide && o.ints == nil && !o.omitted {
			if given[i] = cast(names[i], onnx.TensorProto_DOUBLE); !o.variable && !o.given { // rules read constants
				given[i] = b.Doubles(names[i]+"w", doubles(g.constants[i]), o.shape.At(1)...)
			}
		}
	}
	y := ""
	if c.graph != nil {
		y = c.graph(b, given)
	} else {
		y = b.Ops(c.op, map[bool]int{true: 2, false: 1}[c.op == "TopK"], given, c.attrs...)[0]
	}
	if c.wide {
		y = cast(y, onnx.TensorProto_FLOAT)
	}
	s, err := b.Shape(y)
	if err != nil {
		t.Fatal(err)
	}
	dy := b.Input("dy", "", onnx.TensorProto_FLOAT, dims(s)...)
	before := len(b.Nodes())
	for i, o := range c.in {
		gradient := ""
		if o.variable {
			if gradient, err = Of(b, target, y, dy, names[i]); err != nil {
				t.Fatal(err)
			}
			if gradient == "" {
				t.Fatalf("the gradient with respect to %s is zero", names[i])
			}
			if gradient == dy {
				gradient = b.Op("Identity", []string{dy})
			}
			b.Output(gradient, "", onnx.TensorProto_FLOAT, dims(o.shape)...)
		}
		g.gradients = append(g.gradients, gradient)
	}
	g.nodes = b.Nodes()[before:]
	if b.Maker(y) != nil {
		y = b.Rename(y, "y")
	}
	b.Output(y, "", onnx.TensorProto_FLOAT, dims(s)...)
	if g.model, err = b.Model("test", "1"); err != nil {
		t.Fatal(err)
	}
	return g
}

func (o operand) draw(rng *rand.Rand, batch int) []float32 {
	v := make([]float32, o.shape.Elements().At(batch))
	for i := range v {
		v[i] = float32(o.values(rng))
	}
	return v
}

func dims(s onnx.Shape) []any {
	var out []any
	for _, d := range s {
		if d.Batch {
			out = append(out, d.String())
		} else {
			out = append(out, d.Size)
		}
	}
	return out
}

// compare runs a case on batches of one and of three, and compares output and
// gradients with libtorch's in float64, and the latter with its finite differences.
func (c ruleCase) compare(t *testing.T, target Target, tolerance float64) {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	g := c.build(t, target, rng)
	s, err := ort.Open(g.model, ort.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, batch := range []int{1, 3} {
		inputs, values := map[string]ort.Value{}, map[int][]float32{}
		for i, o := range c.in {
			if o.variable || o.given {
				values[i] = o.draw(rng, batch)
				inputs[fmt.Sprint("x", i)] = ort.Value{Shape: o.shape.At(batch), Data: values[i]}
			} else if o.ints == nil && !o.omitted {
				values[i] = g.constants[i]
			}
		}
		dy := g.model.Graph.Input[len(g.model.Graph.Input)-1]
		shape, err := dy.Shape()
		if err != nil {
			t.Fatal(err)
		}
		seed := operand{shape: shape, values: normal}.draw(rng, batch)
		inputs["dy"] = ort.Value{Shape: shape.At(batch), Data: seed}
		out, err := s.Run(inputs)
		if err != nil {
			t.Fatal(err)
		}
		y, gradients := c.reference(t, values, seed, batch)
		closeTo(t, fmt.Sprintf("output, batch %d", batch), out["y"].Floats(), y, tolerance)
		for i, name := range g.gradients {
			if name != "" {
				closeTo(t, fmt.Sprintf("gradient of x%d, batch %d", i, batch), out[name].Floats(), gradients[i], tolerance)
			}
		}
		if !c.kinked {
			c.differences(t, values, seed, batch, gradients, rng)
		}
	}
}

// reference evaluates a case by libtorch in float64.
func (c ruleCase) reference(t *testing.T, values map[int][]float32, seed []float32, batch int) (y []float64, gradients [][]float64) {
	t.Helper()
	s := gotorch.NewScope()
	defer s.Close()
	var x, variables tensors
	for i, o := range c.in {
		v := gotorch.Tensor{}
		if values[i] != nil {
			v = gotorch.FromSlice(s, doubles(values[i]), o.shape.At(batch)...)
		}
		if o.variable {
			v = v.SetRequiresGrad(true)
			variables = append(variables, v)
		}
		x = append(x, v)
	}
	out := c.torch(x)
	seeds := gotorch.FromSlice(s, doubles(seed), out.Shape()...)
	grads := gotorch.Grad([]gotorch.Tensor{out}, variables, gotorch.GradOptions{Seeds: []gotorch.Tensor{seeds}})
	y = gotorch.ToSlice[float64](out.Detach())
	for _, o := range c.in {
		var g []float64
		if o.variable {
			g = gotorch.ToSlice[float64](grads[0].Contiguous())
			grads = grads[1:]
		}
		gradients = append(gradients, g)
	}
	if err := s.Err(); err != nil {
		t.Fatal(err)
	}
	return y, gradients
}

// differences compares gradients along a random direction with the central difference
// of the reference.
func (c ruleCase) differences(t *testing.T, values map[int][]float32, seed []float32, batch int, gradients [][]float64, rng *rand.Rand) {
	t.Helper()
	const step = 1e-6
	directions := map[int][]float64{}
	slope, scale := 0.0, 0.0
	for i, g := range gradients {
		for _, v := range g {
			d := rng.NormFloat64()
			directions[i] = append(directions[i], d)
			slope += d * v
			scale += math.Abs(d * v)
		}
	}
	along := func(by float64) float64 {
		s := gotorch.NewScope()
		defer s.Close()
		var x tensors
		for i, o := range c.in {
			v := gotorch.Tensor{}
			if values[i] != nil {
				moved := doubles(values[i])
				for k, d := range directions[i] {
					moved[k] += by * d
				}
				v = gotorch.FromSlice(s, moved, o.shape.At(batch)...)
			}
			x = append(x, v)
		}
		y := gotorch.ToSlice[float64](c.torch(x).Contiguous())
		if err := s.Err(); err != nil {
			t.Fatal(err)
		}
		sum := 0.0
		for i, v := range y {
			sum += v * float64(seed[i])
		}
		return sum
	}
	if difference := (along(step) - along(-step)) / (2 * step); math.Abs(difference-slope) > 1e-6*math.Max(scale, 1) {
		t.Errorf("along a random direction the gradient gives %g, finite differences %g", slope, difference)
	}
}

// cut is a Slice of count elements along an axis.
func cut(b *onnx.Builder, x string, axis, from, count int) string {
	return b.Op("Slice", []string{x, b.Int64s(from), b.Int64s(from + count), b.Int64s(axis)})
}

func doubles(v []float32) []float64 {
	d := make([]float64, len(v))
	for i, x := range v {
		d[i] = float64(x)
	}
	return d
}

// closeTo compares relative to the largest magnitude.
func closeTo(t *testing.T, name string, got []float32, want []float64, tolerance float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s has %d values, want %d", name, len(got), len(want))
	}
	largest, worst := 0.0, 0.0
	for i := range want {
		largest = math.Max(largest, math.Abs(want[i]))
		if off := math.Abs(float64(got[i]) - want[i]); !(off <= worst) {
			worst = off
		}
	}
	if !(worst <= tolerance*largest) {
		t.Errorf("%s differs by %g of %g\ngot  %v\nwant %v", name, worst, largest, head(got), head(want))
	}
}

func head[T any](v []T) []T { return v[:min(len(v), 24)] }
