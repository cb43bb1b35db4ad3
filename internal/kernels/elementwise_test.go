package kernels_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/ascood/ascood/internal/kernels"
	"github.com/ascood/ascood/internal/ort"
	"github.com/ascood/ascood/onnx"
)

func hardSigmoid(b *onnx.Builder, x string, alpha, beta float32) string {
	return b.Op("HardSigmoid", []string{x}, onnx.Float("alpha", alpha), onnx.Float("beta", beta))
}

// inside is 1 where 0 < x < 1.
func inside(b *onnx.Builder, x string) string {
	return b.Op("Mul", []string{hardSigmoid(b, x, 0x1p126, 0), hardSigmoid(b, x, -0x1p125, 0x1p125)})
}

// chains are made of maps a and g.
var chains = map[string]func(b *onnx.Builder, a, g string) string{
	"gate": func(b *onnx.Builder, a, g string) string { return b.Op("Mul", []string{g, inside(b, a)}) },
	"gate above": func(b *onnx.Builder, a, g string) string {
		return b.Op("Add", []string{a, b.Op("Mul", []string{g, hardSigmoid(b, a, 0x1p126, -0x1p124)})})
	},
	"steps of two": func(b *onnx.Builder, a, g string) string {
		both := b.Op("Mul", []string{hardSigmoid(b, a, -0x1p126, 0), hardSigmoid(b, g, 0x1p126, 0)})
		return b.Op("Add", []string{a, b.Op("Mul", []string{g, both})})
	},
	"HardSigmoid of some slope": func(b *onnx.Builder, a, g string) string {
		return b.Op("Mul", []string{g, b.Op("Mul", []string{hardSigmoid(b, a, 3, .5), hardSigmoid(b, a, -3, .5)})})
	},
	"Clip behind a convolution": func(b *onnx.Builder, a, g string) string {
		return b.Op("Clip", []string{conv(b, a, "before", 24, 1), b.Scalar(-.25), b.Scalar(.75)})
	},
	"numbers": func(b *onnx.Builder, a, g string) string {
		a = b.Op("Sub", []string{b.Op("Div", []string{a, b.Scalar(3)}), b.Scalar(.7)})
		g = b.Op("Sub", []string{b.Scalar(.3), b.Op("Mul", []string{b.Scalar(1.7), g})})
		return b.Op("Div", []string{b.Op("Add", []string{a, b.Scalar(.1)}), b.Op("Add", []string{b.Op("Exp", []string{b.Op("Sub", []string{a, g})}), b.Scalar(1)})})
	},
	"slope of HardSigmoid": func(b *onnx.Builder, a, g string) string {
		return b.Op("Mul", []string{b.Op("Sub", []string{g, a}), b.Op("Mul", []string{inside(b, a), b.Scalar(.2)})})
	},
	"SiLU": func(b *onnx.Builder, a, g string) string {
		return b.Op("Add", []string{b.Op("Mul", []string{a, b.Op("Sigmoid", []string{a})}), g})
	},
	"slope of SiLU": func(b *onnx.Builder, a, g string) string {
		sigmoid := b.Op("Sigmoid", []string{a})
		y := b.Op("Mul", []string{a, sigmoid})
		slope := b.Op("Add", []string{sigmoid, b.Op("Mul", []string{y, hardSigmoid(b, sigmoid, -1, 1)})})
		return b.Op("Add", []string{y, conv(b, b.Op("Mul", []string{conv(b, y, "between", 24, 1), slope}), "after", 24, 1)})
	},
	"GELU and its slope": func(b *onnx.Builder, a, g string) string {
		z := b.Op("Div", []string{a, b.Scalar(math.Sqrt2)})
		phi := b.Op("Add", []string{b.Op("Erf", []string{z}), b.Scalar(1)})
		y := b.Op("Mul", []string{b.Op("Mul", []string{a, phi}), b.Scalar(.5)})
		bell := b.Op("Exp", []string{b.Op("Sub", []string{b.Scalar(.12), b.Op("Mul", []string{z, z})})})
		slope := b.Op("Add", []string{phi, b.Op("Mul", []string{z, bell})})
		return b.Op("Mul", []string{conv(b, y, "between", 24, 1), slope})
	},
	"slope of HardSwish": func(b *onnx.Builder, a, g string) string {
		h := hardSigmoid(b, a, 1./6, .5)
		sixth := b.Const([]int{1, 24, 1, 1}, slices.Repeat([]float32{1. / 6}, 24)...)
		slope := b.Op("Add", []string{h, b.Op("Mul", []string{b.Op("Mul", []string{a, inside(b, h)}), sixth})})
		return b.Op("Mul", []string{g, slope})
	},
	"factor of each channel": func(b *onnx.Builder, a, g string) string {
		return b.Op("Add", []string{a, b.Op("Mul", []string{b.Op("Mul", []string{a, g}), b.Const([]int{1, 24, 1, 1}, random(24)...)})})
	},
	"factor of each map": func(b *onnx.Builder, a, g string) string {
		s, _ := b.Shape(a)
		mean := b.Op("GlobalAveragePool", []string{g})
		scales := b.Const([]int{4}, 1, 1, float32(s[2].Size), float32(s[3].Size))
		spread := b.Say(b.Op("Resize", []string{mean, "", scales}, onnx.String("mode", "nearest"), onnx.String("coordinate_transformation_mode", "asymmetric"), onnx.String("nearest_mode", "floor")))
		return b.Op("Add", []string{b.Op("Mul", []string{a, spread}), g})
	},
}

// TestElementwise: chains in the blocked layout are what they are without the operator.
func TestElementwise(t *testing.T) {
	for name, chain := range chains {
		for _, shape := range [][]int{{1, 12, 9, 7}, {3, 12, 21, 17}, {2, 12, 2, 2}} {
			t.Run(fmt.Sprint(name, shape), func(t *testing.T) {
				m := maps(t, shape[1], shape[2], shape[3], func(b *onnx.Builder, x string) string {
					y := chain(b, conv(b, x, "a", 24, 1), conv(b, x, "g", 24, 1))
					return conv(b, y, "last", 8, 1)
				})
				ops := compare(t, m, 1e-5, shape...)
				has(t, ops, "Elementwise", true)
				has(t, ops, "Upsample", false)
			})
		}
	}
}

// each is what a graph of our operators makes of numbers "x", by what body emits.
func each(t *testing.T, x []float32, body func(b *onnx.Builder) string) []float32 {
	t.Helper()
	b := onnx.NewBuilder("test")
	b.Input("x", "", onnx.TensorProto_FLOAT, "N")
	b.Output(b.Rename(body(b), "y"), "", onnx.TensorProto_FLOAT, "N")
	m, err := b.Model("", "")
	if err != nil {
		t.Fatal(err)
	}
	return run(t, m, map[string]ort.Value{"x": {Shape: []int{len(x)}, Data: x}})["y"].Floats()
}

// TestSteps: steps of numbers from end to end of what there is.
func TestSteps(t *testing.T) {
	x := []float32{0, 1e-30, float32(math.Inf(1)), float32(math.Inf(-1)), math.MaxFloat32, -math.MaxFloat32, 1e30, -1e30}
	for v := -95.; v < 95; v += 0.0137 {
		x = append(x, float32(v))
	}
	for op, test := range map[string]struct {
		f   func(x float64) float64
		off float64
	}{
		"Sigmoid":     {func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }, 1e-8},
		"Exp":         {math.Exp, 2e-38},
		"Erf":         {math.Erf, 0},
		"HardSigmoid": {func(x float64) float64 { return max(0, min(1, 0.2*x+0.5)) }, 1e-7},
	} {
		y := each(t, x, func(b *onnx.Builder) string { return b.Op("Mul", []string{b.Op(op, []string{"x"}), b.Scalar(.5)}) })
		for i, got := range y {
			want := test.f(float64(x[i])) / 2
			if want > math.MaxFloat32/2 && got > 1.6e38 { // or infinite
				continue
			}
			if !(math.Abs(float64(got)-want) <= 5e-7*math.Abs(want)+test.off) {
				t.Errorf("%s(%g)/2 is %g, should be %g", op, x[i], got, want)
			}
			if op == "Sigmoid" && got < 1e-9 {
				t.Errorf("Sigmoid(%g)/2 is %g, so small that products with it are slow", x[i], got)
			}
		}
	}
}

// TestBounds: bounds are not within themselves.
func TestBounds(t *testing.T) {
	x := []float32{0, math.Nextafter32(0, 1), 1, math.Nextafter32(1, 0), math.Nextafter32(1, 2), -1, .5, 2, 1e-30, float32(math.Inf(1)), float32(math.Inf(-1))}
	want := []float32{0, 3, 0, 4, 0, 0, 3.5, 0, 3, 0, 0}
	y := each(t, x, func(b *onnx.Builder) string {
		return b.Op("Mul", []string{inside(b, "x"), b.Op("Add", []string{"x", b.Scalar(3)})})
	})
	for i, got := range y {
		if got != want[i] {
			t.Errorf("of %g it is %g, should be %g", x[i], got, want[i])
		}
	}
}

// TestChains: what becomes an operator, and what does not.
func TestChains(t *testing.T) {
	for name, test := range map[string]struct {
		body func(b *onnx.Builder, x, g string) []string // emits outputs
		want []string
	}{
		"a chain": {func(b *onnx.Builder, x, g string) []string {
			return []string{b.Op("Mul", []string{g, inside(b, x)})}
		}, []string{"Elementwise x g"}},
		"one node": {func(b *onnx.Builder, x, g string) []string {
			return []string{b.Op("Mul", []string{g, x})}
		}, []string{"Mul"}},
		"an output inside": {func(b *onnx.Builder, x, g string) []string {
			product := b.Op("Mul", []string{g, hardSigmoid(b, x, 1, 0)})
			return []string{product, b.Op("Sigmoid", []string{b.Op("Add", []string{product, g})})}
		}, []string{"Elementwise x g", "Elementwise y0 g"}},
		"others take a value inside": {func(b *onnx.Builder, x, g string) []string {
			product := b.Op("Mul", []string{g, b.Op("Tanh", []string{x})})
			return []string{b.Op("Tanh", []string{product}), b.Op("Sigmoid", []string{b.Op("Add", []string{product, x})})}
		}, []string{"Tanh", "Mul", "Tanh", "Elementwise Mul x"}},
		"a value that follows is computed again": {func(b *onnx.Builder, x, g string) []string {
			product := b.Op("Mul", []string{g, x})
			return []string{b.Op("Tanh", []string{product}), b.Op("Add", []string{b.Op("Add", []string{product, g}), x})}
		}, []string{"Mul", "Tanh", "Elementwise g x"}},
		"all compute it themselves": {func(b *onnx.Builder, x, g string) []string {
			h := hardSigmoid(b, x, 1, 0)
			return []string{b.Op("Mul", []string{h, g}), b.Op("Add", []string{h, g})}
		}, []string{"Elementwise x g", "Elementwise x g"}},
		"a number": {func(b *onnx.Builder, x, g string) []string {
			return []string{b.Op("Mul", []string{b.Op("Add", []string{x, g}), b.Scalar(3)})}
		}, []string{"Elementwise x g"}},
		"a value of one is computed by all": {func(b *onnx.Builder, x, g string) []string {
			z := b.Op("Div", []string{x, b.Scalar(3)})
			return []string{b.Op("Mul", []string{z, g}), b.Op("Erf", []string{z})}
		}, []string{"Elementwise x g", "Elementwise x"}},
		"rows of different lengths": {func(b *onnx.Builder, x, g string) []string {
			return []string{b.Op("Mul", []string{b.Op("Add", []string{x, b.Const([]int{5}, 1, 2, 3, 4, 5)}), g})}
		}, []string{"Add", "Mul"}},
		"smaller maps": {func(b *onnx.Builder, x, g string) []string {
			mean := b.Op("GlobalAveragePool", []string{x})
			return []string{b.Op("Mul", []string{g, b.Op("Add", []string{mean, mean})})}
		}, []string{"GlobalAveragePool", "Add", "Mul"}},
		"numbers on either side": {func(b *onnx.Builder, x, g string) []string {
			return []string{b.Op("Sub", []string{b.Scalar(3), b.Op("Sub", []string{b.Op("Div", []string{b.Op("Mul", []string{b.Scalar(2), x}), b.Scalar(5)}), b.Scalar(1)})})}
		}, []string{"Elementwise x"}},
		"a number divided": {func(b *onnx.Builder, x, g string) []string {
			return []string{b.Op("Mul", []string{b.Op("Div", []string{b.Scalar(1), x}), g})}
		}, []string{"Div", "Mul"}},
		"integers": {func(b *onnx.Builder, x, g string) []string {
			i := b.Op("Cast", []string{x}, onnx.Int("to", int(onnx.TensorProto_INT64)))
			return []string{b.Op("Cast", []string{b.Op("Mul", []string{b.Op("Add", []string{i, i}), i})}, onnx.Int("to", int(onnx.TensorProto_FLOAT)))}
		}, []string{"Cast", "Add", "Mul", "Cast"}},
		"too many operands": {func(b *onnx.Builder, x, g string) []string {
			sum, operand := g, x
			for range 9 {
				operand = b.Op("Tanh", []string{operand})
				sum = b.Op("Add", []string{sum, operand})
			}
			return []string{sum}
		}, []string{"Tanh", "Tanh", "Elementwise g Tanh Tanh_2", "Tanh", "Tanh", "Tanh", "Tanh", "Tanh", "Tanh", "Tanh", "Elementwise Add_2 Tanh_3 Tanh_4 Tanh_5 Tanh_6 Tanh_7 Tanh_8 Tanh_9"}},
	} {
		t.Run(name, func(t *testing.T) {
			b := onnx.NewBuilder("test")
			b.Input("x", "", onnx.TensorProto_FLOAT, "N", 32, 5, 5)
			b.Input("g", "", onnx.TensorProto_FLOAT, "N", 32, 5, 5)
			for i, out := range test.body(b, "x", "g") {
				b.Output(b.Rename(out, fmt.Sprint("y", i)), "", onnx.TensorProto_FLOAT, "N", 32, 5, 5)
			}
			m, err := b.Model("", "")
			if err != nil {
				t.Fatal(err)
			}
			kernels.Rewrite(m, 16)
			var ops []string
			for _, n := range m.Graph.Node {
				if n.OpType == "Elementwise" {
					n.OpType += " " + strings.Join(n.Input, " ")
				}
				ops = append(ops, n.OpType)
			}
			if !slices.Equal(ops, test.want) {
				t.Errorf("%v, should be %v", ops, test.want)
			}
		})
	}
}
