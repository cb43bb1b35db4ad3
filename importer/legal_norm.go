package importer

import (
	"errors"
	"fmt"
	"math"

	"github.com/ascood/ascood/onnx"
)

// affine is what a normalisation with constant statistics does to each channel:
// x·scale + shift.
type affine struct{ scale, shift []float64 }

// legalBatchNorm computes the normalisation into the convolution before it if nothing
// else takes what that computes, and leaves it as it is otherwise.
func legalBatchNorm(s *step) ([]string, error) {
	if s.IntAttr("training_mode", 0) != 0 {
		return nil, errors.New("it is in training mode, in which the images of a batch change each other's; export the network in evaluation mode: model.eval()")
	}
	shape, err := s.shape(0)
	if err != nil {
		return nil, err
	}
	a, err := s.affine()
	if err != nil {
		return nil, err
	}
	if len(shape) < 2 || shape[1] != len(a.scale) {
		return nil, fmt.Errorf("it normalises %d channels of %v", len(a.scale), shape)
	}
	conv := s.Maker(s.operand(0))
	if conv != nil && conv.OpType == "Conv" && s.uses[s.root(s.Operand(0))] == 1 {
		return []string{s.operand(0)}, s.fold(conv, a)
	}
	if len(shape) == 4 {
		return s.again(s.in, onnx.Float("epsilon", s.FloatAttr("epsilon", 1e-5)))
	}
	perChannel := make([]int64, len(shape)-1)
	for i := range perChannel {
		perChannel[i] = 1
	}
	perChannel[0] = int64(shape[1])
	scale := s.Tensor(onnx.NewFloats(onnx.Prefix+s.Operand(1)+".scale", singles(a.scale), perChannel...))
	shift := s.Tensor(onnx.NewFloats(onnx.Prefix+s.Operand(2)+".shift", singles(a.shift), perChannel...))
	return []string{s.Op("Add", []string{s.Op("Mul", []string{s.operand(0), scale}), shift})}, nil
}

// affine reads the statistics of a batch normalisation.
func (s *step) affine() (a affine, err error) {
	var values [4][]float32 // scale, bias, mean, variance
	for i := range values {
		t := s.from.consts[s.Operand(i+1)]
		if t == nil {
			return a, errors.New("its statistics depend on the image; export the network in evaluation mode: model.eval()")
		}
		if values[i], err = t.Floats(); err != nil {
			return a, err
		}
		if len(values[i]) != len(values[0]) {
			return a, fmt.Errorf("%q has %d values, its scale %d", t.Name, len(values[i]), len(values[0]))
		}
	}
	epsilon := float64(s.FloatAttr("epsilon", 1e-5))
	for c := range values[0] {
		scale := float64(values[0][c]) / math.Sqrt(float64(values[3][c])+epsilon)
		a.scale = append(a.scale, scale)
		a.shift = append(a.shift, float64(values[1][c])-float64(values[2][c])*scale)
	}
	return a, nil
}

// fold computes an affine map of the channels into the convolution that makes them, in
// double precision, so that it costs no accuracy beyond the final rounding.
func (s *step) fold(conv *onnx.NodeProto, a affine) error {
	weight := s.Constant(conv.Operand(1))
	old, err := weight.Floats()
	if err != nil {
		return err
	}
	kernel, bias := make([]float32, len(old)), a.shift
	per := len(old) / len(a.scale)
	for i, v := range old {
		kernel[i] = float32(float64(v) * a.scale[i/per])
	}
	if before := conv.Operand(2); before != "" {
		values, err := s.Constant(before).Floats()
		if err != nil {
			return err
		}
		for c, v := range values {
			bias[c] += float64(v) * a.scale[c]
		}
	}
	conv.Input = []string{conv.Input[0],
		s.Tensor(onnx.NewFloats(onnx.Prefix+weight.Name+".folded", kernel, weight.Dims...)),
		s.Tensor(onnx.NewFloats(onnx.Prefix+weight.Name+".bias", singles(bias), int64(len(bias)))),
	}
	return nil
}

func singles(v []float64) []float32 {
	out := make([]float32, len(v))
	for i, f := range v {
		out[i] = float32(f)
	}
	return out
}

// legalLayerNorm writes one over several axes as one over a single axis.
func legalLayerNorm(s *step) ([]string, error) {
	shape, err := s.shape(0)
	if err != nil {
		return nil, err
	}
	at, err := axis(s.IntAttr("axis", -1), len(shape))
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

// flatten adds a constant operand as a vector.
func (s *step) flatten(i int) (string, error) {
	t := s.from.consts[s.Operand(i)]
	if t == nil {
		return "", fmt.Errorf("its input %d depends on the image", i)
	}
	values, err := t.Floats()
	return s.Tensor(onnx.NewFloats(onnx.Prefix+t.Name+".flat", values, int64(len(values)))), err
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
	row := s.Tensor(onnx.NewFloats(onnx.Prefix+nameOf(s.NodeProto)+"/ones", ones, int64(length)))
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
		x = s.Op(op, []string{x, s.Tensor(onnx.NewFloats(onnx.Prefix+t.Name+".channels", spread, dims...))})
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
