package models

import (
	"math"

	"github.com/ascood/ascood/onnx"
)

// Transformers work on tokens: rows [N·T,D], those of an image one after the other.

// layerNorm standardises each row (LayerNorm).
func (m module) layerNorm(name string, rows string, eps float32) string {
	l, dim := m.in(name), m.dim(rows, -1)
	inputs := []string{rows, l.param("weight", Init{Constant, 1}, dim), l.param("bias", Init{Constant, 0}, dim)}
	return l.op("LayerNormalization", inputs, onnx.Int("axis", -1), onnx.Float("epsilon", eps))
}

// mlp is the two linear layers of a transformer's block, the first of them four times
// as wide, and GELU between them.
func (m module) mlp(name string, rows string) string {
	l, dim := m.in(name), m.dim(rows, 1)
	return l.linear("3", l.gelu(l.linear("0", rows, 4*dim)), dim)
}

// gelu is x·Φ(x), Φ the distribution function of the normal distribution.
func (m module) gelu(x string) string {
	erf := m.op("Erf", []string{m.op("Div", []string{x, m.b.Scalar(math.Sqrt2)})})
	y := m.op("Mul", []string{x, m.op("Add", []string{erf, m.b.Scalar(1)})})
	return m.op("Mul", []string{y, m.b.Scalar(0.5)})
}

// attend mixes the tokens of each group, an image or a window of one, by scaled
// dot-product attention. qkv are rows of queries, keys and values [G·T,3·D]; the result
// is [G·T,D]. The function bias, unless it is nil, adds to the scores [G,heads,T,T].
func (m module) attend(qkv string, tokens, heads int, bias func(scores string) string) string {
	dim := m.dim(qkv, 1) / 3
	parts := m.ops("Split", 3, []string{qkv, m.b.Int64s(dim, dim, dim)}, onnx.Int("axis", 1))
	head := func(rows string, perm ...int) string {
		return m.transpose(m.reshape(rows, -1, tokens, heads, dim/heads), perm...)
	}
	q, k, v := head(parts[0], 0, 2, 1, 3), head(parts[1], 0, 2, 3, 1), head(parts[2], 0, 2, 1, 3)
	q = m.op("Mul", []string{q, m.b.Scalar(float32(1 / math.Sqrt(float64(dim/heads))))})
	scores := m.op("MatMul", []string{q, k})
	if bias != nil {
		scores = bias(scores)
	}
	mixed := m.op("MatMul", []string{m.op("Softmax", []string{scores}, onnx.Int("axis", -1)), v})
	return m.reshape(m.transpose(mixed, 0, 2, 1, 3), -1, dim)
}

// reshape gives a value another shape, in which -1 is what remains.
func (m module) reshape(x string, shape ...int) string {
	return m.op("Reshape", []string{x, m.b.Int64s(shape...)})
}

func (m module) transpose(x string, perm ...int) string {
	return m.op("Transpose", []string{x}, onnx.Ints("perm", perm...))
}

// pad puts so many zeros before and after each axis.
func (m module) pad(x string, before, after []int) string {
	return m.op("Pad", []string{x, m.b.Int64s(append(before, after...)...)})
}

// slice takes what lies between two places of an axis.
func (m module) slice(x string, axis, from, to int) string {
	return m.op("Slice", []string{x, m.b.Int64s(from), m.b.Int64s(to), m.b.Int64s(axis)})
}
