package kernels_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ascood/ascood/gradient"
	"github.com/ascood/ascood/internal/kernels"
	"github.com/ascood/ascood/internal/ort"
	"github.com/ascood/ascood/onnx"
)

// random returns numbers from a normal distribution.
func random(n int) []float32 {
	rng := rand.New(rand.NewPCG(uint64(n), 1))
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(rng.NormFloat64())
	}
	return x
}

// maps is a graph of an input "x", images of maps, that makes output "y" of it by what body emits.
func maps(t *testing.T, channels, height, width int, body func(b *onnx.Builder, x string) string) *onnx.ModelProto {
	t.Helper()
	b := onnx.NewBuilder("test")
	b.Input("x", "", onnx.TensorProto_FLOAT, "N", channels, height, width)
	y := b.Rename(body(b, "x"), "y")
	s, err := b.Shape(y)
	if err != nil {
		t.Fatal(err)
	}
	b.Output(y, "", onnx.TensorProto_FLOAT, "N", s[1].Size, s[2].Size, s[3].Size)
	m, err := b.Model("", "")
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// conv is a convolution of so many channels by random weights, with more attributes.
func conv(b *onnx.Builder, x, name string, out, kernel int, attrs ...onnx.Attr) string {
	s, err := b.Shape(x)
	if err != nil {
		b.Fail(err)
		return ""
	}
	weights := random(out * s[1].Size * kernel * kernel)
	for i := range weights {
		weights[i] /= float32(math.Sqrt(float64(s[1].Size))) * float32(kernel)
	}
	return b.Op("Conv", []string{x, b.Weights(name, weights, out, s[1].Size, kernel, kernel), b.Weights(name+"/bias", random(out), out)},
		append([]onnx.Attr{onnx.Ints("kernel_shape", kernel, kernel), onnx.Ints("pads", kernel/2, kernel/2, kernel/2, kernel/2)}, attrs...)...)
}

// compare runs a graph of maps with our operators and without, and returns the operators of the first.
func compare(t *testing.T, m *onnx.ModelProto, tolerance float64, shape ...int) []string {
	t.Helper()
	size := 1
	for _, n := range shape {
		size *= n
	}
	y := map[bool][]float32{}
	for _, own := range []bool{false, true} {
		s, err := ort.Open(m, ort.Options{Threads: 2, Own: own})
		if err != nil {
			t.Fatal(err)
		}
		out, err := s.Run(map[string]ort.Value{"x": {Shape: shape, Data: random(size)}})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		y[own] = out["y"].Floats()
	}
	for i, want := range y[false] {
		if got := y[true][i]; !(math.Abs(float64(got-want)) <= tolerance*(1+math.Abs(float64(want)))) {
			t.Fatalf("images %v: element %d is %g with our operators, %g without", shape, i, got, want)
		}
	}
	nodes, err := ort.Profile(m, ort.Options{Own: true}, 1)
	if err != nil {
		t.Fatal(err)
	}
	var ops []string
	for _, n := range nodes {
		ops = append(ops, n.Op)
	}
	return ops
}

// has fails a test on a processor that there are kernels for if an operator is not there, or is though it must not.
func has(t *testing.T, ops []string, op string, want bool) {
	t.Helper()
	if got := slices.Contains(ops, op); got != want && (kernels.Supports(16) || kernels.Supports(8)) {
		t.Errorf("the graph is of %v: is %s there? %t", ops, op, got)
	}
}

// whole are numbers from -2 to 2.
func whole(rng *rand.Rand, n int) []float32 {
	values := make([]float32, n)
	for i := range values {
		values[i] = float32(rng.IntN(5) - 2)
	}
	return values
}

// images are such numbers for each input of a graph.
func images(rng *rand.Rand, m *onnx.ModelProto, n int) map[string]ort.Value {
	in := map[string]ort.Value{}
	for _, input := range m.Graph.Input {
		s, _ := input.Shape()
		in[input.Name] = ort.Value{Shape: s.At(n), Data: whole(rng, s.Elements().At(n))}
	}
	return in
}

// exactly runs a graph without our operators and with them, and makes sure that the outputs are the same to the last bit,
// and that an operator is among them, or is not.
func exactly(t *testing.T, rng *rand.Rand, m *onnx.ModelProto, op string, there bool) {
	t.Helper()
	var sessions []*ort.Session
	for _, own := range []bool{false, true} {
		s, err := ort.Open(m, ort.Options{Threads: 2, Own: own})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		sessions = append(sessions, s)
	}
	for _, n := range []int{1, 3} {
		in := images(rng, m, n)
		var outs []map[string]ort.Value
		for _, s := range sessions {
			out, err := s.Run(in)
			if err != nil {
				t.Fatal(err)
			}
			outs = append(outs, out)
		}
		for name, v := range outs[0] {
			if !slices.Equal(v.Floats(), outs[1][name].Floats()) {
				t.Errorf("%d images: %s is %v with our operators, %v without", n, name, outs[1][name].Floats(), v.Floats())
			}
		}
	}
	nodes, err := ort.Profile(m, ort.Options{Threads: 1, Own: true}, 1)
	if err != nil {
		t.Fatal(err)
	}
	if has := slices.ContainsFunc(nodes, func(n ort.Node) bool { return n.Op == op }); has != there && kernels.Supports(8) {
		t.Errorf("%s is there: %v, want %v", op, has, there)
	}
}

// gradientOf makes a graph's output "dx" the gradient of its "image", of the given size, for that of a value.
func gradientOf(t *testing.T, b *onnx.Builder, value, dy string, channels, height, width int) *onnx.ModelProto {
	t.Helper()
	dx, err := gradient.Of(b, gradient.CPU, value, dy, "image")
	if err != nil {
		t.Fatal(err)
	}
	b.Output(b.Rename(dx, "dx"), "", onnx.TensorProto_FLOAT, "N", channels, height, width)
	m, err := b.Model("test", "1")
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// ours makes the node that computes a value an operator of ours.
func ours(b *onnx.Builder, value string) string {
	b.Maker(value).Domain = kernels.Domain
	return value
}

// direct runs a graph of operators of ours, in blocks that this processor's ONNX Runtime need not have, on two images of
// whole numbers, which prepare may change.
func direct(t *testing.T, b *onnx.Builder, rng *rand.Rand, prepare func(in map[string]ort.Value)) (in, out map[string]ort.Value) {
	t.Helper()
	m, err := b.Model("test", "1")
	if err != nil {
		t.Fatal(err)
	}
	m.OpsetImport = append(m.OpsetImport, &onnx.OperatorSetIdProto{Domain: kernels.Domain, Version: 1})
	in = images(rng, m, 2)
	if prepare != nil {
		prepare(in)
	}
	return in, run(t, m, in)
}

// run runs a graph with our operators.
func run(t *testing.T, m *onnx.ModelProto, in map[string]ort.Value) map[string]ort.Value {
	t.Helper()
	s, err := ort.Open(m, ort.Options{Threads: 2, Own: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	out, err := s.Run(in)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
