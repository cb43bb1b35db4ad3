package onnx

import (
	"encoding/binary"
	"fmt"
	"math"
)

// elementBytes is how many bytes of raw data an element takes. Types that are not
// here have no values that this package reads.
var elementBytes = map[TensorProto_DataType]int{
	TensorProto_FLOAT: 4, TensorProto_DOUBLE: 8, TensorProto_FLOAT16: 2, TensorProto_BFLOAT16: 2,
	TensorProto_INT8: 1, TensorProto_INT16: 2, TensorProto_INT32: 4, TensorProto_INT64: 8,
	TensorProto_UINT8: 1, TensorProto_UINT16: 2, TensorProto_UINT32: 4, TensorProto_UINT64: 8,
	TensorProto_BOOL: 1,
}

// NewTensor returns a tensor of raw data; no dimensions are those of a scalar.
func NewTensor(name string, t TensorProto_DataType, raw []byte, dims ...int64) *TensorProto {
	return &TensorProto{Name: name, DataType: int32(t), Dims: dims, RawData: raw}
}

// NewFloats returns a float32 tensor.
func NewFloats(name string, values []float32, dims ...int64) *TensorProto {
	return NewTensor(name, TensorProto_FLOAT, floatBytes(values), dims...)
}

// NewDoubles returns a float64 tensor.
func NewDoubles(name string, values []float64, dims ...int64) *TensorProto {
	raw := make([]byte, 0, 8*len(values))
	for _, v := range values {
		raw = binary.LittleEndian.AppendUint64(raw, math.Float64bits(v))
	}
	return NewTensor(name, TensorProto_DOUBLE, raw, dims...)
}

// NewHalves returns a float16 tensor of the values, rounded to the nearest, of equally
// near ones the even.
func NewHalves(name string, values []float32, dims ...int64) *TensorProto {
	raw := make([]byte, 0, 2*len(values))
	for _, v := range values {
		raw = binary.LittleEndian.AppendUint16(raw, floatToHalf(v))
	}
	return NewTensor(name, TensorProto_FLOAT16, raw, dims...)
}

// floatToHalf rounds to IEEE 754's binary16; what is too large is infinite.
func floatToHalf(v float32) uint16 {
	bits := math.Float32bits(v)
	sign, magnitude := uint16(bits>>16&0x8000), math.Abs(float64(v))
	switch {
	case v != v:
		return sign | 0x7e00
	case magnitude >= 65520: // half a step above the largest
		return sign | 0x7c00
	case magnitude < 0x1p-14: // subnormal, or the smallest normal number after rounding
		return sign | uint16(math.RoundToEven(magnitude*0x1p24))
	}
	fraction := bits & 0x7fffff
	half := (bits>>23&0xff-112)<<10 | fraction>>13
	if rest := fraction & 0x1fff; rest > 0x1000 || rest == 0x1000 && half&1 == 1 {
		half++ // which carries into the exponent where it should
	}
	return sign | uint16(half)
}

// NewInts returns an int64 tensor.
func NewInts(name string, values []int64, dims ...int64) *TensorProto {
	raw := make([]byte, 0, 8*len(values))
	for _, v := range values {
		raw = binary.LittleEndian.AppendUint64(raw, uint64(v))
	}
	return NewTensor(name, TensorProto_INT64, raw, dims...)
}

func floatBytes(values []float32) []byte {
	raw := make([]byte, 0, 4*len(values))
	for _, v := range values {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
	}
	return raw
}

// Type returns the type of the elements.
func (t *TensorProto) Type() TensorProto_DataType { return TensorProto_DataType(t.GetDataType()) }

// Elements returns how many elements the shape is of. A negative dimension, and
// more elements than can be counted, are errors that name the tensor.
func (t *TensorProto) Elements() (int, error) {
	elements := int64(1)
	for _, d := range t.GetDims() {
		if d < 0 || d > 0 && elements > math.MaxInt64/d {
			return 0, fmt.Errorf("%q has the shape %v, which no tensor can have", t.GetName(), t.Dims)
		}
		elements *= d
	}
	return int(elements), nil
}

// Bytes returns how many bytes of raw data the tensor takes, as Elements does.
func (t *TensorProto) Bytes() (int, error) {
	size, known := elementBytes[t.Type()]
	if !known {
		return 0, fmt.Errorf("%q holds %v, which is not handled", t.GetName(), t.Type())
	}
	elements, err := t.Elements()
	if err == nil && elements > math.MaxInt/size {
		err = fmt.Errorf("%q has the shape %v, which no tensor can have", t.GetName(), t.Dims)
	}
	return elements * size, err
}

// Raw returns the elements as bytes, little-endian and row-major, whichever of the
// format's fields holds them. It may be the tensor's own memory. Values that are in
// another file, or not as many as the shape takes, are errors that name the tensor.
func (t *TensorProto) Raw() ([]byte, error) {
	size, known := elementBytes[t.Type()]
	if !known {
		return nil, fmt.Errorf("%q holds %v, which is not handled", t.GetName(), t.Type())
	}
	if t.GetDataLocation() == TensorProto_EXTERNAL {
		return nil, fmt.Errorf("the values of %q are in another file", t.GetName())
	}
	raw := t.RawData
	if len(raw) == 0 {
		raw = t.typedBytes(size)
	}
	elements, err := t.Elements()
	if err != nil {
		return nil, err
	}
	if len(raw)%size != 0 || len(raw)/size != elements {
		return nil, fmt.Errorf("%q has the shape %v, but %d values in the file", t.GetName(), t.Dims, len(raw)/size)
	}
	return raw, nil
}

// typedBytes returns the elements in the field of their type, of size bytes each.
func (t *TensorProto) typedBytes(size int) []byte {
	var raw []byte
	add := func(bits uint64) {
		raw = append(raw, binary.LittleEndian.AppendUint64(nil, bits)[:size]...)
	}
	switch t.Type() {
	case TensorProto_FLOAT:
		raw = floatBytes(t.FloatData)
	case TensorProto_DOUBLE:
		for _, v := range t.DoubleData {
			add(math.Float64bits(v))
		}
	case TensorProto_INT64:
		for _, v := range t.Int64Data {
			add(uint64(v))
		}
	case TensorProto_UINT32, TensorProto_UINT64:
		for _, v := range t.Uint64Data {
			add(v)
		}
	default:
		for _, v := range t.Int32Data {
			add(uint64(v))
		}
	}
	return raw
}

// Float32s returns the values of a float32 tensor. Another type is an error that
// names the tensor.
func (t *TensorProto) Float32s() ([]float32, error) {
	if t.Type() != TensorProto_FLOAT {
		return nil, fmt.Errorf("%q holds %v, want %v", t.GetName(), t.Type(), TensorProto_FLOAT)
	}
	return t.Floats()
}

// IsFloat reports whether Floats can read the elements.
func (t *TensorProto) IsFloat() bool { return IsFloat(t.Type()) }

// IsFloat reports whether elements of a type are floating-point numbers.
func IsFloat(t TensorProto_DataType) bool {
	switch t {
	case TensorProto_FLOAT, TensorProto_DOUBLE, TensorProto_FLOAT16, TensorProto_BFLOAT16:
		return true
	}
	return false
}

// Floats returns the values of a tensor of any floating-point type, rounded to
// float32.
func (t *TensorProto) Floats() ([]float32, error) {
	if !t.IsFloat() {
		return nil, fmt.Errorf("%q holds %v, want floating-point numbers", t.GetName(), t.Type())
	}
	raw, err := t.Raw()
	if err != nil {
		return nil, err
	}
	size := elementBytes[t.Type()]
	var values []float32
	if len(raw) > 0 {
		values = make([]float32, len(raw)/size)
	}
	for i := range values {
		at := raw[i*size:]
		switch t.Type() {
		case TensorProto_FLOAT:
			values[i] = math.Float32frombits(binary.LittleEndian.Uint32(at))
		case TensorProto_DOUBLE:
			values[i] = float32(math.Float64frombits(binary.LittleEndian.Uint64(at)))
		case TensorProto_BFLOAT16:
			values[i] = math.Float32frombits(uint32(binary.LittleEndian.Uint16(at)) << 16)
		case TensorProto_FLOAT16:
			values[i] = halfToFloat(binary.LittleEndian.Uint16(at))
		}
	}
	return values, nil
}

// halfToFloat returns the value of a number of IEEE 754's binary16.
func halfToFloat(h uint16) float32 {
	sign, exponent, fraction := uint32(h>>15)<<31, int(h>>10&31), uint32(h&1023)
	switch exponent {
	case 0: // fraction · 2^-24, which float32 holds exactly
		return math.Float32frombits(sign | math.Float32bits(float32(fraction)/(1<<24)))
	case 31:
		return math.Float32frombits(sign | 255<<23 | fraction<<13)
	}
	return math.Float32frombits(sign | uint32(exponent-15+127)<<23 | fraction<<13)
}

// Ints returns the values of a tensor of integers or booleans. Another type is an
// error that names the tensor.
func (t *TensorProto) Ints() ([]int64, error) {
	if t.IsFloat() {
		return nil, fmt.Errorf("%q holds %v, want integers", t.GetName(), t.Type())
	}
	raw, err := t.Raw()
	if err != nil {
		return nil, err
	}
	size := elementBytes[t.Type()]
	values := make([]int64, len(raw)/size)
	for i := range values {
		var bits uint64
		for k := range size {
			bits |= uint64(raw[i*size+k]) << (8 * k)
		}
		switch t.Type() {
		case TensorProto_INT8, TensorProto_INT16, TensorProto_INT32:
			unused := 64 - 8*size // a shift there and back extends the sign
			values[i] = int64(bits) << unused >> unused
		default:
			values[i] = int64(bits)
		}
	}
	return values, nil
}
