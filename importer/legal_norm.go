package importer

import (
	"errors"
	"fmt"

	"github.com/ascood/ascood/onnx"
)

// legalBatchNorm leaves a normalisation with constant statistics as it is.
func legalBatchNorm(s *step) ([]string, error) {
	if inTraining(s.NodeProto) {
		return nil, errors.New("it is in training mode, in which the images of a batch change each other's; export the network in evaluation mode: model.eval()")
	}
	if s.IntAttr("spatial", 1) == 0 {
		return nil, errors.New("it has statistics for each pixel (spatial 0), which opset 17 has not")
	}
	for _, name := range s.Input[1:] {
		if s.from.consts[name] == nil {
			return nil, errors.New("its statistics depend on the image; export the network in evaluation mode: model.eval()")
		}
	}
	return s.again(s.in, onnx.Float("epsilon", s.FloatAttr("epsilon", 1e-5)), onnx.Float("momentum", s.FloatAttr("momentum", 0.9)))
}

// normalised returns the shape of what a node normalises, and the first of the axes over
// which it does.
func (s *step) normalised() (shape []int, at int, err error) {
	if shape, err = s.shape(0); err != nil {
		return nil, 0, err
	}
	at, err = axis(s.IntAttr("axis", -1), len(shape))
	return shape, at, err
}

// legalLayerNorm writes one over several axes as one over a single axis.
func legalLayerNorm(s *step) ([]string, error) {
	shape, at, err := s.normalised()
	if err != nil {
		return nil, err
	}
	epsilon := onnx.Float("epsilon", s.FloatAttr("epsilon", 1e-5))
	if at == len(shape)-1 {
		return s.again(s.in, onnx.Int("axis", -1), epsilon)
	}
	in := []string{s.reshape(s.operand(0), append(append([]int{}, shape[:at]...), product(shape[at:]))...)}
	for i := 1; i < len(s.in); i++ {
		flat, err := s.flatten(i)
		if err != nil {
			return nil, err
		}
		in = append(in, flat)
	}
	return []string{s.reshape(s.Op("LayerNormalization", in, onnx.Int("axis", -1), epsilon), shape...)}, nil
}

// legalRMSNorm writes x/√(mean(x²)+ε)·scale, of opset 23, over the axes from the given
// one on.
func legalRMSNorm(s *step) ([]string, error) {
	shape, at, err := s.normalised()
	if err != nil {
		return nil, err
	}
	var axes []int
	for a := at; a < len(shape); a++ {
		axes = append(axes, a)
	}
	x := s.operand(0)
	mean := s.Op("ReduceMean", []string{s.Op("Mul", []string{x, x})}, onnx.Ints("axes", axes...), onnx.Int("keepdims", 1))
	root := s.Op("Sqrt", []string{s.Op("Add", []string{mean, s.Scalar(s.FloatAttr("epsilon", 1e-5))})})
	return []string{s.Op("Mul", []string{s.Op("Div", []string{x, root}), s.operand(1)})}, nil
}

// flatten adds a constant operand as a vector.
func (s *step) flatten(i int) (string, error) {
	t := s.from.consts[s.Operand(i)]
	if t == nil {
		return "", fmt.Errorf("its input %d depends on the image", i)
	}
	values, err := t.Floats()
	return s.derived(onnx.NewFloats(onnx.Prefix+t.Name+".flat", values, int64(len(values))), t.Name), err
}

// legalGroupNorm writes normalisation within groups of channels, or within each, as
// that of rows, followed by scale and shift of each channel.
func legalGroupNorm(s *step) ([]string, error) {
	shape, err := s.shape(0)
	if err != nil {
		return nil, err
	}
	if len(shape) < 3 {
		return nil, fmt.Errorf("it normalises %v", shape)
	}
	channels := shape[1]
	groups := channels
	if s.OpType == "GroupNormalization" {
		groups = s.IntAttr("num_groups", 0)
	}
	if groups < 1 || channels%groups != 0 {
		return nil, fmt.Errorf("%d channels are not of %d groups", channels, groups)
	}
	length := product(shape[1:]) / groups
	ones := make([]float32, length)
	for i := range ones {
		ones[i] = 1
	}
	row := s.Tensor(onnx.NewFloats(onnx.Fixed(nameOf(s.NodeProto)+"/ones"), ones, int64(length)))
	x := s.reshape(s.operand(0), shape[0], groups, length)
	x = s.Op("LayerNormalization", []string{x, row}, onnx.Int("axis", -1), onnx.Float("epsilon", s.FloatAttr("epsilon", 1e-5)))
	x = s.reshape(x, shape...)
	for i, op := range []string{"Mul", "Add"} {
		t := s.from.consts[s.Operand(i+1)]
		if t == nil {
			return nil, fmt.Errorf("its input %d depends on the image", i+1)
		}
		values, err := t.Floats()
		if err != nil || len(values) == 0 || channels%len(values) != 0 {
			return nil, fmt.Errorf("%q has %d values for %d channels", t.Name, len(values), channels)
		}
		spread := make([]float32, channels)
		for c := range spread {
			spread[c] = values[c*len(values)/channels]
		}
		dims := make([]int64, len(shape)-1)
		for k := range dims {
			dims[k] = 1
		}
		dims[0] = int64(channels)
		x = s.Op(op, []string{x, s.derived(onnx.NewFloats(onnx.Prefix+t.Name+".channels", spread, dims...), t.Name)})
	}
	return []string{x}, nil
}

// legalLRN writes local response normalisation (Krizhevsky et al. 2012), x divided by
// (bias + alpha/size·Σ x²)^beta with the sum over neighbouring channels: a mean over
// windows of the channels' axis.
func legalLRN(s *step) ([]string, error) {
	shape, err := s.shape(0)
	if err != nil {
		return nil, err
	}
	size := s.IntAttr("size", 0)
	if len(shape) != 4 || size < 1 {
		return nil, fmt.Errorf("it normalises %v by windows of %d", shape, size)
	}
	square := s.Op("Mul", []string{s.operand(0), s.operand(0)})
	square = s.reshape(square, shape[0], 1, shape[1], shape[2]*shape[3])
	mean := s.Op("AveragePool", []string{square}, onnx.Ints("kernel_shape", size, 1), onnx.Ints("strides", 1, 1),
		onnx.Ints("pads", (size-1)/2, 0, size/2, 0), onnx.Int("count_include_pad", 1), onnx.Int("ceil_mode", 0))
	mean = s.reshape(mean, shape...)
	base := s.Op("Mul", []string{mean, s.Scalar(s.FloatAttr("alpha", 1e-4))})
	base = s.Op("Add", []string{base, s.Scalar(s.FloatAttr("bias", 1))})
	return []string{s.Op("Div", []string{s.operand(0), s.Op("Pow", []string{base, s.Scalar(s.FloatAttr("beta", 0.75))})})}, nil
}
