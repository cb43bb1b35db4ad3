package importer

import (
	"fmt"
	"math"
	"testing"

	"github.com/ascood/ascood/internal/ort"
	"github.com/ascood/ascood/onnx"
)

// TestPaddedPools: a Pad stays apart from the pool after it when ONNX Runtime optimises, as
// artifacts are run: both together would be refused, or be another function.
func TestPaddedPools(t *testing.T) {
	for _, op := range []string{"AveragePool", "MaxPool"} {
		for pad := range 4 {
			for own := range 2 {
				t.Run(fmt.Sprintf("%s %d %d", op, pad, own), func(t *testing.T) {
					f := newForeign()
					x := f.Input("image", "", onnx.TensorProto_FLOAT, "N", 3, 8, 8)
					x = f.Op("Conv", []string{x, f.noise("kernel", 4, 3, 1, 1)})
					x = f.Op("Pad", []string{x, f.Int64s(0, 0, pad, pad, 0, 0, pad, pad)})
					attrs := []onnx.Attr{onnx.Ints("kernel_shape", 2, 2), onnx.Ints("strides", 2, 2), onnx.Ints("pads", own, own, own, own)}
					if op == "AveragePool" {
						attrs = append(attrs, onnx.Int("count_include_pad", own))
					}
					end(f, f.Op("Softplus", []string{f.Op(op, []string{x}, attrs...)}), "N")
					asWritten(t, f.file(t, 17), 8)
				})
			}
		}
	}
}

// TestLastWindows: pools round their size up, but for windows that would begin behind the
// maps, which ONNX Runtime counts when it plans the memory of what follows.
func TestLastWindows(t *testing.T) {
	for _, c := range []struct {
		op            string
		kernel, pads  []int
		size, include int
	}{
		{"MaxPool", []int{3, 2}, []int{1, 0, 0, 1}, 14, 0}, // behind the last column
		{"MaxPool", []int{3, 2}, []int{0, 0, 0, 1}, 14, 0}, // and one row more
		{"MaxPool", []int{3, 3}, []int{0, 0, 0, 0}, 14, 0},
		{"MaxPool", []int{3, 3}, []int{1, 1, 1, 1}, 13, 0},
		{"AveragePool", []int{3, 2}, []int{1, 0, 0, 1}, 14, 0},
		{"AveragePool", []int{3, 2}, []int{1, 0, 0, 1}, 14, 1},
		{"AveragePool", []int{3, 2}, []int{0, 0, 0, 1}, 14, 0},
	} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			f := newForeign()
			x := f.Input("image", "", onnx.TensorProto_FLOAT, "N", 3, c.size, c.size)
			attrs := []onnx.Attr{onnx.Ints("kernel_shape", c.kernel...), onnx.Ints("strides", 2, 2), onnx.Ints("pads", c.pads...), onnx.Int("ceil_mode", 1)}
			if c.op == "AveragePool" {
				attrs = append(attrs, onnx.Int("count_include_pad", c.include))
			}
			half := f.Op("Sigmoid", []string{f.Op("Conv", []string{x, f.noise("half", 4, 3, 2, 2)}, onnx.Ints("strides", 2, 2))})
			x = f.Op(c.op, []string{f.Op("Conv", []string{x, f.noise("all", 4, 3, 1, 1)})}, attrs...)
			x = f.Op("Conv", []string{x, f.noise("pairs", 4, 4, 1, 2)}) // in the memory of half, if it is as wide
			end(f, f.Op("Add", []string{f.Op("Sigmoid", []string{x}), f.Op("GlobalAveragePool", []string{half})}), "N")
			asWritten(t, f.file(t, 17), c.size)
		})
	}
}

// asWritten imports a file for images of a size, and compares its logits, optimised, with the
// file's, as it is.
func asWritten(t *testing.T, file *onnx.ModelProto, size int) {
	t.Helper()
	image := make([]float32, 3*size*size)
	for i := range image {
		image[i] = float32(i%7) - 3
	}
	want, err := ort.Evaluate(file, map[string]*onnx.TensorProto{"image": onnx.NewFloats("image", image, 1, 3, int64(size), int64(size))})
	if err != nil {
		t.Fatal(err)
	}
	logits, err := want[0]["y"].Floats()
	if err != nil {
		t.Fatal(err)
	}
	net, err := Import(file, normal(size))
	if err != nil {
		t.Fatal(err)
	}
	if net.Single {
		t.Error("it takes one image at a time")
	}
	s, err := ort.Open(net.Model, ort.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	got, err := s.Run(map[string]ort.Value{net.Image: {Shape: []int{1, 3, size, size}, Data: image}})
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range got[net.Logits].Floats() {
		if !(math.Abs(float64(v-logits[i])) < 1e-5) {
			t.Errorf("logit %d is %v, of the file %v", i, v, logits[i])
		}
	}
}
