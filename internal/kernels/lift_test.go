package kernels_test

import (
	"math/rand/v2"
	"testing"

	"github.com/ascood/ascood/internal/kernels"
	"github.com/ascood/ascood/internal/ort"
	"github.com/ascood/ascood/internal/windows"
	"github.com/ascood/ascood/onnx"
)

// TestLiftedOnce: phases that are put into place for a sum are so for the convolution beside it, too.
func TestLiftedOnce(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	b := onnx.NewBuilder("residual")
	b.Input("image", "", onnx.TensorProto_FLOAT, "N", 4, 9, 8)
	conv := func(x string, in, out, kernel, stride int) string {
		pad := kernel / 2
		return b.Op("Conv", []string{x, b.Const([]int{out, in, kernel, kernel}, whole(rng, out*in*kernel*kernel)...)},
			onnx.Ints("kernel_shape", kernel, kernel), onnx.Ints("pads", pad, pad, pad, pad), onnx.Ints("strides", stride, stride))
	}
	relu := func(x string) string { return b.Op("Relu", []string{x}) }
	x := relu(conv("image", 4, 32, 1, 1))
	x = relu(b.Op("Add", []string{conv(relu(conv(relu(conv(x, 32, 16, 1, 1)), 16, 16, 5, 1)), 16, 32, 1, 1), x}))
	y := b.Op("Add", []string{conv(relu(conv(x, 32, 16, 1, 1)), 16, 32, 3, 2), conv(x, 32, 32, 1, 2)})
	s, err := b.Shape(y)
	if err != nil {
		t.Fatal(err)
	}
	b.Input("dy", "", onnx.TensorProto_FLOAT, "N", s[1].Size, s[2].Size, s[3].Size)
	m := gradientOf(t, b, y, b.Op("Mul", []string{"dy", b.Scalar(2)}), 4, 9, 8)
	exactly(t, rng, m, "Interleave", true)
	nodes, err := ort.Profile(m, ort.Options{Threads: 1, Own: true}, 1)
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for _, n := range nodes {
		if n.Op == "Interleave" {
			count++
		}
	}
	if count != 1 && kernels.Supports(8) {
		t.Errorf("%d operators put phases into place, want one", count)
	}
}

// TestNotLifted: what is done to phases of which some are zero, or differently to each, is not what the same does to the whole.
func TestNotLifted(t *testing.T) {
	const channels, size = 32, 8
	rng := rand.New(rand.NewPCG(3, 4))
	phase := func(b *onnx.Builder, x string, i int) string {
		return windows.Take(b, x, 1, windows.Places{Stride: 2, First: i / 2, Count: size / 2}, windows.Places{Stride: 2, First: i % 2, Count: size / 2})
	}
	weights := func(b *onnx.Builder, in, kernel int) string {
		return b.Const([]int{channels, in, kernel, kernel}, whole(rng, channels*in*kernel*kernel)...)
	}
	for name, phases := range map[string]func(b *onnx.Builder, x, g string) []string{
		"zeros": func(b *onnx.Builder, x, g string) []string {
			product := b.Op("Mul", []string{phase(b, x, 0), phase(b, g, 0)})
			zeros := b.Op("HardSigmoid", []string{product}, onnx.Float("alpha", 0), onnx.Float("beta", 0))
			return []string{product, zeros, zeros, zeros}
		},
		"weights of their own": func(b *onnx.Builder, x, g string) (all []string) {
			for i := range 4 {
				all = append(all, b.Op("Conv", []string{phase(b, x, i), weights(b, channels, 1)}, onnx.Ints("kernel_shape", 1, 1)))
			}
			return all
		},
		"kernels on maps of their own": func(b *onnx.Builder, x, g string) (all []string) {
			small := []string{phase(b, x, 0), phase(b, g, 0)}
			for i := range 4 {
				all = append(all, b.Op("Conv", []string{small[i/3], weights(b, 1, 2)}, onnx.Int("group", channels), onnx.Ints("kernel_shape", 2, 2), onnx.Ints("pads", 0, 0, 1, 1)))
			}
			return all
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := onnx.NewBuilder("phases")
			b.Input("image", "", onnx.TensorProto_FLOAT, "N", channels, size, size)
			conv := func(x string) string {
				return b.Op("Conv", []string{x, weights(b, channels, 1)}, onnx.Ints("kernel_shape", 1, 1))
			}
			all := phases(b, conv("image"), conv("image"))
			maps := windows.Interleave(b, b.Op("Concat", all, onnx.Int("axis", 1)), 2)
			b.Output(b.Rename(conv(maps), "y"), "", onnx.TensorProto_FLOAT, "N", channels, size, size)
			m, err := b.Model("test", "1")
			if err != nil {
				t.Fatal(err)
			}
			exactly(t, rng, m, "Interleave", true)
		})
	}
}
