package onnx

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Batch is the name of the dimension that counts images.
const Batch = "N"

// Dim is a dimension: Size, or Size times the number of images.
type Dim struct {
	Size  int
	Batch bool
}

// N is the dimension that counts images.
var N = Dim{1, true}

// At returns the dimension in a batch of the given size.
func (d Dim) At(batch int) int {
	if d.Batch {
		return d.Size * batch
	}
	return d.Size
}

// String returns 7, N or 7*N: what a file says of the dimension.
func (d Dim) String() string {
	switch {
	case !d.Batch:
		return strconv.Itoa(d.Size)
	case d.Size == 1:
		return Batch
	}
	return strconv.Itoa(d.Size) + "*" + Batch
}

// Shape is a tensor's dimensions; no more than one of them counts images. That of a
// scalar has none.
type Shape []Dim

// Static returns a shape that does not depend on the number of images.
func Static(sizes ...int) Shape {
	s := make(Shape, len(sizes))
	for i, n := range sizes {
		s[i] = Dim{Size: n}
	}
	return s
}

// Images returns the shape of a batch of tensors of the given sizes.
func Images(sizes ...int) Shape { return append(Shape{N}, Static(sizes...)...) }

func (s Shape) String() string {
	dims := make([]string, len(s))
	for i, d := range s {
		dims[i] = d.String()
	}
	return "[" + strings.Join(dims, ",") + "]"
}

// Equal reports whether two shapes are the same at every number of images.
func (s Shape) Equal(other Shape) bool { return slices.Equal(s, other) }

// BatchAxis returns the axis that counts images, -1 if none does.
func (s Shape) BatchAxis() int {
	return slices.IndexFunc(s, func(d Dim) bool { return d.Batch })
}

// At returns the dimensions in a batch of the given size.
func (s Shape) At(batch int) []int {
	sizes := make([]int, len(s))
	for i, d := range s {
		sizes[i] = d.At(batch)
	}
	return sizes
}

// Target returns the shape as Reshape takes it: -1 where the images are counted.
func (s Shape) Target() []int {
	sizes := s.At(1)
	if axis := s.BatchAxis(); axis >= 0 {
		sizes[axis] = -1
	}
	return sizes
}

// Elements returns how many elements the shape is of.
func (s Shape) Elements() Dim {
	n := Dim{Size: 1}
	for _, d := range s {
		n = Dim{n.Size * d.Size, n.Batch || d.Batch}
	}
	return n
}

// Axis returns an axis that may be counted from the end, as -1 is the last. One that
// the shape does not have is an error.
func (s Shape) Axis(axis int) (int, error) {
	if axis < -len(s) || axis >= len(s) {
		return 0, fmt.Errorf("%v has no axis %d", s, axis)
	}
	if axis < 0 {
		axis += len(s)
	}
	return axis, nil
}

// Broadcast returns the shape of what an elementwise operator makes of operands of
// two shapes. Those that do not go together are an error.
func Broadcast(a, b Shape) (Shape, error) {
	rank := max(len(a), len(b))
	at := func(s Shape, i int) Dim {
		if i += len(s) - rank; i >= 0 {
			return s[i]
		}
		return Dim{Size: 1}
	}
	out := make(Shape, rank)
	for i := range out {
		x, y := at(a, i), at(b, i)
		switch {
		case x == y, y == Dim{Size: 1}:
			out[i] = x
		case x == Dim{Size: 1}:
			out[i] = y
		default:
			return nil, fmt.Errorf("%v and %v do not go together", a, b)
		}
	}
	return out, out.check()
}

// check finds what no tensor can have, and images counted twice.
func (s Shape) check() error {
	batches, elements := 0, 1
	for _, d := range s {
		if d.Size < 0 || d.Size > 0 && elements > math.MaxInt/d.Size {
			return fmt.Errorf("no tensor has the shape %v", s)
		}
		elements *= d.Size
		if d.Batch {
			batches++
		}
	}
	if batches > 1 {
		return fmt.Errorf("%v counts the images in more than one axis", s)
	}
	return nil
}

// Shape returns the tensor's dimensions.
func (t *TensorProto) Shape() Shape { return Static(ints(t.GetDims())...) }

// Shape returns the dimensions of the tensor that is described. It is an error if
// they are not said, or not in the form of Dim.
func (v *ValueInfoProto) Shape() (Shape, error) {
	tensor := v.GetType().GetTensorType()
	if tensor.GetShape() == nil {
		return nil, fmt.Errorf("%q is described without a shape", v.GetName())
	}
	var s Shape
	for i, d := range tensor.Shape.Dim {
		dim, ok := readDim(d)
		if !ok {
			return nil, fmt.Errorf("dimension %d of %q is %q, want a number, %s or a multiple such as 7*%s", i, v.GetName(), d.GetDimParam(), Batch, Batch)
		}
		s = append(s, dim)
	}
	if err := s.check(); err != nil {
		return nil, fmt.Errorf("%q: %w", v.GetName(), err)
	}
	return s, nil
}

func readDim(d *TensorShapeProto_Dimension) (Dim, bool) {
	if number, ok := d.GetValue().(*TensorShapeProto_Dimension_DimValue); ok {
		return Dim{Size: int(number.DimValue)}, number.DimValue >= 0
	}
	factor, ok := multiple(d.GetDimParam(), Batch)
	return Dim{factor, true}, ok
}

// multiple returns how many times a dimension of the given name is one that a file
// calls text: N is once N, and 7*N is seven times N.
func multiple(text, name string) (factor int, ok bool) {
	if text == name {
		return 1, true
	}
	number, ok := strings.CutSuffix(text, "*"+name)
	factor, err := strconv.Atoi(number)
	return factor, ok && err == nil && factor > 0
}

// Described is Value for a shape.
func Described(name string, t TensorProto_DataType, s Shape) *ValueInfoProto {
	dims := make([]any, len(s))
	for i, d := range s {
		dims[i] = d.Size
		if d.Batch {
			dims[i] = d.String()
		}
	}
	return Value(name, t, dims...)
}

// Shapes returns the shapes that a graph says of its values: inputs, outputs, those
// described inside, and initializers. Values of which it says none are not there.
func Shapes(g *GraphProto) map[string]Shape {
	shapes := map[string]Shape{}
	for _, v := range slices.Concat(g.GetValueInfo(), g.GetOutput(), g.GetInput()) {
		if s, err := v.Shape(); err == nil {
			shapes[v.Name] = s
		}
	}
	for _, t := range g.GetInitializer() {
		shapes[t.Name] = t.Shape()
	}
	return shapes
}
