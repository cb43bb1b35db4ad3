package export_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/internal/testmodel"
	"github.com/ascood/ascood/ioodin"
	"github.com/ascood/ascood/onnx"
)

// TestSaturated: however certain the network is, the gradient is not lost on its way back where it is smaller than
// the numbers that there are, and comes out as large as it is.
func TestSaturated(t *testing.T) {
	const size, pixels, classes, small = 8, 3 * 8 * 8, 4, 1e-22
	rng := rand.New(rand.NewPCG(1, 2))
	first, last := make([]float32, pixels*pixels), make([]float32, classes*pixels)
	for i := range first {
		first[i] = float32(rng.NormFloat64() / pixels / small)
	}
	for i := range last {
		last[i] = float32(rng.NormFloat64() * small)
	}
	for _, certain := range []float32{0, 30, 70, 84} {
		b := onnx.NewBuilder("certain")
		b.Input("x", "", onnx.TensorProto_FLOAT, "N", 3, size, size)
		hidden := b.Op("Gemm", []string{b.Op("Flatten", []string{"x"}), b.Weights("first", first, pixels, pixels)}, onnx.Int("transB", 1))
		bias := b.Weights("bias", []float32{certain, 0, 0, 0}, classes)
		b.Output(b.Rename(b.Op("Gemm", []string{hidden, b.Weights("last", last, classes, pixels), bias}, onnx.Int("transB", 1)), "logits"), "", onnx.TensorProto_FLOAT, "N", classes)
		file, err := b.Model("test", "1")
		if err != nil {
			t.Fatal(err)
		}
		m, meta := testmodel.Imported(t, file, artifact.CPU)
		g, err := ioodin.OpenGraph(m, meta, "", []string{artifact.Gradient, artifact.Logits}, ioodin.Options{Threads: 1})
		if err != nil {
			t.Fatal(err)
		}
		defer g.Close()
		out, err := g.Run(t.Context(), ioodin.Inputs{Pixels: testmodel.RandomCrop(size), Temperature: 1})
		if err != nil {
			t.Fatal(err)
		}
		logits, gradient := out[artifact.Logits].Data, out[artifact.Gradient].Data
		class, sum := largest(logits), 0.0
		for _, z := range logits {
			sum += math.Exp(float64(z))
		}
		off, most := 0.0, 0.0
		for i, got := range gradient {
			want := 0.0
			for j, z := range logits {
				p := math.Exp(float64(z)) / sum
				if j == class {
					p = float64(float32(p) - 1) // 0 of an image that is certain enough, as PyTorch has it
				}
				for k := range pixels {
					want += p * float64(last[j*pixels+k]) * float64(first[k*pixels+i])
				}
			}
			off, most = max(off, math.Abs(float64(got)-want)), max(most, math.Abs(want))
		}
		if !(off <= 1e-3*most) || most == 0 {
			t.Errorf("certain by %v: the gradient is off by %.1e of %.1e", certain, off, most)
		}
	}
}
