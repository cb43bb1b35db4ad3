package importer

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ascood/ascood/onnx"
)

// older is a network of opsets 8 to 10, in the forms that operators had: bounds, pads,
// bounds of slices and numbers as attributes, and operators that have other names since.
func older(t *testing.T, opset int) *onnx.ModelProto {
	f := newForeign()
	x := f.Op("Clip", []string{small(f, "N")}, onnx.Float("min", .1), onnx.Float("max", .9))
	x = f.Op("Clip", []string{x}, onnx.Float("max", .8))
	x = f.Op("Pad", []string{x}, onnx.Ints("pads", 0, 0, 1, 0, 0, 0, 0, 2), onnx.Float("value", .7))
	x = f.Op("Pad", []string{x}, onnx.Ints("pads", 0, 0, 0, 1, 0, 0, 1, 0), onnx.String("mode", "reflect"))
	x = f.Op("BatchNormalization", []string{x, f.spread("bn.weight", 4), f.noise("bn.bias", 4), f.noise("bn.mean", 4), f.spread("bn.var", 4)})
	for _, mode := range []string{"nearest", "linear"} {
		switch scales, mode := []float32{1, 1, 2, 1.5}, onnx.String("mode", mode); {
		case opset < 9:
			x = f.Op("Upsample", []string{x}, mode, onnx.Floats("scales", scales...))
		case opset == 9:
			x = f.Op("Upsample", []string{x, f.Weights("scales", scales, 4)}, mode)
		default:
			scales[2] = .7
			x = f.Op("Resize", []string{x, f.Weights("scales", scales, 4)}, mode)
		}
	}
	if opset < 10 {
		x = f.Op("Slice", []string{x}, onnx.Ints("axes", 2, 3), onnx.Ints("starts", 1, -20), onnx.Ints("ends", 99, -1))
		x = f.Ops("TopK", 2, []string{x}, onnx.Int("axis", 2), onnx.Int("k", 6))[0]
	}
	if opset >= 9 {
		row := f.Op("ReduceSum", []string{f.Op("GlobalAveragePool", []string{x})}, onnx.Ints("axes", 2, 3), onnx.Int("keepdims", 0))
		at := f.Tensor(onnx.NewInts("at", []int64{2, 0}, 1, 2))
		constant := f.Op("Scatter", []string{f.Weights("zeros", make([]float32, 4), 1, 4), at, f.Weights("values", []float32{.5, 3}, 1, 2)}, onnx.Int("axis", 1))
		x = f.Op("Mul", []string{x, f.Op("Unsqueeze", []string{f.Op("Add", []string{row, constant})}, onnx.Ints("axes", 2, 3))})
	}
	x = f.Ops("Dropout", 2, []string{x}, onnx.Float("ratio", .2))[0]
	end(f, x, "N")
	return f.file(t, opset)
}

// TestOlder imports files of the opsets before 11.
func TestOlder(t *testing.T) {
	for opset := 8; opset <= 10; opset++ {
		t.Run(fmt.Sprint(opset), func(t *testing.T) {
			net, err := Import(older(t, opset), normal(8))
			if err != nil {
				t.Fatal(err)
			}
			if net.Single || !net.Linear || len(net.Notes) > 0 {
				t.Errorf("single %v, feature %q, notes %q", net.Single, net.Feature, net.Notes)
			}
		})
	}
	m := older(t, 8)
	n := find(m, "BatchNormalization")
	n.Attribute = append(n.Attribute, onnx.Int("spatial", 0))
	if _, err := Import(m, normal(8)); err == nil || !strings.Contains(err.Error(), "statistics for each pixel (spatial 0)") {
		t.Errorf("error %v", err)
	}
}
