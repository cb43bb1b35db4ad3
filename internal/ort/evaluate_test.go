package ort

import (
	"slices"
	"strings"
	"testing"

	"github.com/ascood/ascood/onnx"
)

// TestEvaluate runs a graph that casts its input to each type, on two shapes.
func TestEvaluate(t *testing.T) {
	types := []onnx.TensorProto_DataType{
		onnx.TensorProto_FLOAT, onnx.TensorProto_DOUBLE, onnx.TensorProto_INT64, onnx.TensorProto_INT32, onnx.TensorProto_INT16, onnx.TensorProto_INT8,
		onnx.TensorProto_UINT64, onnx.TensorProto_UINT32, onnx.TensorProto_UINT16, onnx.TensorProto_UINT8, onnx.TensorProto_BOOL,
	}
	b := onnx.NewBuilder("types")
	x := b.Input("x", "", onnx.TensorProto_FLOAT16, "N")
	for _, d := range types {
		b.Output(b.Rename(b.Op("Cast", []string{x}, onnx.Int("to", int(d))), d.String()), "", d, "N")
	}
	m, err := b.Model("test", "1")
	if err != nil {
		t.Fatal(err)
	}
	one, two := []byte{0, 0x3c}, []byte{0, 0x3c, 0, 0}
	results, err := Evaluate(m,
		map[string]*onnx.TensorProto{"x": onnx.NewTensor("x", onnx.TensorProto_FLOAT16, one, 1)},
		map[string]*onnx.TensorProto{"x": onnx.NewTensor("x", onnx.TensorProto_FLOAT16, two, 2)})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range [][]int64{{1}, {1, 0}} {
		for _, d := range types {
			got := results[i][d.String()]
			var values []int64
			if got.IsFloat() {
				floats, _ := got.Floats()
				for _, v := range floats {
					values = append(values, int64(v))
				}
			} else {
				values, _ = got.Ints()
			}
			if got.Type() != d || !slices.Equal(values, want) || !slices.Equal(got.Dims, []int64{int64(len(want))}) {
				t.Errorf("%v: %v %v %v, want %v", d, got.Type(), got.Dims, values, want)
			}
		}
	}
	if _, err := Evaluate(m, map[string]*onnx.TensorProto{}); err == nil || !strings.Contains(err.Error(), `"x"`) {
		t.Errorf("without its input: %v", err)
	}
}
