package importer

import (
	"slices"
	"strings"
	"testing"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/onnx"
)

// TestTied: to be trained, a weight that several nodes take is one parameter, or is refused
// by its name if they take it in different forms.
func TestTied(t *testing.T) {
	turned := func(f *foreign, w string) string { return f.Op("Transpose", []string{w}, onnx.Ints("perm", 1, 0)) }
	for name, test := range map[string]struct {
		layers func(f *foreign, x, w string) string // of x [N,4]
		want   string                               // the error; "" if it is one parameter
	}{
		"twice": {func(f *foreign, x, w string) string {
			return f.Op("MatMul", []string{f.Op("MatMul", []string{x, w}), w})
		}, ""},
		"a Transpose each": {func(f *foreign, x, w string) string {
			return f.Op("MatMul", []string{f.Op("MatMul", []string{x, turned(f, w)}), turned(f, w)})
		}, ""},
		"by an Identity": {func(f *foreign, x, w string) string {
			return f.Op("MatMul", []string{f.Op("MatMul", []string{x, w}), f.Op("Identity", []string{w})})
		}, ""},
		"one Transpose of two": {func(f *foreign, x, w string) string {
			return f.Op("MatMul", []string{f.Op("MatMul", []string{x, turned(f, w)}), w})
		}, " and "},
		"back by a Gemm": {func(f *foreign, x, w string) string {
			return f.Op("Gemm", []string{f.Op("MatMul", []string{x, w}), w}, onnx.Int("transB", 1))
		}, " and "},
		"a kernel, too": {func(f *foreign, x, w string) string {
			maps := f.Op("Reshape", []string{x, f.Int64s(-1, 4, 1, 1)})
			maps = f.Op("Conv", []string{maps, f.Op("Reshape", []string{turned(f, w), f.Int64s(4, 4, 1, 1)})})
			return f.Op("MatMul", []string{f.Op("Flatten", []string{maps}), w})
		}, " and "},
		"parts": {func(f *foreign, x, w string) string {
			part := func(from int) string {
				return f.Op("Slice", []string{w, f.Int64s(from), f.Int64s(from + 2), f.Int64s(1)})
			}
			return f.Op("Concat", []string{f.Op("MatMul", []string{x, part(0)}), f.Op("MatMul", []string{x, part(2)})}, onnx.Int("axis", 1))
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := newForeign()
			x := f.Input("image", "", onnx.TensorProto_FLOAT, "N", 3, 8, 8)
			x = f.Op("Conv", []string{x, f.noise("kernel", 4, 3, 1, 1)})
			x = test.layers(f, f.Op("Flatten", []string{f.Op("GlobalAveragePool", []string{x})}), f.noise("shared", 4, 4))
			x = f.Op("Reshape", []string{x, f.Int64s(-1, 4, 1, 1)})
			end(f, x, "N")
			file := f.file(t, 17)
			opt := normal(8)
			if _, err := Import(file, opt); err != nil {
				t.Fatal("to be used:", err)
			}
			opt.Training = true
			net, err := Import(file, opt)
			if test.want != "" {
				if ascood.CodeOf(err) != ascood.Unsupported || !strings.Contains(err.Error(), `would be trained apart: "shared", of `) || !strings.Contains(err.Error(), test.want) {
					t.Errorf("error %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var of []string
			for _, c := range net.Model.Graph.Initializer {
				if slices.Equal(c.Dims, []int64{4, 4}) {
					of = append(of, c.Name)
				}
			}
			if name != "parts" && len(of) != 1 {
				t.Errorf("there are %q of the weight, want one", of)
			}
		})
	}
}

// TestCopies: of a weight that an exporter has copied, turned or not, it is told; not of
// weights that are all zero.
func TestCopies(t *testing.T) {
	matrix := []float32{1, 2, 3, 4, 5, 6}
	for name, test := range map[string]struct {
		other []float32
		dims  []int64
		want  bool
	}{
		"copy":      {matrix, []int64{2, 3}, true},
		"transpose": {[]float32{1, 4, 2, 5, 3, 6}, []int64{3, 2}, true},
		"reshaped":  {matrix, []int64{3, 2}, false},
		"other":     {[]float32{1, 2, 3, 4, 5, 7}, []int64{2, 3}, false},
	} {
		g := &onnx.GraphProto{Initializer: []*onnx.TensorProto{
			onnx.NewFloats("head", matrix, 2, 3), onnx.NewFloats(onnx.Prefix+"table", test.other, test.dims...),
			onnx.NewFloats("a", make([]float32, 4), 2, 2), onnx.NewFloats("b", make([]float32, 4), 2, 2),
		}}
		if told := copies(g); (told != "") != test.want || test.want && !strings.HasPrefix(told, `the same numbers are in "head" and "table": `) {
			t.Errorf("%s: it is told %q", name, told)
		}
	}
}
