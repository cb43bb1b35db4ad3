package onnx

import (
	"slices"
	"strings"
	"testing"
)

func TestFloat32s(t *testing.T) {
	b := NewBuilder("weights")
	b.Weights("w", []float32{1, -2, 0.5}, 3)
	raw := b.graph.Initializer[0]
	for name, c := range map[string]struct {
		tensor *TensorProto
		want   []float32
		fault  string
	}{
		"raw":         {raw, []float32{1, -2, 0.5}, ""},
		"typed":       {&TensorProto{Name: "w", DataType: 1, Dims: []int64{1, 2}, FloatData: []float32{3, 4}}, []float32{3, 4}, ""},
		"scalar":      {&TensorProto{Name: "w", DataType: 1, FloatData: []float32{3}}, []float32{3}, ""},
		"empty":       {&TensorProto{Name: "w", DataType: 1, Dims: []int64{0, 2}}, nil, ""},
		"other type":  {&TensorProto{Name: "w", DataType: 11, Dims: []int64{1}, RawData: make([]byte, 8)}, nil, `"w" holds DOUBLE, want FLOAT`},
		"too few":     {&TensorProto{Name: "w", DataType: 1, Dims: []int64{3}, FloatData: []float32{3, 4}}, nil, `"w" has the shape [3], but 2 values`},
		"missing":     {&TensorProto{Name: "w", DataType: 1, Dims: []int64{3}}, nil, "but 0 values"},
		"part of one": {&TensorProto{Name: "w", DataType: 1, Dims: []int64{1}, RawData: make([]byte, 6)}, nil, "but 1 values"},
		"negative":    {&TensorProto{Name: "w", DataType: 1, Dims: []int64{-1, -1}, FloatData: []float32{3}}, nil, "[-1 -1]"},
		"overflow":    {&TensorProto{Name: "w", DataType: 1, Dims: []int64{1 << 32, 1 << 32}}, nil, "but 0 values"},
	} {
		got, err := c.tensor.Float32s()
		if !slices.Equal(got, c.want) || (err == nil) != (c.fault == "") || err != nil && !strings.Contains(err.Error(), c.fault) {
			t.Errorf("%s: %v, error %v; want %v, %q", name, got, err, c.want, c.fault)
		}
	}
}

func TestNodeAttributes(t *testing.T) {
	n := &NodeProto{Input: []string{"x", ""}, Attribute: []Attr{Int("axis", 2), Float("alpha", 0.5)}}
	if n.IntAttr("axis", 1) != 2 || n.IntAttr("keepdims", 1) != 1 || n.FloatAttr("alpha", 1) != 0.5 || n.FloatAttr("beta", 1) != 1 {
		t.Error("attributes or their defaults are wrong")
	}
	if n.Operand(0) != "x" || n.Operand(1) != "" || n.Operand(2) != "" {
		t.Error("operands are wrong")
	}
}
