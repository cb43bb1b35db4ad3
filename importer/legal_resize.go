package importer

import (
	"errors"
	"fmt"
	"slices"

	"github.com/ascood/ascood/onnx"
)

// legalResize writes each axis that is resized as a product with a constant matrix:
// whatever the mode, an element of the result is a weighted sum of elements of the
// axis. The runtime itself tells the weights, by resizing the identity matrix.
func legalResize(s *step) ([]string, error) {
	shape, err := s.shape(0)
	if err != nil {
		return nil, err
	}
	if s.StringAttr("coordinate_transformation_mode", "half_pixel") == "tf_crop_and_resize" {
		return nil, errors.New("it cuts out a part; cut and resize before the network")
	}
	target, scales, err := s.resized(shape)
	if err != nil {
		return nil, err
	}
	value := s.operand(0)
	for at, size := range shape {
		if target[at] == size && scales[at] == 1 {
			continue
		}
		weights, err := s.resizing(size, target[at], scales[at])
		if err != nil {
			return nil, err
		}
		value = s.along(value, at, weights, target[at])
	}
	return []string{value}, nil
}

// resized returns the sizes of the result, and by how much each axis grows.
func (s *step) resized(shape []int) (target []int, scales []float32, err error) {
	var axes []int
	for i := range shape {
		axes = append(axes, i)
	}
	axes = s.IntsAttr("axes", axes...) // since opset 18
	if s.StringAttr("keep_aspect_ratio_policy", "stretch") != "stretch" {
		return nil, nil, errors.New("it keeps the aspect ratio; export with sizes or scales of each axis")
	}
	target, scales = slices.Clone(shape), slices.Repeat([]float32{1}, len(shape))
	sizes, given, err := s.given("sizes", 3)
	if err != nil {
		return nil, nil, err
	}
	factors := s.FloatsAttr("scales") // of Upsample before opset 9
	scale := 2
	if s.from.opset < 11 {
		scale = 1 // no roi
	}
	if t := s.from.consts[s.Operand(scale)]; t != nil && !given {
		if factors, err = t.Floats(); err != nil {
			return nil, nil, err
		}
	}
	if len(sizes) != len(axes) && len(factors) != len(axes) {
		return nil, nil, fmt.Errorf("it has neither a size nor a scale for each of the axes %v", axes)
	}
	for i, a := range axes {
		at, err := axis(a, len(shape))
		if err != nil {
			return nil, nil, err
		}
		if given {
			target[at], scales[at] = sizes[i], float32(sizes[i])/float32(shape[at])
		} else {
			target[at], scales[at] = int(float32(shape[at])*factors[i]), factors[i]
		}
	}
	return target, scales, nil
}

// resizing returns the matrix [target,size] by which the operator resizes an axis.
func (s *step) resizing(size, target int, scale float32) (*onnx.TensorProto, error) {
	if size < 1 || target < 1 || max(size, target) > 1<<14 {
		return nil, fmt.Errorf("%d elements of an axis become %d; want 1 to %d", size, target, 1<<14)
	}
	identity := make([]float32, size*size)
	for i := range size {
		identity[i*size+i] = 1
	}
	g := &graph{
		opset: s.from.opset, names: map[string]bool{},
		inputs: []*onnx.ValueInfoProto{onnx.Value("x", onnx.TensorProto_FLOAT, 1, 1, size, size)},
		consts: map[string]*onnx.TensorProto{},
	}
	in, attributes := []string{"x"}, s.without("axes", "scales")
	add := func(t *onnx.TensorProto) { in, g.consts[t.Name] = append(in, t.Name), t }
	scales := onnx.NewFloats("scales", []float32{1, 1, scale, 1}, 4)
	switch {
	case s.HasAttr("scales"):
		attributes = append(attributes, onnx.Floats("scales", 1, 1, scale, 1))
	case s.from.opset < 11:
		add(scales)
	case s.Operand(3) == "":
		add(onnx.NewFloats("roi", nil, 0))
		add(scales)
	default:
		add(onnx.NewFloats("roi", nil, 0))
		add(onnx.NewFloats("scales", nil, 0))
		add(onnx.NewInts("sizes", []int64{1, 1, int64(target), int64(size)}, 4))
	}
	g.nodes = []*onnx.NodeProto{{OpType: s.OpType, Input: in, Output: []string{"y"}, Attribute: attributes}}
	y := []*onnx.ValueInfoProto{onnx.Shapeless("y", onnx.TensorProto_FLOAT)}
	results, err := s.run(g.model(g.inputs, y), feed{"x": onnx.NewFloats("x", identity, 1, 1, int64(size), int64(size))})
	if err != nil {
		return nil, err
	}
	weights, err := results[0]["y"].Floats()
	if err != nil || len(weights) != target*size {
		return nil, fmt.Errorf("%d elements of an axis become %d, not %d", size, len(weights)/size, target)
	}
	return onnx.NewFloats(onnx.Fixed(nameOf(s.NodeProto)+"/weights"), weights, int64(target), int64(size)), nil
}

// along multiplies an axis by a matrix [to,from].
func (s *step) along(value string, at int, matrix *onnx.TensorProto, to int) string {
	shape, err := s.sizes(value)
	if err != nil {
		return value // which has an error of its own
	}
	last := len(shape) - 1
	perm := make([]int, len(shape))
	for i := range perm {
		perm[i] = i
	}
	perm[at], perm[last] = last, at
	if at != last {
		value = s.Op("Transpose", []string{value}, onnx.Ints("perm", perm...))
		shape[at], shape[last] = shape[last], shape[at]
	}
	value = s.reshape(value, product(shape[:last]), shape[last])
	value = s.Op("Gemm", []string{value, s.Tensor(matrix)}, onnx.Int("transB", 1))
	shape[last] = to
	value = s.reshape(value, shape...)
	if at != last {
		value = s.Op("Transpose", []string{value}, onnx.Ints("perm", perm...))
	}
	return value
}
