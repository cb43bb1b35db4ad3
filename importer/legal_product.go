package importer

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/ascood/ascood/onnx"
)

// legalGemm writes x·Wᵀ + b with W and b constant, whatever factors and transposes
// the file has. Products of two values that depend on the image are MatMul's.
func legalGemm(s *step) ([]string, error) {
	x := s.operand(0)
	if s.IntAttr("transA", 0) != 0 {
		x = s.Op("Transpose", []string{x}, onnx.Ints("perm", 1, 0))
	}
	alpha, beta, transposed := s.FloatAttr("alpha", 1), s.FloatAttr("beta", 1), s.IntAttr("transB", 0) != 0
	weight := s.from.consts[s.Operand(1)]
	if weight == nil || s.from.consts[s.Operand(0)] != nil {
		return s.sum(x, alpha, beta, transposed)
	}
	w := s.operand(1)
	if alpha != 1 || !transposed {
		var err error
		if w, err = s.transposed(weight, alpha, transposed); err != nil {
			return nil, err
		}
	}
	out := s.Op("Gemm", []string{x, w}, onnx.Int("transB", 1))
	if s.operand(2) == "" {
		return []string{out}, nil
	}
	term := s.operand(2)
	if beta != 1 {
		term = s.Op("Mul", []string{term, s.Scalar(beta)})
		if t := s.from.consts[s.Operand(2)]; t != nil {
			var err error
			if term, err = s.scaled(t, beta); err != nil {
				return nil, err
			}
		}
	}
	if s.addBias(out, term) {
		return []string{out}, nil
	}
	return []string{s.Op("Add", []string{out, term})}, nil
}

// sum writes a Gemm as a product and a sum.
func (s *step) sum(x string, alpha, beta float32, transposed bool) ([]string, error) {
	w := s.operand(1)
	if transposed {
		w = s.Op("Transpose", []string{w}, onnx.Ints("perm", 1, 0))
	}
	out := s.Op("MatMul", []string{x, w})
	if alpha != 1 {
		out = s.Op("Mul", []string{out, s.Scalar(alpha)})
	}
	if term := s.operand(2); term != "" {
		if beta != 1 {
			term = s.Op("Mul", []string{term, s.Scalar(beta)})
		}
		out = s.Op("Add", []string{out, term})
	}
	return []string{out}, nil
}

// transposed adds alpha·W of a matrix, as [out,in].
func (s *step) transposed(t *onnx.TensorProto, alpha float32, already bool) (string, error) {
	if t.Type() != onnx.TensorProto_FLOAT {
		return "", fmt.Errorf("%q holds %v; want FLOAT", t.Name, t.Type())
	}
	raw, err := t.Raw()
	if err != nil {
		return "", err
	}
	if len(t.Dims) != 2 {
		return "", fmt.Errorf("%q has %d dimensions; want a matrix", t.Name, len(t.Dims))
	}
	rows, columns := int(t.Dims[0]), int(t.Dims[1])
	made := make([]byte, len(raw))
	for r := range rows {
		for c := range columns {
			from, to := 4*(r*columns+c), 4*(c*rows+r)
			if already {
				to = from
			}
			bits := binary.LittleEndian.Uint32(raw[from:])
			if alpha != 1 {
				bits = math.Float32bits(alpha * math.Float32frombits(bits))
			}
			binary.LittleEndian.PutUint32(made[to:], bits)
		}
	}
	if !already {
		rows, columns = columns, rows
	}
	return s.derived(onnx.NewTensor(onnx.Prefix+t.Name+".transposed", onnx.TensorProto_FLOAT, made, int64(rows), int64(columns)), t.Name), nil
}

// scaled adds a constant times a factor.
func (s *step) scaled(t *onnx.TensorProto, factor float32) (string, error) {
	values, err := t.Floats()
	if err != nil {
		return "", err
	}
	made := slices.Clone(values)
	for i := range made {
		made[i] *= factor
	}
	return s.derived(onnx.NewFloats(onnx.Prefix+t.Name+".scaled", made, t.Dims...), t.Name), nil
}

// legalMatMul writes a product with a constant matrix as a Gemm of rows: its gradient
// is another such, where that of MatMul transposes the matrix at each run.
func legalMatMul(s *step) ([]string, error) {
	shape, err := s.shape(0)
	if err != nil {
		return nil, err
	}
	weight := s.from.consts[s.Operand(1)]
	if len(shape) == 1 && weight != nil && len(weight.Dims) == 2 { // a vector is a row
		row := s.reshape(s.operand(0), 1, shape[0])
		w, err := s.transposed(weight, 1, false)
		if err != nil {
			return nil, err
		}
		return []string{s.reshape(s.Op("Gemm", []string{row, w}, onnx.Int("transB", 1)), int(weight.Dims[1]))}, nil
	}
	if weight == nil || len(weight.Dims) != 2 || len(shape) < 2 || s.from.consts[s.Operand(0)] != nil {
		return same(s)
	}
	w, err := s.transposed(weight, 1, false)
	if err != nil {
		return nil, err
	}
	x, last := s.operand(0), len(shape)-1
	if last > 1 {
		x = s.reshape(x, product(shape[:last]), shape[last])
	}
	out := s.Op("Gemm", []string{x, w}, onnx.Int("transB", 1))
	if last > 1 {
		out = s.reshape(out, append(slices.Clone(shape[:last]), int(weight.Dims[1]))...)
	}
	return []string{out}, nil
}

// legalAdd lets a product take a constant that is added to each of its rows.
func legalAdd(s *step) ([]string, error) {
	for i := range 2 {
		value, constant := s.operand(i), s.operand(1-i)
		if s.from.consts[s.Operand(1-i)] == nil || s.from.consts[s.Operand(i)] != nil || s.uses[s.root(s.Operand(i))] != 1 {
			continue
		}
		gemm := value
		if n := s.Maker(value); n != nil && n.OpType == "Reshape" {
			gemm = n.Operand(0)
		}
		before, err := s.sizes(value)
		if err == nil && s.addBias(gemm, constant) {
			if after, err := s.sizes(value); err == nil && slices.Equal(before, after) {
				return []string{value}, nil
			}
		}
	}
	return same(s)
}

// addBias gives a product without a bias one, if the constant is of one row.
func (s *step) addBias(product, constant string) bool {
	n, t := s.Maker(product), s.Constant(constant)
	if n == nil || n.OpType != "Gemm" || len(n.Input) != 2 || t == nil {
		return false
	}
	out, err := s.sizes(product)
	elements, err2 := t.Elements()
	if err != nil || err2 != nil || len(t.Dims) == 0 || int(t.Dims[len(t.Dims)-1]) != out[1] || elements != out[1] {
		return false
	}
	if len(t.Dims) > 1 {
		values, err := t.Floats()
		if err != nil {
			return false
		}
		constant = s.derived(onnx.NewFloats(onnx.Prefix+t.Name+".row", values, int64(out[1])), t.Name)
	}
	n.Input = append(n.Input, constant)
	return true
}
