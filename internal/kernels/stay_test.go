package kernels_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/ascood/ascood/internal/kernels"
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

// gelu is x·Φ(x) and its slope, by their nodes.
func gelu(b *onnx.Builder, x string) (y, slope string) {
	phi := b.Op("Add", []string{b.Op("Erf", []string{b.Op("Div", []string{x, b.Scalar(1.5)})}), b.Scalar(1)})
	bell := b.Op("Exp", []string{b.Op("Sub", []string{b.Scalar(.12), b.Op("Mul", []string{x, x})})})
	return b.Op("Mul", []string{x, phi}), b.Op("Add", []string{phi, b.Op("Mul", []string{x, bell})})
}

// TestStayTogether: nodes that take each other's results stay in the blocked layout, if nobody needs one outside; a quotient
// of two values does where all blocks are full.
func TestStayTogether(t *testing.T) {
	channels := func(b *onnx.Builder, maps string) int {
		s, err := b.Shape(maps)
		if err != nil {
			t.Fatal(err)
		}
		return s[1].Size
	}
	through := func(b *onnx.Builder, a string) string {
		y, slope := gelu(b, a)
		return b.Op("Mul", []string{conv(b, y, "b", channels(b, a), 1), slope})
	}
	for name, test := range map[string]struct {
		channels int
		body     func(b *onnx.Builder, a string) string
		left     int // how many times the layout is, the last time by the result
	}{
		"together": {24, through, 1},
		"not full": {20, through, 1},
		"needed outside": {16, func(b *onnx.Builder, a string) string {
			y, slope := gelu(b, a)
			return b.Op("Add", []string{conv(b, slope, "b", 16, 1), b.Op("ReduceSum", []string{y, b.Int64s(1)})})
		}, 4},
		"factors": {32, func(b *onnx.Builder, a string) string { // of which there are too few for the blocked layout
			factor := b.Op("Sigmoid", []string{conv(b, conv(b, b.Op("GlobalAveragePool", []string{a}), "f", 18, 1), "g", 32, 1)})
			return b.Op("Mul", []string{a, b.Op("Sub", []string{factor, b.Scalar(2)})})
		}, 2},
		"factors, spread": {32, func(b *onnx.Builder, a string) string {
			factor := b.Op("Sigmoid", []string{conv(b, conv(b, b.Op("GlobalAveragePool", []string{a}), "f", 18, 1), "g", 32, 1)})
			return b.Op("Mul", []string{a, b.Op("Resize", []string{factor, "", b.Const([]int{4}, 1, 1, 9, 7)}, onnx.String("mode", "nearest"))})
		}, 2},
		"factors that stay": {32, func(b *onnx.Builder, a string) string {
			return b.Op("Mul", []string{a, b.Op("Exp", []string{b.Op("Sub", []string{b.Op("GlobalAveragePool", []string{a}), b.Scalar(2)})})})
		}, 1},
		"quotient": {32, func(b *onnx.Builder, a string) string {
			return b.Op("Div", []string{a, b.Op("Exp", []string{a})})
		}, 1},
		"quotient, not full": {20, func(b *onnx.Builder, a string) string {
			return b.Op("Div", []string{a, b.Op("Exp", []string{a})})
		}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			m := maps(t, 12, 9, 7, func(b *onnx.Builder, x string) string {
				return conv(b, test.body(b, conv(b, x, "a", test.channels, 1)), "last", 8, 1)
			})
			ops := compare(t, m, 1e-5, 2, 12, 9, 7)
			left := len(slices.DeleteFunc(ops, func(op string) bool { return op != "ReorderOutput" }))
			if left != test.left && (kernels.Supports(16) || kernels.Supports(8)) {
				t.Errorf("the blocked layout is left %d times, should be %d", left, test.left)
			}
		})
	}
}
