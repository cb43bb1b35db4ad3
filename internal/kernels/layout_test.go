package kernels_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ascood/ascood/onnx"
)

// TestConvolutionsByOne: what a convolution of each channel by 1 takes along is added without it; one by 2 stays.
func TestConvolutionsByOne(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, channels := range []int{16, 20} {
		for _, by := range []float32{1, 2} {
			b := onnx.NewBuilder("one")
			b.Input("x", "", onnx.TensorProto_FLOAT, "N", channels, 5, 5)
			y := b.Op("Conv", []string{"x", b.Weights("w", whole(rng, channels*channels), channels, channels, 1, 1)}, onnx.Ints("kernel_shape", 1, 1))
			turned := b.Op("Transpose", []string{y}, onnx.Ints("perm", 0, 1, 3, 2))
			one := b.Op("Conv", []string{turned, b.Const([]int{channels, 1, 1, 1}, slices.Repeat([]float32{by}, channels)...)}, onnx.Int("group", channels), onnx.Ints("kernel_shape", 1, 1))
			sum := b.Op("Add", []string{one, y})
			b.Output(b.Rename(sum, "sum"), "", onnx.TensorProto_FLOAT, "N", channels, 5, 5)
			m, err := b.Model("test", "1")
			if err != nil {
				t.Fatal(err)
			}
			exactly(t, rng, m, "Add", by == 1)
		}
	}
}
