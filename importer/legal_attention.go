package importer

import (
	"errors"
	"fmt"
	"math"

	"github.com/ascood/ascood/onnx"
)

// legalAttention writes attention, an operator since opset 23, as softmax(scale·q·kᵀ+mask)·v.
// Its operands are [N,heads,L,D], or [N,L,heads·D] with the number of heads as an
// attribute.
func legalAttention(s *step) ([]string, error) {
	switch {
	case s.operand(4) != "" || s.operand(5) != "" || s.operand(6) != "":
		return nil, errors.New("it goes on from keys and values of before")
	case s.IntAttr("is_causal", 0) != 0:
		return nil, errors.New("it is causal (is_causal), as in networks of text")
	case s.FloatAttr("softcap", 0) != 0:
		return nil, errors.New("it has a softcap; export with an opset before 23, which has it written out")
	case s.Operand(3) != "" && (s.from.consts[s.Operand(3)] == nil || !s.from.consts[s.Operand(3)].IsFloat()):
		return nil, errors.New("its mask is not of constant numbers; export with an opset before 23, which has it written out")
	}
	q, heads, joined, err := s.heads(0, "q_num_heads")
	if err != nil {
		return nil, err
	}
	k, shared, _, err := s.heads(1, "kv_num_heads")
	if err != nil {
		return nil, err
	}
	v, _, _, err := s.heads(2, "kv_num_heads")
	if err != nil {
		return nil, err
	}
	if shared != heads {
		return nil, fmt.Errorf("%d heads share the keys of %d; export with an opset before 23, which has it written out", heads, shared)
	}
	shape, err := s.sizes(q)
	if err != nil {
		return nil, err
	}
	weights := s.Op("MatMul", []string{q, s.Op("Transpose", []string{k}, onnx.Ints("perm", 0, 1, 3, 2))})
	scale := s.FloatAttr("scale", float32(1/math.Sqrt(float64(shape[3]))))
	weights = s.Op("Mul", []string{weights, s.Scalar(scale)})
	if mask := s.operand(3); mask != "" {
		weights = s.Op("Add", []string{weights, mask})
	}
	y := s.Op("MatMul", []string{s.Op("Softmax", []string{weights}, onnx.Int("axis", -1)), v})
	if !joined {
		return []string{y}, nil
	}
	y = s.Op("Transpose", []string{y}, onnx.Ints("perm", 0, 2, 1, 3))
	if shape, err = s.sizes(y); err != nil {
		return nil, err
	}
	return []string{s.reshape(y, shape[0], shape[1], shape[2]*shape[3])}, nil
}

// heads returns input i as [N,heads,L,D], how many heads it has, and whether they are
// joined in the file.
func (s *step) heads(i int, attribute string) (value string, heads int, joined bool, err error) {
	shape, err := s.shape(i)
	value, heads = s.operand(i), s.IntAttr(attribute, 0)
	switch {
	case err != nil:
		return "", 0, false, err
	case len(shape) == 4:
		return value, shape[1], false, nil
	case len(shape) != 3 || heads < 1 || shape[2]%heads != 0:
		return "", 0, false, fmt.Errorf("its input %d is %v for %s %d", i, shape, attribute, heads)
	}
	value = s.reshape(value, shape[0], shape[1], heads, shape[2]/heads)
	return s.Op("Transpose", []string{value}, onnx.Ints("perm", 0, 2, 1, 3)), heads, true, nil
}
