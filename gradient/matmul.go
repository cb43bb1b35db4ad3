package gradient

import (
	"slices"
	"strings"

	"github.com/ascood/ascood/onnx"
)

var products = map[string]rule{
	"Gemm":   {vjp: []vjp{gemmGradient, nil, gemmBiasGradient}, takes: takesGemm, broadcasts: true, variants: "the weights off the image's way, `transA` 0"},
	"MatMul": {vjp: []vjp{matmulLeft, matmulRight}, broadcasts: true, variants: "at least two axes on each side, leading ones broadcast"},
	"Einsum": {each: einsumGradient, takes: takesEinsum, variants: "one or two operands, no letter twice in one, no `...`"},
}

func takesGemm(n *node) {
	if n.IntAttr("transA", 0) != 0 {
		n.refuse("has transA; a Transpose before it does the same")
	}
}

// gemmGradient: of y = α·x·W + β·c it is α·dy·Wᵀ.
func gemmGradient(n *node) string {
	return n.Op("Gemm", []string{n.dy, n.Operand(1)}, onnx.Float("alpha", n.FloatAttr("alpha", 1)), onnx.Int("transB", 1-n.IntAttr("transB", 0)))
}

func gemmBiasGradient(n *node) string { return n.scale(n.dy, float64(n.FloatAttr("beta", 1))) }

// matmulLeft: of y = a·b it is dy·bᵀ. By weights of two axes that is one product of
// matrices, and much faster as a Gemm: ONNX Runtime would turn the weights each time.
func matmulLeft(n *node) string {
	b := n.Operand(1)
	s := n.shape(n.x())
	if n.Constant(b) != nil && len(n.shape(b)) == 2 && n.err == nil {
		dy := n.shape(n.dy)
		rows := dy[:len(dy)-1].Elements()
		flat := n.reshape(n.dy, onnx.Shape{rows, dy[len(dy)-1]})
		return n.reshape(n.Op("Gemm", []string{flat, b}, onnx.Int("transB", 1)), s)
	}
	return n.op("MatMul", n.dy, n.turned(b))
}

// matmulRight: of y = a·b it is aᵀ·dy.
func matmulRight(n *node) string { return n.op("MatMul", n.turned(n.x()), n.dy) }

// turned is a value with its last two axes exchanged.
func (n *node) turned(value string) string {
	s := n.shape(value)
	if len(s) < 2 {
		n.refuse("has an operand of the shape %v, want at least two axes", s)
		return value
	}
	perm := make([]int, len(s))
	for i := range perm {
		perm[i] = i
	}
	slices.Reverse(perm[len(s)-2:])
	return n.transpose(value, perm...)
}

func (n *node) turnedIf(turn bool, value string) string {
	if turn {
		return n.turned(value)
	}
	return value
}

func takesEinsum(n *node) {
	eq, err := onnx.EquationOf(n.NodeProto)
	if n.note(err); len(eq.In) > 2 {
		n.refuse("has %d operands, want at most two", len(eq.In))
	}
}

// einsumGradient is the Einsum of dy and the other operand to the operand's letters.
// Those that neither of them has were summed over: the gradient is the same all along.
func einsumGradient(n *node, i int) string {
	eq, _ := onnx.EquationOf(n.NodeProto)
	terms, values := []string{eq.Out}, []string{n.dy}
	if len(eq.In) == 2 {
		terms, values = append(terms, eq.In[1-i]), append(values, n.Operand(1-i))
	}
	s := n.shape(n.Operand(i))
	var found strings.Builder
	narrow := slices.Clone(s)
	for k, label := range eq.In[i] {
		if strings.ContainsRune(strings.Join(terms, ""), label) {
			found.WriteRune(label)
		} else {
			narrow[k] = onnx.Dim{Size: 1}
		}
	}
	return n.expand(n.reshape(n.einsum(terms, values, found.String()), narrow), s)
}

// einsum is what an Einsum makes of values by their terms: a MatMul, where that does the same. ONNX Runtime reads the operands
// of that turned, where those of an Einsum are turned in memory.
func (n *node) einsum(terms, values []string, out string) string {
	if len(terms) == 2 {
		for i := range 2 { // either may be on the left
			if left, right, ok := asMatMul(terms[i], terms[1-i], out); ok {
				return n.op("MatMul", n.turnedIf(left, values[i]), n.turnedIf(right, values[1-i]))
			}
		}
	}
	return n.Op("Einsum", values, onnx.String("equation", strings.Join(terms, ",")+"->"+out))
}

// asMatMul reports whether a MatMul makes the term out of two others, which of these with their last two axes exchanged: the
// axes before these are the same in all.
func asMatMul(a, b, out string) (turnLeft, turnRight, ok bool) {
	k := len(out) - 2
	if k < 0 || len(a) != len(out) || len(b) != len(out) || a[:k] != out[:k] || b[:k] != out[:k] {
		return false, false, false
	}
	turn := func(s string, first bool) string {
		if first {
			return s[1:] + s[:1]
		}
		return s
	}
	turnLeft, turnRight = a[k+1] == out[k], b[k] == out[k+1]
	left, right := turn(a[k:], turnLeft), turn(b[k:], turnRight)
	return turnLeft, turnRight, left[0] == out[k] && right[1] == out[k+1] && left[1] == right[0]
}
