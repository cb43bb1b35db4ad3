package onnx

import "testing"

// TestReaches: what an output at a place sees of each operator's maps, and which see more
// than a window.
func TestReaches(t *testing.T) {
	place, none := [2]Reach{{1, 0, 0}, {1, 0, 0}}, [2]Reach{}
	for _, c := range []struct {
		op    string
		in    []operand
		attrs []Attr
		want  [2]Reach // none if it is not ok
	}{
		{"Relu", of(Images(4, 9, 8)), nil, place},
		{"Clip", of(Images(4, 9, 8), []float32{0}, []float32{6}), nil, place},
		{"Relu", of(Images(4, 9)), nil, none},
		{"Add", of(Images(4, 9, 8), Images(4, 9, 8)), nil, place},
		{"Add", of(Images(4, 9, 8), []float32{1}), nil, place},
		{"Add", of(Images(4, 9, 8), make([]float32, 8)), nil, none},
		{"Mul", of(Images(4, 9, 8), Images(4, 1, 1)), nil, none},
		{"BatchNormalization", of(Images(4, 9, 8), make([]float32, 4), make([]float32, 4), make([]float32, 4), make([]float32, 4)), nil, place},
		{"Concat", of(Images(4, 9, 8), Images(2, 9, 8)), []Attr{Int("axis", 1)}, place},
		{"Concat", of(Images(4, 9, 8), Images(4, 9, 8)), []Attr{Int("axis", 2)}, none},
		{"Split", of(Images(4, 9, 8), []int{1, 3}), []Attr{Int("axis", 1)}, place},
		{"Split", of(Images(4, 9, 8), []int{1, 8}), []Attr{Int("axis", 2)}, none},
		{"Softmax", of(Images(4, 9, 8)), []Attr{Int("axis", -1)}, none},
		{"GlobalAveragePool", of(Images(4, 9, 8)), nil, none},
		{"MaxPool", of(Images(4, 9, 8)), []Attr{Ints("kernel_shape", 3, 2), Ints("strides", 2, 1), Ints("pads", 1, 0, 1, 1)}, [2]Reach{{2, 1, 1}, {1, 0, 1}}},
		{"AveragePool", of(Images(4, 9, 8)), []Attr{Ints("kernel_shape", 2, 2), Ints("strides", 3, 3)}, [2]Reach{{3, 0, 1}, {3, 0, 1}}},
		{"AveragePool", of(Images(4, 9)), []Attr{Ints("kernel_shape", 2)}, none},
		{"Conv", of(Images(4, 9, 8), Images(4, 3, 3)), nil, none},
	} {
		b := NewBuilder("test")
		outputs := 1
		if c.op == "Split" {
			outputs = 2
		}
		y := build(b, c.op, outputs, c.in, c.attrs...)[0]
		if got, ok := b.Reaches(b.Maker(y)); ok != (c.want != none) || ok && got != c.want {
			t.Errorf("%s of %v: %v, %v; want %v", c.op, c.in, got, ok, c.want)
		}
	}
}

// TestReachesConv: convolutions, whose weights are constants.
func TestReachesConv(t *testing.T) {
	for _, c := range []struct {
		kernel []int
		attrs  []Attr
		want   [2]Reach
		ok     bool
	}{
		{[]int{7, 7}, []Attr{Ints("strides", 2, 2), Ints("pads", 3, 3, 3, 3)}, [2]Reach{{2, 3, 3}, {2, 3, 3}}, true},
		{[]int{1, 7}, []Attr{Ints("pads", 0, 3, 0, 3)}, [2]Reach{{1, 0, 0}, {1, 3, 3}}, true},
		{[]int{3, 3}, []Attr{Ints("dilations", 2, 1), Ints("pads", 1, 0, 3, 2)}, [2]Reach{{1, 1, 3}, {1, 0, 2}}, true},
		{[]int{1, 1}, []Attr{Ints("strides", 2, 2)}, [2]Reach{{2, 0, 0}, {2, 0, 0}}, true},
		{[]int{1, 1}, []Attr{Ints("pads", 1, 1, 1, 1)}, [2]Reach{}, false},
		{[]int{3, 3}, []Attr{Ints("pads", 1, 1, -1, 1)}, [2]Reach{}, false},
		{[]int{3}, nil, [2]Reach{}, false},
	} {
		b := NewBuilder("test")
		x := b.Input("x", "", TensorProto_FLOAT, []any{"N", 4, 20, 20}[:2+len(c.kernel)]...)
		n := 1
		for _, k := range c.kernel {
			n *= k
		}
		y := b.Op("Conv", []string{x, b.Weights("w", make([]float32, 8*n), append([]int{2, 4}, c.kernel...)...)}, c.attrs...)
		if got, ok := b.Reaches(b.Maker(y)); ok != c.ok || ok && got != c.want {
			t.Errorf("%v %v: %v, %v; want %v, %v", c.kernel, c.attrs, got, ok, c.want, c.ok)
		}
	}
	if got, want := (Reach{2, 3, 3}).Then(Reach{2, 1, 1}), (Reach{4, 5, 5}); got != want {
		t.Errorf("3x3 behind 7x7, both by two, is %v, want %v", got, want)
	}
}
