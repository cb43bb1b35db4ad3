package kernels_test

import (
	"math/rand/v2"
	"testing"

	"github.com/ascood/ascood/gradient"
	"github.com/ascood/ascood/internal/kernels"
	"github.com/ascood/ascood/internal/ort"
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
	x = relu(b.Op("Add", []string{conv(relu(conv(x, 32, 16, 1, 1)), 16, 32, 1, 1), x}))
	y := b.Op("Add", []string{conv(relu(conv(x, 32, 16, 1, 1)), 16, 32, 3, 2), conv(x, 32, 32, 1, 2)})
	s, err := b.Shape(y)
	if err != nil {
		t.Fatal(err)
	}
	b.Input("dy", "", onnx.TensorProto_FLOAT, "N", 32, s[2].Size, s[3].Size)
	dx, err := gradient.Of(b, gradient.CPU, y, b.Op("Mul", []string{"dy", b.Scalar(2)}), "image")
	if err != nil {
		t.Fatal(err)
	}
	b.Output(b.Rename(dx, "dx"), "", onnx.TensorProto_FLOAT, "N", 4, 9, 8)
	m, err := b.Model("test", "1")
	if err != nil {
		t.Fatal(err)
	}
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
