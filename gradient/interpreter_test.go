package gradient

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/ascood/ascood/gotorch"
	"github.com/ascood/ascood/internal/ort"
	"github.com/ascood/ascood/interpreter"
	"github.com/ascood/ascood/onnx"
)

// TestInterpreter: what has a gradient rule can be trained through. In each of its forms
// an operator computes with libtorch what it does with ONNX Runtime.
func TestInterpreter(t *testing.T) {
	for _, family := range [][]ruleCase{elementwiseCases, activationCases, productCases, convolutionCases, poolCases, normalisationCases, reductionCases, movementCases} {
		for _, c := range family {
			t.Run(c.String(), func(t *testing.T) { c.interpret(t) })
		}
	}
}

func (c ruleCase) interpret(t *testing.T) {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	m, err := onnx.Extract(c.build(t, CPU, rng).model, []string{"y"})
	if err != nil {
		t.Fatal(err)
	}
	session, err := ort.Open(m, ort.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	program, err := interpreter.New(m.Graph)
	if err != nil {
		t.Fatal(err)
	}
	for _, batch := range []int{1, 3} {
		s := gotorch.NewScope(gotorch.NoGrad)
		defer s.Close()
		inputs, given := map[string]ort.Value{}, map[string]gotorch.Tensor{}
		for i, o := range c.in {
			if name := fmt.Sprint("x", i); o.variable || o.given {
				values := o.draw(rng, batch)
				inputs[name] = ort.Value{Shape: o.shape.At(batch), Data: values}
				given[name] = gotorch.FromSlice(s, values, o.shape.At(batch)...)
			}
		}
		for _, v := range m.Graph.Initializer {
			if given[v.Name], err = interpreter.Constant(s, v, gotorch.CPU, gotorch.Float32); err != nil {
				t.Fatal(err)
			}
		}
		want, err := session.Run(inputs)
		if err != nil {
			t.Fatal(err)
		}
		got := gotorch.ToSlice[float32](program.Run(given, interpreter.Options{})[0].Contiguous())
		if err := s.Err(); err != nil {
			t.Fatal(err)
		}
		closeTo(t, fmt.Sprintf("output, batch %d", batch), got, doubles(want["y"].Floats()), 1e-5)
	}
}
