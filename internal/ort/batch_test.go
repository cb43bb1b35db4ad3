package ort

import (
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/ascood/ascood/onnx"
)

func TestPieces(t *testing.T) {
	for n, want := range map[int][]piece{
		0:  nil,
		1:  {{0, 1, 1}},
		2:  {{0, 2, 8}},
		8:  {{0, 8, 8}},
		9:  {{0, 9, 32}},
		33: {{0, 32, 32}, {32, 33, 1}},
		70: {{0, 32, 32}, {32, 64, 32}, {64, 70, 8}},
	} {
		if got := pieces(n, paddedSizes); !reflect.DeepEqual(got, want) {
			t.Errorf("%d images are cut into %v, want %v", n, got, want)
		}
	}
}

// rowSums takes x [N,3], k [N] and b [N,2], and computes the sum of each row of x over
// a scale, which is one number, and passes k, b and the scale on.
func rowSums(t *testing.T) *onnx.ModelProto {
	t.Helper()
	b := onnx.NewBuilder("sums")
	b.Input("x", "", onnx.TensorProto_FLOAT, "N", 3)
	b.Input("k", "", onnx.TensorProto_INT64, "N")
	b.Input("b", "", onnx.TensorProto_UINT8, "N", 2)
	b.Input("scale", "", onnx.TensorProto_FLOAT)
	sum := b.Op("ReduceSum", []string{b.Op("Div", []string{"x", "scale"}), b.Int64s(1)}, onnx.Int("keepdims", 0))
	b.Output(b.Rename(sum, "sum"), "", onnx.TensorProto_FLOAT, "N")
	b.Output(b.Rename(b.Op("Neg", []string{"k"}), "l"), "", onnx.TensorProto_INT64, "N")
	b.Output(b.Rename(b.Op("Identity", []string{"b"}), "c"), "", onnx.TensorProto_UINT8, "N", 2)
	b.Output(b.Rename(b.Op("Reshape", []string{"scale", b.Int64s(1)}), "scales"), "", onnx.TensorProto_FLOAT, 1)
	m, err := b.Model("test", "1")
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// batchOf is a batch of n images for rowSums.
func batchOf(n int) map[string]Value {
	x, k, b := make([]float32, 3*n), make([]int64, n), make([]uint8, 2*n)
	for i := range x {
		x[i] = float32(i)
	}
	for i := range k {
		k[i], b[2*i], b[2*i+1] = int64(i), uint8(i), uint8(i+100)
	}
	return map[string]Value{"x": {[]int{n, 3}, x}, "k": {[]int{n}, k}, "b": {[]int{n, 2}, b}, "scale": Scalar(2)}
}

// TestPadded: outputs do not show what a batch was padded to or cut into, and a
// program of each size is loaded when it is needed.
func TestPadded(t *testing.T) {
	any, err := Open(rowSums(t), Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer any.Close()
	padded, err := Open(rowSums(t), Options{Threads: 1, Sizes: []int{1, 4, 16}})
	if err != nil {
		t.Fatal(err)
	}
	defer padded.Close()
	for _, step := range []struct{ n, programs int }{{1, 1}, {3, 2}, {4, 2}, {5, 3}, {16, 3}, {17, 3}, {39, 3}} {
		want, err := any.Run(batchOf(step.n))
		if err != nil {
			t.Fatal(err)
		}
		got, err := padded.Run(batchOf(step.n))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%d images: %v, %v; want %v", step.n, got, err, want)
		}
		if len(padded.programs) != step.programs {
			t.Errorf("after %d images there are %d programs, want %d", step.n, len(padded.programs), step.programs)
		}
	}
	for size, p := range padded.programs {
		if _, err := p.run(batchOf(size + 1)); err == nil {
			t.Errorf("the program for %d images takes %d", size, size+1)
		}
	}
}

// TestMost: outputs do not show what a batch was cut into, and there is one program.
func TestMost(t *testing.T) {
	whole, err := Open(rowSums(t), Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer whole.Close()
	for _, threads := range []int{0, 1, 3} { // and as many pieces at once
		cut, err := Open(rowSums(t), Options{Threads: threads, Most: 3})
		if err != nil {
			t.Fatal(err)
		}
		defer cut.Close()
		for n, runs := range map[int]int{1: 1, 3: 1, 4: 2, 9: 3, 10: 4, 200: 67} {
			want, err := whole.Run(batchOf(n))
			if err != nil {
				t.Fatal(err)
			}
			if got, err := cut.Run(batchOf(n)); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%d images: %v, %v; want %v", n, got, err, want)
			}
			if got := max(1, len(cutAt(n, 3))); got != runs {
				t.Errorf("%d images are cut into %d, want %d", n, got, runs)
			}
		}
		if len(cut.programs) != 1 {
			t.Errorf("there are %d programs", len(cut.programs))
		}
	}
}

// TestPanic: what goes wrong in a piece does not end the process.
func TestPanic(t *testing.T) {
	s, err := Open(rowSums(t), Options{Threads: 2, Most: 3})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	sound := s.programs[0]
	s.programs[0] = nil
	if _, err := s.Run(batchOf(10)); err == nil || !strings.Contains(err.Error(), "panic: ") {
		t.Errorf("error %v", err)
	}
	s.programs[0] = sound
}

// TestPaddedTogether runs many sizes at once on a session that has loaded few.
func TestPaddedTogether(t *testing.T) {
	s, err := Open(rowSums(t), Options{Threads: 1, Sizes: []int{1, 4, 16}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var all sync.WaitGroup
	for n := 1; n < 24; n++ {
		all.Go(func() {
			out, err := s.Run(batchOf(n))
			if err != nil || len(out["sum"].Floats()) != n || out["sum"].Floats()[n-1] != float32(9*n-6)/2 {
				t.Errorf("%d images: %v, %v", n, out["sum"], err)
			}
		})
	}
	all.Wait()
}

func TestPaddedWrongInput(t *testing.T) {
	s, err := Open(rowSums(t), Options{Threads: 1, Sizes: []int{4}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for name, test := range map[string]struct {
		input string
		value Value
		says  string
	}{
		"no images":      {"x", Value{[]int{0, 3}, []float32{}}, "input x: 0 elements are no batch of the shape [0 3]"},
		"half an image":  {"x", Value{[]int{2, 3}, []float32{1, 2, 3}}, "input x: 3 elements are no batch of the shape [2 3]"},
		"other numbers":  {"x", batchOf(3)["x"], "images, another input of"},
		"another width":  {"x", Value{[]int{2, 2}, []float32{1, 2, 3, 4}}, "run model: "},
		"another type":   {"x", Value{[]int{2}, []string{"a", "b"}}, "input x: "},
		"nothing at all": {"x", Value{}, "input x: 0 elements are no batch"},
	} {
		in := batchOf(2)
		in[test.input] = test.value
		if _, err := s.Run(in); err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: error %v, want %q", name, err, test.says)
		}
	}
	in := batchOf(2)
	delete(in, "k")
	if _, err := s.Run(in); err == nil || !strings.Contains(err.Error(), `no value for input "k"`) {
		t.Errorf("error %v", err)
	}
}

// TestOneByOne: a graph that takes one image at a time runs once for each.
func TestOneByOne(t *testing.T) {
	m := onnx.WithDim(rowSums(t), batchDim, 1)
	s, err := Open(m, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	inputs := batchOf(3)
	inputs["scale"] = Scalar(2)
	out, err := s.Run(inputs)
	if err != nil {
		t.Fatal(err)
	}
	if want := []float32{1.5, 6, 10.5}; !reflect.DeepEqual(out["sum"].Floats(), want) || !reflect.DeepEqual(out["l"].Ints(), []int64{0, -1, -2}) {
		t.Errorf("sums %v, want %v; l %v", out["sum"], want, out["l"])
	}
}
