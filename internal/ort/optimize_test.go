package ort

import (
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/ascood/ascood/internal/kernels"
	"github.com/ascood/ascood/onnx"
)

// residual is a graph of convolutions that our operators can take the place of, and of one that they cannot; its last
// weights begin at an odd place in the file that ONNX Runtime writes.
func residual(t *testing.T) *onnx.ModelProto {
	t.Helper()
	const channels, size = 32, 20
	rng := rand.New(rand.NewPCG(1, 2))
	weights := func(n int) []float32 {
		w := make([]float32, n)
		for i := range w {
			w[i] = float32(rng.NormFloat64() / 12)
		}
		return w
	}
	b := onnx.NewBuilder("residual")
	b.Input("x", "", onnx.TensorProto_FLOAT, "N", channels, size, size)
	conv := func(x, name string, kernel, pad int) string {
		return b.Op("Conv", []string{x, b.Weights(name, weights(channels*channels*kernel*kernel), channels, channels, kernel, kernel), b.Weights(name+"/bias", weights(channels), channels)},
			onnx.Ints("kernel_shape", kernel, kernel), onnx.Ints("pads", pad, pad, pad, pad))
	}
	y := b.Op("Relu", []string{conv("x", "first", 3, 1)})
	z := b.Op("Relu", []string{b.Op("Add", []string{conv(y, "second", 3, 1), conv("x", "third", 1, 0)})})
	flat := b.Op("Flatten", []string{b.Op("GlobalAveragePool", []string{z})})
	odd := b.Op("Gemm", []string{flat, b.Weights("odd", weights(channels*331), channels, 331), b.Weights("odd/bias", weights(331), 331)})
	b.Output(b.Rename(b.Op("Gemm", []string{odd, b.Weights("last", weights(331*7), 331, 7)}), "y"), "", onnx.TensorProto_FLOAT, "N", 7)
	m, err := b.Model("test", "1")
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestOwn: with our operators a graph computes the same, for any number of images, and they are there on a processor
// that they are for.
func TestOwn(t *testing.T) {
	sessions := map[bool]*Session{}
	for _, own := range []bool{false, true} {
		s, err := Open(residual(t), Options{Threads: 2, Own: own})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		sessions[own] = s
	}
	rng := rand.New(rand.NewPCG(3, 4))
	for _, n := range []int{1, 2, 7} {
		x := make([]float32, n*32*20*20)
		for i := range x {
			x[i] = float32(rng.NormFloat64())
		}
		y := map[bool][]float32{}
		for own, s := range sessions {
			out, err := s.Run(map[string]Value{"x": {[]int{n, 32, 20, 20}, x}})
			if err != nil {
				t.Fatal(err)
			}
			y[own] = out["y"].Floats()
		}
		for i, want := range y[false] {
			if got := y[true][i]; math.Abs(float64(got-want)) > 1e-5*(1+math.Abs(float64(want))) {
				t.Errorf("%d images: output %d is %g with our operators, %g without", n, i, got, want)
			}
		}
	}
	nodes, err := Profile(residual(t), Options{Own: true}, 1)
	if err != nil {
		t.Fatal(err)
	}
	ours := 0
	for _, n := range nodes {
		if n.Op == "Winograd" {
			ours++
		}
	}
	if want := map[bool]int{true: 2}[kernels.Supports(blockSize())]; ours != want {
		t.Errorf("%d convolutions by Winograd's algorithm, want %d", ours, want)
	}
}

// TestOwnMemory: no file in memory is left of loading, and what a session's weights lie in goes with it.
func TestOwnMemory(t *testing.T) {
	s, err := Open(residual(t), Options{Own: true})
	if err != nil {
		t.Fatal(err)
	}
	if w := s.programs[0].weights; (w != nil) != kernels.Supports(blockSize()) || w != nil && len(w.shared) == 0 {
		t.Errorf("the session's weights are %v", w)
	}
	for _, list := range []string{"/proc/self/maps", "/proc/self/fd"} {
		if n := files(t, list); n != 0 {
			t.Errorf("%d files of weights are in %s", n, list)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// files counts the files in memory that are mapped, or open.
func files(t *testing.T, list string) (n int) {
	t.Helper()
	if maps, err := os.ReadFile(list); err == nil {
		return strings.Count(string(maps), "/memfd:model")
	}
	open, err := os.ReadDir(list)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range open {
		if target, err := os.Readlink(list + "/" + f.Name()); err == nil && strings.Contains(target, "/memfd:model") {
			n++
		}
	}
	return n
}

// TestOrderOf: other orders of weights than package kernels expects are told from it.
func TestOrderOf(t *testing.T) {
	const channels = 32
	order := func(at func(out, in int) int) *onnx.TensorProto {
		values := make([]float32, channels*channels)
		for out := range channels {
			for in := range channels {
				values[at(out, in)] = float32(out*channels + in)
			}
		}
		return onnx.NewFloats("w", values, channels, channels, 1, 1)
	}
	blocks := func(lanes int) func(out, in int) int {
		return func(out, in int) int { return (out/lanes*channels+in)*lanes + out%lanes }
	}
	for name, test := range map[string]struct {
		at   func(out, in int) int
		want int
	}{
		"blocks of 4":      {blocks(4), 4},
		"blocks of 8":      {blocks(8), 8},
		"blocks of 16":     {blocks(16), 16},
		"as in the file":   {func(out, in int) int { return out*channels + in }, 0},
		"inputs innermost": {func(out, in int) int { return blocks(8)(in, out) }, 0},
	} {
		if got := orderOf(order(test.at), channels); got != test.want {
			t.Errorf("%s: blocks of %d, want %d", name, got, test.want)
		}
	}
}
