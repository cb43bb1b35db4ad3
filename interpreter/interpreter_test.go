package interpreter_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/gotorch"
	"github.com/ascood/ascood/internal/ort"
	"github.com/ascood/ascood/interpreter"
	"github.com/ascood/ascood/onnx"
)

// The operators that have gradient rules are compared with ONNX Runtime, in each of their
// forms, by TestInterpreter of package gradient.

// program makes a graph of inputs x and y, [N,4], ready to run.
func program(t *testing.T, write func(b *onnx.Builder) string) (*interpreter.Program, *onnx.ModelProto, error) {
	t.Helper()
	b := onnx.NewBuilder("test")
	for _, name := range []string{"x", "y"} {
		b.Input(name, "", onnx.TensorProto_FLOAT, "N", 4)
	}
	b.Scope(onnx.Prefix)
	out := write(b)
	b.Output(out, "", onnx.TensorProto_FLOAT)
	m, err := b.Model("test", "1")
	if err != nil {
		t.Fatal(err)
	}
	m.Graph.Output[0] = onnx.Shapeless(out, onnx.TensorProto_FLOAT)
	p, err := interpreter.New(m.Graph)
	return p, m, err
}

// given are the values of the inputs and the constants.
func given(t *testing.T, s *gotorch.Scope, m *onnx.ModelProto, x, y []float32) map[string]gotorch.Tensor {
	t.Helper()
	values := map[string]gotorch.Tensor{"x": gotorch.FromSlice(s, x, 1, 4), "y": gotorch.FromSlice(s, y, 1, 4)}
	for _, c := range m.Graph.Initializer {
		var err error
		if values[c.Name], err = interpreter.Constant(s, c, gotorch.CPU, gotorch.Float32); err != nil {
			t.Fatal(err)
		}
	}
	return values
}

// TestSteps: operators that no gradient goes through compute what ONNX Runtime does.
func TestSteps(t *testing.T) {
	x, y := []float32{-1.5, 0, 2.5, 3}, []float32{-1.5, 1, 2, 3.5}
	float := onnx.Int("to", int(onnx.TensorProto_FLOAT))
	cast := func(b *onnx.Builder, v string) string { return b.Op("Cast", []string{v}, float) }
	less := func(b *onnx.Builder) string { return b.Op("Less", []string{"x", "y"}) }
	cases := map[string]func(b *onnx.Builder) string{
		"Not":    func(b *onnx.Builder) string { return cast(b, b.Op("Not", []string{less(b)})) },
		"ArgMax": func(b *onnx.Builder) string { return cast(b, b.Op("ArgMax", []string{"x"}, onnx.Int("axis", 1))) },
		"ArgMin": func(b *onnx.Builder) string {
			return cast(b, b.Op("ArgMin", []string{"x"}, onnx.Int("axis", -1), onnx.Int("keepdims", 0)))
		},
		"Cast": func(b *onnx.Builder) string {
			return cast(b, b.Op("Cast", []string{"x"}, onnx.Int("to", int(onnx.TensorProto_INT64))))
		},
		"Cast to booleans": func(b *onnx.Builder) string {
			return cast(b, b.Op("Cast", []string{"x"}, onnx.Int("to", int(onnx.TensorProto_BOOL))))
		},
		"Gather of constants": func(b *onnx.Builder) string { // of single numbers, from the end
			return b.Op("Gather", []string{"x", b.Tensor(onnx.NewInts("at", []int64{-1}))}, onnx.Int("axis", 1))
		},
	}
	for _, op := range []string{"Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"} {
		cases[op] = func(b *onnx.Builder) string { return cast(b, b.Op(op, []string{"x", "y"})) }
	}
	for _, op := range []string{"And", "Or", "Xor"} {
		cases[op] = func(b *onnx.Builder) string {
			return cast(b, b.Op(op, []string{less(b), b.Op("Greater", []string{"x", b.Scalar(0)})}))
		}
	}
	for _, op := range []string{"Floor", "Ceil", "Round", "Sign"} {
		cases[op] = func(b *onnx.Builder) string { return b.Op(op, []string{"x"}) }
	}
	for _, op := range []string{"IsNaN", "IsInf"} {
		cases[op] = func(b *onnx.Builder) string {
			return cast(b, b.Op(op, []string{b.Op("Div", []string{"x", b.Op("Floor", []string{b.Op("Abs", []string{"x"})})})}))
		}
	}
	for name, write := range cases {
		t.Run(name, func(t *testing.T) {
			p, m, err := program(t, write)
			if err != nil {
				t.Fatal(err)
			}
			if m, err = onnx.Extract(m, []string{m.Graph.Output[0].Name}); err != nil {
				t.Fatal(err)
			}
			inputs := map[string]*onnx.TensorProto{}
			for _, v := range m.Graph.Input {
				inputs[v.Name] = onnx.NewFloats(v.Name, map[string][]float32{"x": x, "y": y}[v.Name], 1, 4)
			}
			results, err := ort.Evaluate(m, inputs)
			if err != nil {
				t.Fatal(err)
			}
			want, err := results[0][m.Graph.Output[0].Name].Floats()
			if err != nil {
				t.Fatal(err)
			}
			s := gotorch.NewScope(gotorch.NoGrad)
			defer s.Close()
			got := gotorch.ToSlice[float32](p.Run(given(t, s, m, x, y), interpreter.Options{})[0].Contiguous())
			if err := s.Err(); err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%v, want %v; error %v", got, want, err)
			}
		})
	}
}

// TestRefused: all that cannot be run is named, before anything runs.
func TestRefused(t *testing.T) {
	_, _, err := program(t, func(b *onnx.Builder) string {
		x := b.Op("Add", []string{b.Op("Hardmax", []string{"x"}), b.Op("Pow", []string{"x", "y"})})
		x = b.Op("Pad", []string{x, b.Int64s(0, 1, 0, 1)}, onnx.String("mode", "reflect"))
		return b.Op("Gemm", []string{x, b.Weights("w", make([]float32, 10), 5, 2)})
	})
	if ascood.CodeOf(err) != ascood.Unsupported {
		t.Fatalf("error %v, want one of code %s", err, ascood.Unsupported)
	}
	for _, want := range []string{
		`Hardmax ("net/Hardmax"): is not an operator`, `Pow ("net/Pow"): its input 1 is computed`,
		`Pad ("net/Pad"): is of the mode reflect`, `Gemm ("net/Gemm"): net/Gemm (Gemm): [N,6] and [5,2] cannot be multiplied`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %q: %v", want, err)
		}
	}
}

// TestMemory: what a run makes goes with its scope, and leaves nothing in that of the
// weights, what is computed of weights alone included.
func TestMemory(t *testing.T) {
	p, m, err := program(t, func(b *onnx.Builder) string {
		w := b.Op("Transpose", []string{b.Weights("w", make([]float32, 12), 3, 4)})
		return b.Op("MatMul", []string{"x", b.Op("Exp", []string{w})})
	})
	if err != nil {
		t.Fatal(err)
	}
	outer := gotorch.NewScope()
	defer outer.Close()
	values := given(t, outer, m, make([]float32, 4), make([]float32, 4))
	values["w"] = values["w"].SetRequiresGrad(true)
	for _, o := range []interpreter.Options{{}, {BF16: true}} {
		live := gotorch.LiveHandles()
		s := gotorch.NewScope()
		step := map[string]gotorch.Tensor{"x": s.Keep(values["x"]), "y": s.Keep(values["y"]), "w": values["w"]}
		loss := p.Run(step, o)[0].Sum()
		if grad := gotorch.Grad([]gotorch.Tensor{loss}, []gotorch.Tensor{values["w"]}, gotorch.GradOptions{})[0]; len(grad.Shape()) != 2 {
			t.Errorf("the gradient of the weights is %v", grad)
		}
		if err := s.Err(); err != nil {
			t.Fatal(err)
		}
		s.Close()
		if now := gotorch.LiveHandles(); now > live+1 { // the gradient is of the weights' scope
			t.Errorf("%+v: a run leaves %d tensors", o, now-live)
		}
	}
}

// TestBF16: products compute in bfloat16 as far as the feature, sums and what is sensitive
// in float32.
func TestBF16(t *testing.T) {
	x := []float32{1, 1 + 1.0/512, 2, 3} // the second is no number of bfloat16
	matrix := func(b *onnx.Builder, name string) string {
		return b.Weights(name, []float32{0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 4, 4)
	}
	for _, c := range []struct {
		name  string
		write func(b *onnx.Builder) string
		want  float32
	}{
		{"before the feature", func(b *onnx.Builder) string {
			return b.Rename(b.Op("MatMul", []string{"x", matrix(b, "w")}), onnx.Tap("feature"))
		}, 1},
		{"after the feature", func(b *onnx.Builder) string {
			return b.Op("MatMul", []string{b.Rename(b.Op("Relu", []string{"x"}), onnx.Tap("feature")), matrix(b, "w")})
		}, x[1]},
		{"no product", func(b *onnx.Builder) string {
			return b.Op("Mul", []string{b.Op("Softplus", []string{b.Op("MatMul", []string{"x", matrix(b, "w")})}), b.Scalar(0)})
		}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, m, err := program(t, c.write)
			if err != nil {
				t.Fatal(err)
			}
			s := gotorch.NewScope(gotorch.NoGrad)
			defer s.Close()
			out := p.Run(given(t, s, m, x, x), interpreter.Options{BF16: true})[0].To(gotorch.Float32)
			if got := gotorch.ToSlice[float32](out); s.Err() != nil || got[1] != c.want {
				t.Errorf("%v, want %v in the second place; error %v", got, c.want, s.Err())
			}
		})
	}
}

// TestBatchStatistics: batch normalisation goes by the batch where that is asked for, and
// the running statistics take in as much of it as the attribute leaves.
func TestBatchStatistics(t *testing.T) {
	p, m, err := program(t, func(b *onnx.Builder) string {
		ones := func(name string, v float32) string { return b.Weights(name, []float32{v, v, v, v}, 4) }
		return b.Op("BatchNormalization", []string{"x", ones("w", 2), ones("b", 1), ones("mean", 10), ones("variance", 4)}, onnx.Float("momentum", 0.75), onnx.Float("epsilon", 0))
	})
	if err != nil {
		t.Fatal(err)
	}
	s := gotorch.NewScope(gotorch.NoGrad)
	defer s.Close()
	values := given(t, s, m, make([]float32, 4), make([]float32, 4))
	values["x"] = gotorch.FromSlice(s, []float32{0, 0, 0, 0, 2, 4, 6, 8}, 2, 4)
	for _, c := range []struct {
		batch      bool
		out, means []float32
	}{
		{false, []float32{-9, -9, -9, -9, -7, -5, -3, -1}, []float32{10, 10, 10, 10}},
		{true, []float32{-1, -1, -1, -1, 3, 3, 3, 3}, []float32{7.75, 8, 8.25, 8.5}},
	} {
		out := gotorch.ToSlice[float32](p.Run(values, interpreter.Options{BatchStatistics: c.batch})[0])
		means := gotorch.ToSlice[float32](values["mean"])
		if err := s.Err(); err != nil || !slices.Equal(out, c.out) || !slices.Equal(means, c.means) {
			t.Errorf("by the batch %v: %v with running means of %v, want %v and %v; error %v", c.batch, out, means, c.out, c.means, err)
		}
	}
}

// TestSqrt: at 0, where the slope is infinite, there is no gradient.
func TestSqrt(t *testing.T) {
	p, m, err := program(t, func(b *onnx.Builder) string { return b.Op("Sqrt", []string{"x"}) })
	if err != nil {
		t.Fatal(err)
	}
	s := gotorch.NewScope()
	defer s.Close()
	values := given(t, s, m, []float32{0, 1e-30, 1e-6, 4}, make([]float32, 4))
	x := values["x"].SetRequiresGrad(true)
	out := p.Run(values, interpreter.Options{})[0]
	grads := gotorch.ToSlice[float32](gotorch.Grad([]gotorch.Tensor{out.Sum()}, []gotorch.Tensor{x}, gotorch.GradOptions{})[0])
	y := gotorch.ToSlice[float32](out.Detach())
	if s.Err() != nil || y[0] > 1e-18 || y[2] < 0.999e-3 || y[2] > 1.001e-3 || y[3] != 2 || grads[0] != 0 || grads[3] != 0.25 {
		t.Errorf("roots %v with gradients %v, error %v", y, grads, s.Err())
	}
}
