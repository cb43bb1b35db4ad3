package kernels_test

import (
	"fmt"
	"testing"

	"github.com/ascood/ascood/onnx"
)

// excite is the product of maps with factors of theirs.
func excite(b *onnx.Builder, x string) string {
	a := b.Op("Relu", []string{conv(b, x, "a", 24, 3)})
	factor := b.Op("Sigmoid", []string{conv(b, b.Op("GlobalAveragePool", []string{a}), "factor", 24, 1)})
	return b.Op("Mul", []string{factor, a})
}

// TestStay: a product with factors of maps stays in the blocked layout, but where its result is needed outside.
func TestStay(t *testing.T) {
	for _, shape := range [][]int{{1, 12, 9, 7}, {3, 12, 21, 17}, {2, 12, 1, 1}} {
		t.Run(fmt.Sprint(shape), func(t *testing.T) {
			stays := maps(t, shape[1], shape[2], shape[3], func(b *onnx.Builder, x string) string {
				return conv(b, excite(b, x), "last", 8, 1)
			})
			ops := compare(t, stays, 1e-5, shape...)
			has(t, ops, "Mul", shape[2] == 1) // of equal shapes
			has(t, ops, "Elementwise", shape[2] > 1)
			leaves := maps(t, shape[1], shape[2], shape[3], func(b *onnx.Builder, x string) string {
				y := excite(b, x)
				return b.Op("Add", []string{b.Op("ReduceSum", []string{y, b.Int64s(1)}), conv(b, y, "last", 8, 1)})
			})
			has(t, compare(t, leaves, 1e-5, shape...), "Elementwise", false)
		})
	}
}
