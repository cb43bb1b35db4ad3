package ort

import (
	"fmt"

	runtime "github.com/yalue/onnxruntime_go"
)

// Value is a tensor. Data is a []float32, []float64, []int64 or []uint8 in row-major order;
// an empty Shape is that of a scalar.
type Value struct {
	Shape []int
	Data  any
}

// Scalar returns a tensor of one number and no dimensions.
func Scalar(v float32) Value { return Value{Data: []float32{v}} }

// Floats returns the elements of a float32 tensor, nil of any other.
func (v Value) Floats() []float32 {
	data, _ := v.Data.([]float32)
	return data
}

// Doubles returns the elements of a float64 tensor, nil of any other.
func (v Value) Doubles() []float64 {
	data, _ := v.Data.([]float64)
	return data
}

// Number returns an element of a tensor of floating-point numbers.
func (v Value) Number(i int) float64 {
	if data := v.Doubles(); data != nil {
		return data[i]
	}
	return float64(v.Floats()[i])
}

// Ints returns the elements of an int64 tensor, nil of any other.
func (v Value) Ints() []int64 {
	data, _ := v.Data.([]int64)
	return data
}

// len returns how many elements Data has, and elements how many the shape asks for.
func (v Value) len() int {
	switch data := v.Data.(type) {
	case []float32:
		return len(data)
	case []float64:
		return len(data)
	case []int64:
		return len(data)
	case []uint8:
		return len(data)
	}
	return 0
}

func (v Value) elements() int {
	n := 1
	for _, d := range v.Shape {
		n *= d
	}
	return n
}

// upload makes a tensor of the runtime's that refers to v's memory.
func (v Value) upload() (runtime.Value, error) {
	switch data := v.Data.(type) {
	case []float32:
		return newTensor(v.Shape, data)
	case []float64:
		return newTensor(v.Shape, data)
	case []int64:
		return newTensor(v.Shape, data)
	case []uint8:
		return newTensor(v.Shape, data)
	}
	return nil, fmt.Errorf("elements of %T are not handled", v.Data)
}

func newTensor[T float32 | float64 | int64 | uint8](shape []int, data []T) (runtime.Value, error) {
	if len(shape) == 0 && len(data) == 1 {
		return some(runtime.NewScalar(data[0]))
	}
	dims := make(runtime.Shape, len(shape))
	for i, n := range shape {
		dims[i] = int64(n)
	}
	return some(runtime.NewTensor(dims, data))
}

// some returns v or an error, never a nil pointer that looks like a value.
func some[V runtime.Value](v V, err error) (runtime.Value, error) {
	if err != nil {
		return nil, err
	}
	return v, nil
}

// download returns an output's elements, which the binding has copied into memory
// of Go's already.
func download(v runtime.Value) (Value, error) {
	switch t := v.(type) {
	case *runtime.Tensor[float32]:
		return Value{shape(t.GetShape()), t.GetData()}, nil
	case *runtime.Tensor[float64]:
		return Value{shape(t.GetShape()), t.GetData()}, nil
	case *runtime.Tensor[int64]:
		return Value{shape(t.GetShape()), t.GetData()}, nil
	case *runtime.Tensor[uint8]:
		return Value{shape(t.GetShape()), t.GetData()}, nil
	}
	return Value{}, fmt.Errorf("elements of %T are not handled", v)
}

func shape(dims runtime.Shape) []int {
	s := make([]int, len(dims))
	for i, n := range dims {
		s[i] = int(n)
	}
	return s
}
