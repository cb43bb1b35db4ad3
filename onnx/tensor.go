package onnx

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Type returns the type of the elements.
func (t *TensorProto) Type() TensorProto_DataType { return TensorProto_DataType(t.GetDataType()) }

// Float32s returns the values of a float32 tensor, row-major, whichever of the
// format's fields holds them. Another type, and values that are not in the file or
// not as many as the shape takes, are errors that name the tensor.
func (t *TensorProto) Float32s() ([]float32, error) {
	if t.Type() != TensorProto_FLOAT {
		return nil, fmt.Errorf("%q holds %v, want %v", t.GetName(), t.Type(), TensorProto_FLOAT)
	}
	values := t.FloatData
	if len(t.RawData) > 0 {
		values = make([]float32, len(t.RawData)/4)
		for i := range values {
			values[i] = math.Float32frombits(binary.LittleEndian.Uint32(t.RawData[4*i:]))
		}
	}
	if len(t.RawData)%4 != 0 || !t.holds(len(values)) {
		return nil, fmt.Errorf("%q has the shape %v, but %d values in the file", t.GetName(), t.Dims, len(values))
	}
	return values, nil
}

// holds reports whether the tensor's shape is of n elements.
func (t *TensorProto) holds(n int) bool {
	elements := int64(1)
	for _, d := range t.Dims {
		if d < 0 || d > 0 && elements > math.MaxInt64/d {
			return false
		}
		elements *= d
	}
	return elements == int64(n)
}
