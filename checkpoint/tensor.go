package checkpoint

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/ascood/ascood"
)

// DType is the type of a tensor's elements, by its safetensors name.
type DType string

const (
	Bool DType = "BOOL"
	U8   DType = "U8"
	I8   DType = "I8"
	I16  DType = "I16"
	U16  DType = "U16"
	I32  DType = "I32"
	U32  DType = "U32"
	I64  DType = "I64"
	U64  DType = "U64"
	F16  DType = "F16"
	BF16 DType = "BF16"
	F32  DType = "F32"
	F64  DType = "F64"
)

// Size returns the bytes of one element, 0 for a type that does not exist.
func (d DType) Size() int {
	switch d {
	case Bool, U8, I8:
		return 1
	case I16, U16, F16, BF16:
		return 2
	case I32, U32, F32:
		return 4
	case I64, U64, F64:
		return 8
	}
	return 0
}

// Tensor is an array of numbers in C order. Shape is empty, not nil, for a
// scalar, which has one element.
type Tensor struct {
	DType DType
	Shape []int
	Data  []byte // little-endian, of Len() elements
}

// FromFloat32s returns an F32 tensor of the given shape, whose product is the
// number of values.
func FromFloat32s(values []float32, shape ...int) *Tensor {
	data := make([]byte, 0, 4*len(values))
	for _, v := range values {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(v))
	}
	return &Tensor{DType: F32, Shape: append([]int{}, shape...), Data: data}
}

// FromInt64s returns an I64 tensor of the given shape, whose product is the
// number of values.
func FromInt64s(values []int64, shape ...int) *Tensor {
	data := make([]byte, 0, 8*len(values))
	for _, v := range values {
		data = binary.LittleEndian.AppendUint64(data, uint64(v))
	}
	return &Tensor{DType: I64, Shape: append([]int{}, shape...), Data: data}
}

// Len returns the number of elements that the shape has.
func (t *Tensor) Len() int {
	n := 1
	for _, d := range t.Shape {
		n *= d
	}
	return n
}

// Float32s returns the elements of a floating-point tensor, rounded to float32
// where it is F64. Any other type is an error.
func (t *Tensor) Float32s() ([]float32, error) {
	if err := t.validate(); err != nil {
		return nil, err
	}
	values := make([]float32, t.Len())
	switch t.DType {
	case F32:
		for i := range values {
			values[i] = math.Float32frombits(binary.LittleEndian.Uint32(t.Data[4*i:]))
		}
	case F64:
		for i := range values {
			values[i] = float32(math.Float64frombits(binary.LittleEndian.Uint64(t.Data[8*i:])))
		}
	case BF16:
		for i := range values {
			values[i] = math.Float32frombits(uint32(binary.LittleEndian.Uint16(t.Data[2*i:])) << 16)
		}
	case F16:
		for i := range values {
			values[i] = fromHalf(binary.LittleEndian.Uint16(t.Data[2*i:]))
		}
	default:
		return nil, ascood.Errorf(ascood.Invalid, "elements are %s, want F32, F64, F16 or BF16", t.DType)
	}
	return values, nil
}

// single returns a floating-point tensor as F32, any other as it is.
func (t *Tensor) single() (*Tensor, error) {
	switch t.DType {
	case F16, BF16, F64:
		values, err := t.Float32s()
		return FromFloat32s(values, t.Shape...), err
	}
	return t, nil
}

// Int64s returns the elements of an I64 tensor. Any other type is an error.
func (t *Tensor) Int64s() ([]int64, error) {
	if err := t.validate(); err != nil {
		return nil, err
	}
	if t.DType != I64 {
		return nil, ascood.Errorf(ascood.Invalid, "elements are %s, want I64", t.DType)
	}
	values := make([]int64, t.Len())
	for i := range values {
		values[i] = int64(binary.LittleEndian.Uint64(t.Data[8*i:]))
	}
	return values, nil
}

// validate compares type, shape and data.
func (t *Tensor) validate() error {
	size := t.DType.Size()
	if size == 0 {
		return ascood.Errorf(ascood.Invalid, "element type %q does not exist", t.DType)
	}
	if slices.ContainsFunc(t.Shape, func(d int) bool { return d < 0 }) {
		return ascood.Errorf(ascood.Invalid, "negative dimension in shape %v", t.Shape)
	}
	if t.Len()*size != len(t.Data) {
		return ascood.Errorf(ascood.Invalid, "%d bytes of data for shape %v of %s", len(t.Data), t.Shape, t.DType)
	}
	return nil
}

// String describes the tensor without its data.
func (t *Tensor) String() string { return fmt.Sprintf("%s%v", t.DType, t.Shape) }

// fromHalf widens an IEEE 754 half-precision number.
func fromHalf(h uint16) float32 {
	sign, exponent, fraction := uint32(h>>15)<<31, uint32(h>>10&0x1f), uint32(h&0x3ff)
	switch exponent {
	case 0: // zero and subnormal numbers, which float32 has as normal ones
		magnitude := math.Float32bits(float32(fraction) * (1.0 / (1 << 24)))
		return math.Float32frombits(sign | magnitude)
	case 0x1f: // infinity and NaN
		return math.Float32frombits(sign | 0xff<<23 | fraction<<13)
	}
	return math.Float32frombits(sign | (exponent+127-15)<<23 | fraction<<13)
}

// StateDict is a set of tensors under PyTorch's names, such as
// "backbone.layer1.0.conv1.weight".
type StateDict map[string]*Tensor

// Shapes returns the shape of each tensor.
func (s StateDict) Shapes() map[string][]int {
	shapes := make(map[string][]int, len(s))
	for name, t := range s {
		shapes[name] = t.Shape
	}
	return shapes
}
