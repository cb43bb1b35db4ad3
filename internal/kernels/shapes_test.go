package kernels_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/ascood/ascood/onnx"
)

// TestFused: what follows an operator that ONNX Runtime has put in the place of several is one operator, as the shape is
// known of what that makes.
func TestFused(t *testing.T) {
	matrix := func(b *onnx.Builder, rows, columns int) string {
		return b.Const([]int{rows, columns}, random(rows*columns)...)
	}
	turn := func(b *onnx.Builder, x string, perm ...int) string {
		return b.Op("Transpose", []string{x}, onnx.Ints("perm", perm...))
	}
	for name, test := range map[string]struct {
		shape []int // of an image
		body  func(b *onnx.Builder, x string) string
	}{
		"FusedConv": {[]int{18, 1, 1}, func(b *onnx.Builder, x string) string {
			return b.Op("Sigmoid", []string{conv(b, x, "w", 18, 1)})
		}},
		"FusedGemm": {[]int{6}, func(b *onnx.Builder, x string) string {
			return b.Op("Tanh", []string{b.Op("Gemm", []string{x, matrix(b, 7, 6), b.Const([]int{7}, random(7)...)}, onnx.Int("transB", 1))})
		}},
		"FusedMatMul": {[]int{6, 7, 5}, func(b *onnx.Builder, x string) string {
			return b.Op("MatMul", []string{turn(b, x, 0, 1, 3, 2), b.Op("Tanh", []string{x})})
		}},
		"FusedMatMul of axes in front": {[]int{6, 7, 5}, func(b *onnx.Builder, x string) string {
			return turn(b, b.Op("MatMul", []string{turn(b, x, 1, 2, 0, 3), b.Const([]int{6, 7, 5, 8}, random(6*7*5*8)...)}), 2, 0, 1, 3)
		}},
		"Gelu": {[]int{6, 7}, func(b *onnx.Builder, x string) string {
			erf := b.Op("Erf", []string{b.Op("Div", []string{x, b.Scalar(1.4142135)})})
			return b.Op("Mul", []string{b.Op("Mul", []string{x, b.Op("Add", []string{erf, b.Scalar(1)})}), b.Scalar(.5)})
		}},
		"SkipLayerNormalization": {[]int{6, 8}, func(b *onnx.Builder, x string) string {
			sum := b.Op("Add", []string{x, b.Op("Tanh", []string{x})})
			y := b.Op("LayerNormalization", []string{sum, b.Const([]int{8}, random(8)...), b.Const([]int{8}, random(8)...)}, onnx.Float("epsilon", 1e-5))
			return y
		}},
	} {
		t.Run(name, func(t *testing.T) {
			b := onnx.NewBuilder("test")
			dims := []any{"N"}
			for _, n := range test.shape {
				dims = append(dims, n)
			}
			b.Input("x", "", onnx.TensorProto_FLOAT, dims...)
			y := test.body(b, "x")
			y = b.Op("Mul", []string{inside(b, y), b.Op("Add", []string{y, b.Scalar(3)})})
			s, err := b.Shape(y)
			if err != nil {
				t.Fatal(err)
			}
			dims = dims[:0]
			for _, d := range s {
				dims = append(dims, d.Size)
			}
			b.Output(b.Rename(y, "y"), "", onnx.TensorProto_FLOAT, dims...)
			m, err := b.Model("", "")
			if err != nil {
				t.Fatal(err)
			}
			ops := compare(t, m, 1e-5, append([]int{1}, test.shape...)...)
			fused, _, _ := strings.Cut(name, " ")
			if !slices.Contains(ops, fused) {
				t.Errorf("ONNX Runtime has made %v of the graph, without %s", ops, fused)
			}
			has(t, ops, "Elementwise", true)
		})
	}
}
