package artifact

import (
	"slices"
	"strings"
	"testing"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/onnx"
)

// head is a graph that ends in a linear layer of two features and three classes:
// what last makes of the feature are the logits.
func head(t *testing.T, last func(b *onnx.Builder, feature string) string) *onnx.ModelProto {
	t.Helper()
	b := onnx.NewBuilder("head")
	feature := b.Rename(b.Op("Relu", []string{b.Input("x", "", onnx.TensorProto_FLOAT, "N", 2)}), Feature)
	b.Output(b.Rename(last(b, feature), Logits), "", onnx.TensorProto_FLOAT, "N", 3)
	m, err := b.Model("test", "1")
	if err != nil {
		t.Fatal(err)
	}
	return m
}

var (
	rows    = []float32{1, 2, 3, 4, 5, 6} // [C,D]
	columns = []float32{1, 3, 5, 2, 4, 6} // [D,C]
)

func TestClassifier(t *testing.T) {
	for name, c := range map[string]struct {
		last         func(b *onnx.Builder, x string) string
		weight, bias []float32
	}{
		"Gemm, transposed": {func(b *onnx.Builder, x string) string {
			return b.Op("Gemm", []string{x, b.Const([]int{3, 2}, rows...), b.Const([]int{3}, 7, 8, 9)}, onnx.Int("transB", 1))
		}, rows, []float32{7, 8, 9}},
		"Gemm, plain": {func(b *onnx.Builder, x string) string {
			return b.Op("Gemm", []string{x, b.Const([]int{2, 3}, columns...), b.Const([]int{1, 3}, 7, 8, 9)})
		}, rows, []float32{7, 8, 9}},
		"Gemm with factors": {func(b *onnx.Builder, x string) string {
			return b.Op("Gemm", []string{x, b.Const([]int{2, 3}, columns...), b.Const([]int{3}, 7, 8, 9)}, onnx.Float("alpha", 2), onnx.Float("beta", 0.5))
		}, []float32{2, 4, 6, 8, 10, 12}, []float32{3.5, 4, 4.5}},
		"Gemm without a bias": {func(b *onnx.Builder, x string) string {
			return b.Op("Gemm", []string{x, b.Const([]int{3, 2}, rows...)}, onnx.Int("transB", 1))
		}, rows, []float32{0, 0, 0}},
		"Gemm whose bias is left out": {func(b *onnx.Builder, x string) string {
			return b.Op("Gemm", []string{x, b.Const([]int{3, 2}, rows...), ""}, onnx.Int("transB", 1))
		}, rows, []float32{0, 0, 0}},
		"Gemm with one bias for all": {func(b *onnx.Builder, x string) string {
			return b.Op("Gemm", []string{x, b.Const([]int{3, 2}, rows...), b.Scalar(7)}, onnx.Int("transB", 1))
		}, rows, []float32{7, 7, 7}},
		"MatMul": {func(b *onnx.Builder, x string) string {
			return b.Op("MatMul", []string{x, b.Const([]int{2, 3}, columns...)})
		}, rows, []float32{0, 0, 0}},
		"MatMul and Add": {func(b *onnx.Builder, x string) string {
			return b.Op("Add", []string{b.Op("MatMul", []string{x, b.Const([]int{2, 3}, columns...)}), b.Const([]int{3}, 7, 8, 9)})
		}, rows, []float32{7, 8, 9}},
		"Add and MatMul": {func(b *onnx.Builder, x string) string {
			return b.Op("Add", []string{b.Const([]int{1, 3}, 7, 8, 9), b.Op("MatMul", []string{x, b.Const([]int{2, 3}, columns...)})})
		}, rows, []float32{7, 8, 9}},
		"Gemm, Add and Identity": {func(b *onnx.Builder, x string) string {
			y := b.Op("Gemm", []string{x, b.Const([]int{3, 2}, rows...), b.Const([]int{3}, 7, 8, 9)}, onnx.Int("transB", 1))
			return b.Op("Identity", []string{b.Op("Add", []string{y, b.Const([]int{3}, 1, 2, 3)})})
		}, rows, []float32{8, 10, 12}},
	} {
		weight, bias, err := Classifier(head(t, c.last))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if !slices.Equal(weight, c.weight) || !slices.Equal(bias, c.bias) {
			t.Errorf("%s: weight %v and bias %v, want %v and %v", name, weight, bias, c.weight, c.bias)
		}
	}
}

// TestClassifierFloatData: the values may be in either field of the format.
func TestClassifierFloatData(t *testing.T) {
	m := head(t, func(b *onnx.Builder, x string) string {
		return b.Op("Gemm", []string{x, b.Weights("w", nil, 3, 2)}, onnx.Int("transB", 1))
	})
	m.Graph.Initializer[0].FloatData = rows
	if weight, bias, err := Classifier(m); err != nil || !slices.Equal(weight, rows) || len(bias) != 3 {
		t.Errorf("weight %v, bias %v, error %v", weight, bias, err)
	}
}

func TestClassifierUnsupported(t *testing.T) {
	// gemm makes a layer of an initializer w [3,2], changed as one likes.
	gemm := func(change func(w *onnx.TensorProto)) *onnx.ModelProto {
		m := head(t, func(b *onnx.Builder, x string) string {
			return b.Op("Gemm", []string{x, b.Weights("w", rows, 3, 2)}, onnx.Int("transB", 1))
		})
		change(m.Graph.Initializer[0])
		return m
	}
	last := func(f func(b *onnx.Builder, x string) string) *onnx.ModelProto { return head(t, f) }
	circle := last(func(b *onnx.Builder, x string) string { return b.Op("Identity", []string{x}) })
	circle.Graph.Node[1].Input[0] = Logits
	for name, c := range map[string]struct {
		model *onnx.ModelProto
		want  string
	}{
		"nothing":         {&onnx.ModelProto{}, `no node computes "logits"`},
		"no last layer":   {last(func(b *onnx.Builder, x string) string { return b.Op("Softmax", []string{x}) }), `"logits" is computed by Softmax`},
		"inner":           {last(func(b *onnx.Builder, x string) string { return b.Op("Identity", []string{x}) }), `"feature" is computed by Relu`},
		"circle":          {circle, "computed from itself"},
		"computed weight": {last(func(b *onnx.Builder, x string) string { return b.Op("MatMul", []string{x, x}) }), `the weight "feature" of "MatMul" is no initializer`},
		"no weight":       {last(func(b *onnx.Builder, x string) string { return b.Op("MatMul", []string{x}) }), `the weight "" of "MatMul" is no initializer`},
		"computed bias": {last(func(b *onnx.Builder, x string) string {
			return b.Op("Gemm", []string{x, b.Const([]int{2, 3}, columns...), x})
		}), `the bias "feature" of "Gemm" is no initializer`},
		"two computed": {last(func(b *onnx.Builder, x string) string { return b.Op("Add", []string{x, x}) }), `"Add" adds two values that are computed`},
		"transposed input": {last(func(b *onnx.Builder, x string) string {
			return b.Op("Gemm", []string{x, b.Const([]int{2, 3}, columns...)}, onnx.Int("transA", 1))
		}), "transposes its input"},
		"bias of a batch": {last(func(b *onnx.Builder, x string) string {
			return b.Op("Gemm", []string{x, b.Const([]int{2, 3}, columns...), b.Const([]int{3, 1}, 7, 8, 9)})
		}), "has the shape [3 1], want one value or 3"},
		"long bias": {last(func(b *onnx.Builder, x string) string {
			return b.Op("Add", []string{b.Op("MatMul", []string{x, b.Const([]int{2, 3}, columns...)}), b.Const([]int{4}, 6, 7, 8, 9)})
		}), "has the shape [4], want one value or 3"},
		"half precision":   {gemm(func(w *onnx.TensorProto) { w.DataType = int32(onnx.TensorProto_FLOAT16) }), `"w" holds FLOAT16, want FLOAT`},
		"outside the file": {gemm(func(w *onnx.TensorProto) { w.RawData = nil }), `"w" has the shape [3 2], but 0 values in the file`},
		"cut off":          {gemm(func(w *onnx.TensorProto) { w.RawData = w.RawData[:23] }), `"w" has the shape [3 2], but 5 values in the file`},
		"vector":           {gemm(func(w *onnx.TensorProto) { w.Dims = []int64{6} }), `the weight "w" of "Gemm" is no initializer of two dimensions`},
		"negative shape":   {gemm(func(w *onnx.TensorProto) { w.Dims = []int64{-3, -2} }), `the weight "w" of "Gemm" is no initializer of two dimensions`},
		"huge shape":       {gemm(func(w *onnx.TensorProto) { w.Dims = []int64{1 << 32, 1 << 32} }), "which no tensor can have"},
	} {
		_, _, err := Classifier(c.model)
		if ascood.CodeOf(err) != ascood.Unsupported || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "last linear layer") {
			t.Errorf("%s: error %v, want one that says %s", name, err, c.want)
		}
	}
}
