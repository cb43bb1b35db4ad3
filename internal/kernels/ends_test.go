package kernels_test

import (
	"math/rand/v2"
	"testing"

	"github.com/ascood/ascood/internal/windows"
	"github.com/ascood/ascood/onnx"
)

// TestEnds: what follows an operator element by element is computed by that itself, whichever operand its result is,
// unless others take the result, too.
func TestEnds(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for name, c := range map[string]struct {
		ends func(b *onnx.Builder, v, a, c string) string
		own  bool
	}{
		"first": {func(b *onnx.Builder, v, a, c string) string {
			return b.Op("Mul", []string{b.Op("Mul", []string{v, a}), c})
		}, true},
		"last": {func(b *onnx.Builder, v, a, c string) string {
			return b.Op("Mul", []string{b.Op("Mul", []string{a, c}), v})
		}, true},
		"between": {func(b *onnx.Builder, v, a, c string) string {
			return b.Op("Mul", []string{b.Op("Mul", []string{a, v}), c})
		}, true},
		"taken again": {func(b *onnx.Builder, v, a, c string) string {
			return b.Op("Concat", []string{v, b.Op("Mul", []string{b.Op("Mul", []string{v, a}), c})}, onnx.Int("axis", 1))
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			const channels = 16
			b := onnx.NewBuilder("ends")
			b.Input("x", "", onnx.TensorProto_FLOAT, "N", 4, 4, 5)
			b.Input("z", "", onnx.TensorProto_FLOAT, "N", 4, 7, 10)
			conv := func(x string, in, out int) string {
				return b.Op("Conv", []string{x, b.Const([]int{out, in, 1, 1}, whole(rng, out*in)...)}, onnx.Ints("kernel_shape", 1, 1))
			}
			var phases []string
			for range 4 {
				phases = append(phases, conv("x", 4, channels))
			}
			v := windows.Crop(b, windows.Interleave(b, b.Op("Concat", phases, onnx.Int("axis", 1)), 2), 0, onnx.Images(channels, 7, 10))
			y := c.ends(b, v, conv("z", 4, channels), conv("z", 4, channels))
			s, err := b.Shape(y)
			if err != nil {
				t.Fatal(err)
			}
			b.Output(b.Rename(conv(y, s[1].Size, 4), "y"), "", onnx.TensorProto_FLOAT, "N", 4, 7, 10)
			m, err := b.Model("test", "1")
			if err != nil {
				t.Fatal(err)
			}
			exactly(t, rng, m, "Interleave", true)
			exactly(t, rng, m, "Elementwise", !c.own)
		})
	}
}
