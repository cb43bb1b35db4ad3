package onnx

import (
	"encoding/binary"
	"math"
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
		"negative":    {&TensorProto{Name: "w", DataType: 1, Dims: []int64{-1, -1}, FloatData: []float32{3}}, nil, "[-1 -1], which no tensor"},
		"elsewhere":   {&TensorProto{Name: "w", DataType: 1, Dims: []int64{1}, DataLocation: TensorProto_EXTERNAL}, nil, "in another file"},
		"overflow":    {&TensorProto{Name: "w", DataType: 1, Dims: []int64{1 << 32, 1 << 32}}, nil, "which no tensor"},
	} {
		got, err := c.tensor.Float32s()
		if !slices.Equal(got, c.want) || (err == nil) != (c.fault == "") || err != nil && !strings.Contains(err.Error(), c.fault) {
			t.Errorf("%s: %v, error %v; want %v, %q", name, got, err, c.want, c.fault)
		}
	}
}

// TestFloats: every floating-point type, raw and typed. The halves are 1, -2, 1.5, the
// largest, the smallest above zero, and infinity.
func TestFloats(t *testing.T) {
	halves := []int32{0x3c00, 0xc000, 0x3e00, 0x7bff, 0x0001, 0x7c00}
	values := []float32{1, -2, 1.5, 65504, 1.0 / (1 << 24), float32(math.Inf(1))}
	var raw []byte
	for _, h := range halves {
		raw = binary.LittleEndian.AppendUint16(raw, uint16(h))
	}
	for name, c := range map[string]struct {
		tensor *TensorProto
		want   []float32
	}{
		"half":         {NewTensor("w", TensorProto_FLOAT16, raw, 6), values},
		"typed half":   {&TensorProto{DataType: int32(TensorProto_FLOAT16), Dims: []int64{6}, Int32Data: halves}, values},
		"double":       {NewTensor("w", TensorProto_DOUBLE, binary.LittleEndian.AppendUint64(nil, math.Float64bits(0.1))), []float32{0.1}},
		"typed double": {&TensorProto{DataType: int32(TensorProto_DOUBLE), Dims: []int64{2}, DoubleData: []float64{0.1, 3}}, []float32{0.1, 3}},
		"bfloat16":     {NewTensor("w", TensorProto_BFLOAT16, []byte{0x80, 0x3f, 0x40, 0xc0}, 2), []float32{1, -3}},
		"float":        {NewFloats("w", []float32{7, 8}, 2), []float32{7, 8}},
	} {
		if got, err := c.tensor.Floats(); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, error %v; want %v", name, got, err, c.want)
		}
	}
	if _, err := NewInts("w", []int64{1}, 1).Floats(); err == nil || !strings.Contains(err.Error(), `"w" holds INT64, want floating-point`) {
		t.Errorf("integers as floats: %v", err)
	}
}

func TestInts(t *testing.T) {
	typed := func(d TensorProto_DataType, values ...int32) *TensorProto {
		return &TensorProto{Name: "n", DataType: int32(d), Dims: []int64{int64(len(values))}, Int32Data: values}
	}
	for name, c := range map[string]struct {
		tensor *TensorProto
		want   []int64
	}{
		"int64":        {NewInts("n", []int64{-5, 1 << 40}, 2), []int64{-5, 1 << 40}},
		"typed int64":  {&TensorProto{DataType: int32(TensorProto_INT64), Dims: []int64{2}, Int64Data: []int64{-5, 6}}, []int64{-5, 6}},
		"int32":        {typed(TensorProto_INT32, -5, 6), []int64{-5, 6}},
		"int8":         {typed(TensorProto_INT8, -5, 6), []int64{-5, 6}},
		"uint8":        {typed(TensorProto_UINT8, 251, 6), []int64{251, 6}},
		"raw uint16":   {NewTensor("n", TensorProto_UINT16, []byte{255, 255}, 1), []int64{65535}},
		"bool":         {NewTensor("n", TensorProto_BOOL, []byte{1, 0}, 2), []int64{1, 0}},
		"typed uint32": {&TensorProto{DataType: int32(TensorProto_UINT32), Dims: []int64{1}, Uint64Data: []uint64{1 << 31}}, []int64{1 << 31}},
		"scalar":       {NewInts("n", []int64{3}), []int64{3}},
	} {
		if got, err := c.tensor.Ints(); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, error %v; want %v", name, got, err, c.want)
		}
	}
	for name, tensor := range map[string]*TensorProto{
		`"n" holds FLOAT, want integers`: NewFloats("n", []float32{1}, 1),
		`"n" holds STRING, which is not`: {Name: "n", DataType: int32(TensorProto_STRING), Dims: []int64{1}},
	} {
		if _, err := tensor.Ints(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("error %v, want %s", err, name)
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
