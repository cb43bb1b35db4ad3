package interpreter_test

import (
	"math"
	"testing"

	"github.com/ascood/ascood/gotorch"
	"github.com/ascood/ascood/interpreter"
	"github.com/ascood/ascood/onnx"
)

// TestFusion: nodes that are run together compute what they do each by itself, which
// they are where the values between them are outputs.
func TestFusion(t *testing.T) {
	together, apart := residual(t, false), residual(t, true)
	for _, byBatch := range []bool{false, true} {
		s := gotorch.NewScope(gotorch.NoGrad)
		defer s.Close()
		var results, means [2][]float64
		for i, g := range []*onnx.GraphProto{together, apart} {
			p, err := interpreter.New(g)
			if err != nil {
				t.Fatal(err)
			}
			given := map[string]gotorch.Tensor{"x": gotorch.RandN(s, []int{3, 2, 5, 5}, gotorch.CPU, gotorch.NewGenerator(s, gotorch.CPU, 1)).To(gotorch.Float64)}
			for _, c := range g.Initializer {
				if given[c.Name], err = interpreter.Constant(s, c, gotorch.CPU, gotorch.Float64); err != nil {
					t.Fatal(err)
				}
			}
			y := p.Run(given, interpreter.Options{BatchStatistics: byBatch})[0]
			results[i] = gotorch.ToSlice[float64](y.Contiguous())
			means[i] = gotorch.ToSlice[float64](gotorch.Cat([]gotorch.Tensor{given["ascood_a_mean"], given["ascood_b_mean"]}, 0))
		}
		if err := s.Err(); err != nil {
			t.Fatal(err)
		}
		for _, both := range [][2][]float64{results, means} {
			for i, want := range both[1] {
				if got := both[0][i]; !(math.Abs(got-want) < 1e-12) {
					t.Errorf("byBatch %v: value %d is %v, by itself %v", byBatch, i, got, want)
				}
			}
		}
	}
}

// TestLeavesNothing: of a pass there is nothing in the scope of the weights, which outlives
// those of the images.
func TestLeavesNothing(t *testing.T) {
	g := residual(t, false)
	p, err := interpreter.New(g)
	if err != nil {
		t.Fatal(err)
	}
	weights := gotorch.NewScope()
	defer weights.Close()
	given := map[string]gotorch.Tensor{}
	for _, c := range g.Initializer {
		if given[c.Name], err = interpreter.Constant(weights, c, gotorch.CPU, gotorch.Float32); err != nil {
			t.Fatal(err)
		}
	}
	before := gotorch.LiveHandles()
	for _, byBatch := range []bool{false, true} {
		step := gotorch.NewScope()
		given["x"] = gotorch.RandN(step, []int{3, 2, 5, 5}, gotorch.CPU, gotorch.NewGenerator(step, gotorch.CPU, 1))
		p.Run(given, interpreter.Options{BatchStatistics: byBatch})
		if err := step.Err(); err != nil {
			t.Fatal(err)
		}
		step.Close()
		if now := gotorch.LiveHandles(); now != before {
			t.Errorf("byBatch %v: %d tensors are left", byBatch, now-before)
		}
	}
}

// residual is relu(norm(conv(x)) + norm(conv(x))), then twice a convolution with a bias and
// a norm that others read too.
func residual(t *testing.T, show bool) *onnx.GraphProto {
	t.Helper()
	b := onnx.NewBuilder("test")
	b.Input("x", "", onnx.TensorProto_FLOAT, "N", 2, 5, 5)
	b.Scope(onnx.Prefix)
	var between []string
	seed := 0
	weights := func(name string, shape ...int) string {
		n := 1
		for _, d := range shape {
			n *= d
		}
		values := make([]float32, n)
		for i := range values {
			seed++
			values[i] = 0.5 + float32(math.Sin(float64(seed*seed)))/3
		}
		return b.Weights(name, values, shape...)
	}
	seen := func(v string) string {
		between = append(between, v)
		return v
	}
	conv := func(name, x string, in int, bias bool) string {
		inputs := []string{x, weights(name+"_w", 3, in, 3, 3)}
		if bias {
			inputs = append(inputs, weights(name+"_c", 3))
		}
		y := seen(b.Op("Conv", inputs, onnx.Ints("pads", 1, 1, 1, 1)))
		return seen(b.Op("BatchNormalization", []string{y, weights(name+"_scale", 3), weights(name+"_shift", 3), weights(name+"_mean", 3), weights(name+"_var", 3)}, onnx.Float("epsilon", 1e-3)))
	}
	y := b.Op("Relu", []string{seen(b.Op("Add", []string{conv("a", "x", 2, false), conv("b", "x", 2, true)}))})
	y = conv("c", y, 3, true)
	y = b.Op("Add", []string{b.Op("Relu", []string{y}), y})
	b.Output(y, "", onnx.TensorProto_FLOAT)
	m, err := b.Model("test", "1")
	if err != nil {
		t.Fatal(err)
	}
	outputs := []*onnx.ValueInfoProto{onnx.Shapeless(y, onnx.TensorProto_FLOAT)}
	if show {
		for _, v := range between {
			outputs = append(outputs, onnx.Shapeless(v, onnx.TensorProto_FLOAT))
		}
	}
	m.Graph.Output = outputs
	return m.Graph
}
