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
	image := make([]float32, 3*8*8)
	for i := range image {
		image[i] = float32(i%7) - 3
	}
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
					file := f.file(t, 17)
					want, err := ort.Evaluate(file, map[string]*onnx.TensorProto{"image": onnx.NewFloats("image", image, 1, 3, 8, 8)})
					if err != nil {
						t.Fatal(err)
					}
					logits, err := want[0]["y"].Floats()
					if err != nil {
						t.Fatal(err)
					}
					net, err := Import(file, normal(8))
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
					got, err := s.Run(map[string]ort.Value{net.Image: {Shape: []int{1, 3, 8, 8}, Data: image}})
					if err != nil {
						t.Fatal(err)
					}
					for i, v := range got[net.Logits].Floats() {
						if !(math.Abs(float64(v-logits[i])) < 1e-5) {
							t.Errorf("logit %d is %v, of the file %v", i, v, logits[i])
						}
					}
				})
			}
		}
	}
}
