package gradient

import (
	"testing"

	"github.com/ascood/ascood/onnx"
)

// TestMeet: the sum of maps of which some are in the blocked layout is in that, too.
func TestMeet(t *testing.T) {
	b := onnx.NewBuilder("meet")
	x := b.Input("x", "", onnx.TensorProto_FLOAT, onnx.Batch, 16, 4, 4)
	op := func(op string, inputs ...string) string { return b.Op(op, inputs) }
	conv := func(x string, out, in, group int) string {
		return b.Op("Conv", []string{x, b.Weights("w", make([]float32, out*in), out, in, 1, 1)}, onnx.Int("group", group))
	}
	pool := func(x string) string { return b.Op("MaxPool", []string{x}, onnx.Ints("kernel_shape", 1, 1)) }
	c := conv(x, 16, 16, 1)
	half := conv(c, 8, 16, 1)
	odd := conv(c, 6, 16, 1)
	perChannel := b.Const([]int{1, 16, 1, 1}, make([]float32, 16)...)
	for _, v := range []struct {
		name, maps string
		blocked    bool
	}{
		{"input", x, false},
		{"activation of it", op("Relu", x), false},
		{"convolution", c, true},
		{"activation", op("Relu", c), true},
		{"sum", op("Add", c, op("Relu", c)), true},
		{"sum with an input", op("Add", c, x), false},
		{"factors of channels", op("Mul", c, perChannel), true},
		{"convolution in small groups", conv(c, 16, 4, 4), false},
		{"convolution of each channel", conv(c, 16, 1, 16), true},
		{"convolution of an odd number of channels", conv(odd, 16, 6, 1), true},
		{"pool", pool(x), true},
		{"pool of half a block", pool(half), false},
		{"channels", b.Op("Concat", []string{c, pool(x)}, onnx.Int("axis", 1)), true},
		{"channels of half blocks", b.Op("Concat", []string{half, half}, onnx.Int("axis", 1)), false},
		{"moved", op("Reshape", c, b.Int64s(0, 16, 2, 8)), false},
	} {
		w := &walk{Builder: b, target: CPU}
		if w.isBlocked(v.maps) != v.blocked {
			t.Errorf("%s: blocked is %t", v.name, !v.blocked)
		}
		if s := w.shape(v.maps); s.Equal(w.shape(x)) && !w.isBlocked(w.add(x, v.maps)) == v.blocked {
			t.Errorf("%s: added to an input: blocked is not %t", v.name, v.blocked)
		}
		if w.err != nil {
			t.Error(v.name, w.err)
		}
	}
}
