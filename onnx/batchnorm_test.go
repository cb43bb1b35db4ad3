package onnx

import (
	"math"
	"strings"
	"testing"
)

func TestAffine(t *testing.T) {
	constants := map[string]*TensorProto{}
	for name, values := range map[string][]float32{"scale": {2, 3}, "bias": {1, -1}, "mean": {0.5, 4}, "variance": {0.15, 0.9}, "short": {1}} {
		constants[name] = NewFloats(name, values, int64(len(values)))
	}
	constant := func(name string) *TensorProto { return constants[name] }
	n := &NodeProto{OpType: "BatchNormalization", Input: []string{"x", "scale", "bias", "mean", "variance"}, Attribute: []Attr{Float("epsilon", 0.1)}}
	scale, shift, err := Affine(n, constant)
	if err != nil {
		t.Fatal(err)
	}
	for c := range 2 {
		// 0.1 as it was written, not as float32 has it
		factor := float64([]float32{2, 3}[c]) / math.Sqrt(float64([]float32{0.15, 0.9}[c])+0.1)
		if want := float64([]float32{1, -1}[c]) - factor*float64([]float32{0.5, 4}[c]); scale[c] != factor || math.Abs(shift[c]-want) > 1e-15 {
			t.Errorf("channel %d: x·%v + %v, want x·%v + %v", c, scale[c], shift[c], factor, want)
		}
	}
	for _, test := range []struct{ mean, want string }{{"absent", `"absent" is no initializer`}, {"short", `"short" has 1 values, "scale" 2`}} {
		n.Input[3] = test.mean
		if _, _, err := Affine(n, constant); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("error %v, want %q", err, test.want)
		}
	}
}
