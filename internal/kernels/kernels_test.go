package kernels_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

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
