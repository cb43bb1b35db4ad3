package ort

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ascood/ascood/onnx"
)

// TestArranged: a graph in which weights are arranged beforehand computes what ONNX Runtime computes of the same weights as an
// input, and only what arranges constants is gone.
func TestArranged(t *testing.T) {
	dims := []int{8, 6, 3, 5}
	weights := make([]float32, 8*6*3*5)
	for i := range weights {
		weights[i] = float32(i)
	}
	gather := func(b *onnx.Builder, x string, axis int, indices ...int) string {
		return b.Op("Gather", []string{x, b.Int64s(indices...)}, onnx.Int("axis", axis))
	}
	transpose := func(b *onnx.Builder, x string, perm ...int) string {
		return b.Op("Transpose", []string{x}, onnx.Ints("perm", perm...))
	}
	for name, test := range map[string]struct {
		body func(b *onnx.Builder, x string) string
		left int // nodes
	}{
		"rows turned around": {func(b *onnx.Builder, x string) string { return gather(b, x, 2, 2, 1, 0) }, 1},
		"a kernel turned around": {func(b *onnx.Builder, x string) string {
			return transpose(b, gather(b, gather(b, x, 2, 2, 1, 0), 3, 4, 3, 2, 1, 0), 1, 0, 2, 3)
		}, 1},
		"some rows, one twice, from the end": {func(b *onnx.Builder, x string) string { return gather(b, x, -2, -1, 0, -1, -3) }, 1},
		"transposed in between": {func(b *onnx.Builder, x string) string {
			return gather(b, transpose(b, gather(b, transpose(b, x, 3, 1, 0, 2), 0, 4, 1), 2, 0, 3, 1), 0, 7, 7, 2)
		}, 1},
		"used before, too": {func(b *onnx.Builder, x string) string {
			turned := gather(b, x, 1, 5, 4, 3, 2, 1, 0)
			return b.Op("Add", []string{transpose(b, transpose(b, turned, 1, 0, 2, 3), 1, 0, 2, 3), b.Op("Neg", []string{turned})})
		}, 3},
		"of a result": {func(b *onnx.Builder, x string) string { return gather(b, b.Op("Neg", []string{x}), 2, 2, 0) }, 3},
		"by a table": {func(b *onnx.Builder, x string) string {
			return b.Op("Gather", []string{x, b.Op("Reshape", []string{b.Int64s(0, 1, 2, 3), b.Int64s(2, 2)})})
		}, 3},
		"of the indices": {func(b *onnx.Builder, x string) string {
			indices := b.Op("Gather", []string{b.Int64s(3, 1, 2), b.Int64s(2, 0)})
			return b.Op("Gather", []string{x, indices}, onnx.Int("axis", 3))
		}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			model := func(constant bool) *onnx.ModelProto {
				b := onnx.NewBuilder("test")
				x := "x"
				if constant {
					x = b.Weights("w", weights, dims...)
				} else {
					b.Input(x, "", onnx.TensorProto_FLOAT, dims[0], dims[1], dims[2], dims[3])
				}
				b.Input("one", "", onnx.TensorProto_FLOAT, 1)
				y := b.Op("Mul", []string{test.body(b, x), "one"})
				shape, err := b.Shape(y)
				if err != nil {
					t.Fatal(err)
				}
				b.Output(b.Rename(y, "y"), "", onnx.TensorProto_FLOAT, shape[0].Size, shape[1].Size, shape[2].Size, shape[3].Size)
				m, err := b.Model("", "")
				if err != nil {
					t.Fatal(err)
				}
				return m
			}
			got := arranged(model(true))
			if len(got.Graph.Node) != test.left {
				t.Errorf("%d nodes are left, want %d: %v", len(got.Graph.Node), test.left, got.Graph.Node)
			}
			in := map[string]*onnx.TensorProto{"x": onnx.NewFloats("x", weights, 8, 6, 3, 5), "one": onnx.NewFloats("one", []float32{1}, 1)}
			want := evaluated(t, model(false), in)
			if y := evaluated(t, got, in); !slices.Equal(y, want) {
				t.Errorf("it computes %v, want %v", y, want)
			}
		})
	}
}

// TestArrangedRandomly: so it is of chains of any length.
func TestArrangedRandomly(t *testing.T) {
	for seed := range uint64(30) {
		rng := rand.New(rand.NewPCG(seed, 1))
		dims := []int{4 + rng.IntN(8), 4 + rng.IntN(8), 4 + rng.IntN(8)}
		weights := make([]float32, dims[0]*dims[1]*dims[2]*4)
		for i := range weights {
			weights[i] = float32(i)
		}
		a := arranging{map[string]*onnx.TensorProto{"w": onnx.NewFloats("w", weights, int64(dims[0]), int64(dims[1]), int64(dims[2]), 4)}, nil}
		v, ok := a.value("w")
		if !ok {
			continue // too few
		}
		at := func(i []int) int { return ((i[0]*dims[1]+i[1])*dims[2]+i[2])*4 + i[3] } // of the value's indices, in the weights
		sizes := append(slices.Clone(dims), 4)
		for range rng.IntN(6) {
			before := at
			if rng.IntN(2) == 0 {
				perm := rng.Perm(4)
				v, _ = v.transpose(perm)
				sizes = []int{sizes[perm[0]], sizes[perm[1]], sizes[perm[2]], sizes[perm[3]]}
				at = func(i []int) int {
					j := make([]int, 4)
					for axis, of := range perm {
						j[of] = i[axis]
					}
					return before(j)
				}
				continue
			}
			axis, picks := rng.IntN(4), make([]int64, 1+rng.IntN(5))
			for i := range picks {
				picks[i] = int64(rng.IntN(sizes[axis]))
			}
			v, _ = v.gather(axis, onnx.NewInts("", picks, int64(len(picks))))
			sizes[axis] = len(picks)
			at = func(i []int) int {
				j := slices.Clone(i)
				j[axis] = int(picks[i[axis]])
				return before(j)
			}
		}
		got, err := v.tensor("y").Float32s()
		if err != nil {
			t.Fatal(err)
		}
		for i := range got {
			index := []int{i / (sizes[1] * sizes[2] * sizes[3]), i / (sizes[2] * sizes[3]) % sizes[1], i / sizes[3] % sizes[2], i % sizes[3]}
			if want := weights[at(index)]; got[i] != want {
				t.Fatalf("seed %d: element %v is %g, want %g", seed, index, got[i], want)
			}
		}
	}
}

func evaluated(t *testing.T, m *onnx.ModelProto, in map[string]*onnx.TensorProto) []float32 {
	t.Helper()
	out, err := Evaluate(m, in)
	if err != nil {
		t.Fatal(err)
	}
	y, err := out[0]["y"].Float32s()
	if err != nil {
		t.Fatal(err)
	}
	return y
}
