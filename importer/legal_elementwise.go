package importer

import (
	"errors"
	"math"

	"github.com/ascood/ascood/onnx"
)

// legalDropout: one that is used as it is in training would give another answer each
// time, unless it drops nothing.
func legalDropout(s *step) ([]string, error) {
	if s.Operand(2) == "" {
		return handOn(s)
	}
	ratio := []float32{.5}
	if t := s.from.consts[s.Operand(1)]; t != nil {
		ratio, _ = t.Floats()
	}
	training, err := s.from.consts[s.Operand(2)].Ints()
	if err != nil || len(training) != 1 || len(ratio) != 1 || training[0] != 0 && ratio[0] != 0 {
		return nil, errors.New("it is in training mode; export the network in evaluation mode: model.eval()")
	}
	return handOn(s)
}

// legalCast drops casts of what is float32 already: all floating-point numbers are.
func legalCast(s *step) ([]string, error) {
	to := onnx.TensorProto_DataType(s.IntAttr("to", 0))
	if s.OpType == "CastLike" {
		like := s.from.consts[s.Operand(1)]
		if like == nil {
			to = onnx.TensorProto_FLOAT
		} else {
			to = like.Type()
		}
	}
	if onnx.TypeOf(s.Maker, s.operand(0)) == to {
		return handOn(s)
	}
	return []string{s.Op("Cast", s.in[:1], onnx.Int("to", int(to)))}, nil
}

// legalClip: before opset 11 the bounds are attributes.
func legalClip(s *step) ([]string, error) {
	if s.from.opset >= 11 {
		return same(s)
	}
	in := []string{s.operand(0), "", ""}
	for i, bound := range []string{"min", "max"} {
		if s.HasAttr(bound) {
			in[1+i] = s.Scalar(s.FloatAttr(bound, 0))
		}
	}
	return s.again(in)
}

// legalPow: exponents may be integers.
func legalPow(s *step) ([]string, error) {
	t := s.from.consts[s.Operand(1)]
	if t == nil || t.IsFloat() {
		return same(s)
	}
	values, err := t.Ints()
	if err != nil {
		return nil, err
	}
	exponents := make([]float32, len(values))
	for i, v := range values {
		exponents[i] = float32(v)
	}
	return s.again([]string{s.operand(0), s.Tensor(onnx.NewFloats(onnx.Prefix+t.Name+".float", exponents, t.Dims...))})
}

// legalMean: the mean of values is their sum, divided.
func legalMean(s *step) ([]string, error) {
	sum := s.Op("Sum", s.in)
	return []string{s.Op("Mul", []string{sum, s.Scalar(1 / float32(len(s.in)))})}, nil
}

// legalGelu writes x·Φ(x), of opset 20, by the error function, or its approximation by
// the hyperbolic tangent.
func legalGelu(s *step) ([]string, error) {
	x := s.operand(0)
	half := s.Op("Mul", []string{x, s.Scalar(.5)})
	if s.StringAttr("approximate", "none") == "none" {
		erf := s.Op("Erf", []string{s.Op("Mul", []string{x, s.Scalar(math.Sqrt2 / 2)})})
		return []string{s.Op("Mul", []string{half, s.Op("Add", []string{erf, s.Scalar(1)})})}, nil
	}
	// √(2/π)·(x + 0.044715·x³)
	square := s.Op("Mul", []string{x, x})
	inner := s.Op("Add", []string{s.Op("Mul", []string{square, s.Scalar(0.044715)}), s.Scalar(1)})
	inner = s.Op("Mul", []string{s.Op("Mul", []string{x, inner}), s.Scalar(float32(math.Sqrt(2 / math.Pi)))})
	tanh := s.Op("Tanh", []string{inner})
	return []string{s.Op("Mul", []string{half, s.Op("Add", []string{tanh, s.Scalar(1)})})}, nil
}

// legalMish writes x·tanh(softplus(x)), of opset 18.
func legalMish(s *step) ([]string, error) {
	tanh := s.Op("Tanh", []string{s.Op("Softplus", s.in)})
	return []string{s.Op("Mul", []string{s.operand(0), tanh})}, nil
}

// legalSwish writes x·σ(αx), of opset 24.
func legalSwish(s *step) ([]string, error) {
	inner := s.operand(0)
	if alpha := s.FloatAttr("alpha", 1); alpha != 1 {
		inner = s.Op("Mul", []string{inner, s.Scalar(alpha)})
	}
	return []string{s.Op("Mul", []string{s.operand(0), s.Op("Sigmoid", []string{inner})})}, nil
}

// legalSoftmax: before opset 13 all axes from the given one on are one distribution.
func legalSoftmax(s *step) ([]string, error) {
	shape, err := s.shape(0)
	if err != nil {
		return nil, err
	}
	otherwise := -1
	if s.from.opset < 13 {
		otherwise = 1
	}
	at, err := axis(s.IntAttr("axis", otherwise), len(shape))
	if err != nil {
		return nil, err
	}
	if s.from.opset >= 13 || product(shape[at:]) == shape[at] {
		return s.again(s.in, onnx.Int("axis", at))
	}
	flat := s.Op("Flatten", s.in, onnx.Int("axis", at))
	flat = s.Op(s.OpType, []string{flat}, onnx.Int("axis", 1))
	return []string{s.reshape(flat, shape...)}, nil
}

func product(sizes []int) int {
	n := 1
	for _, v := range sizes {
		n *= v
	}
	return n
}
