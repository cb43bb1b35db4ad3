package export_test

import (
	"math/rand/v2"
	"testing"

	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/internal/ort"
	"github.com/ascood/ascood/internal/testmodel"
	"github.com/ascood/ascood/models"
	"github.com/ascood/ascood/onnx"
)

// TestIndexIsTheFirstOfTheLargest gives gradients with several largest elements, of
// either sign, in one row, in several and in all channels.
func TestIndexIsTheFirstOfTheLargest(t *testing.T) {
	const size, batch, n = 28, 64, 3 * 28 * 28
	m, _ := testmodel.Random(t, models.Spec{Arch: "lenet", Classes: 10, Head: models.HeadLinear}, testmodel.Square(size), artifact.ScoreIODIN)
	part, err := onnx.Extract(m, []string{artifact.Index}, onnx.Value(artifact.Gradient, onnx.TensorProto_FLOAT, "N", 3, size, size))
	if err != nil {
		t.Fatal(err)
	}
	s, err := ort.Open(part, ort.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	rng := rand.New(rand.NewPCG(1, 2))
	gradient, want := make([]float32, batch*n), make([]int64, batch)
	for i := range batch {
		image := gradient[i*n : (i+1)*n]
		for k := range image {
			image[k] = rng.Float32() - 0.5
		}
		want[i] = n
		for range 1 + i%5 { // places of the largest
			k := rng.IntN(n)
			if i%2 == 1 {
				k = rng.IntN(size) // in the first row
			}
			image[k] = float32(1 - 2*rng.IntN(2))
			want[i] = min(want[i], int64(k))
		}
	}
	clear(gradient[:n]) // of equal elements throughout
	want[0] = 0
	out, err := s.Run(map[string]ort.Value{artifact.Gradient: {Shape: []int{batch, 3, size, size}, Data: gradient}})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, artifact.Index, out[artifact.Index].Ints(), want)
}
