package models_test

import (
	"math"
	"testing"

	"github.com/ascood/ascood/internal/ort"
	"github.com/ascood/ascood/models"
	"github.com/ascood/ascood/onnx"
)

// TestZScore: rows are standardised by their unbiased deviation; one of equal values, whose
// deviation is 0, becomes zeros.
func TestZScore(t *testing.T) {
	b := onnx.NewBuilder("head")
	x := b.Input("x", "", onnx.TensorProto_FLOAT, "N", 3)
	y, err := models.ZScore(b, x, b.Weights("sigma", []float32{0.5}))
	if err != nil {
		t.Fatal(err)
	}
	b.Output(y, "", onnx.TensorProto_FLOAT, "N", 3)
	m, err := b.Model("test", "1")
	if err != nil {
		t.Fatal(err)
	}
	rows := []float32{1, 2, 6, 5, 5, 5, 0, 1e-6, -1e-6}
	results, err := ort.Evaluate(m, map[string]*onnx.TensorProto{"x": onnx.NewFloats("x", rows, 3, 3)})
	if err != nil {
		t.Fatal(err)
	}
	got, err := results[0][y].Floats()
	if err != nil {
		t.Fatal(err)
	}
	for r := range 3 {
		mean, square := 0.0, 0.0
		for _, v := range rows[3*r : 3*r+3] {
			mean += float64(v) / 3
		}
		for _, v := range rows[3*r : 3*r+3] {
			square += (float64(v) - mean) * (float64(v) - mean)
		}
		for i, v := range rows[3*r : 3*r+3] {
			if want := 0.5 * (float64(v) - mean) / (math.Sqrt(square/2) + 1e-6); math.Abs(float64(got[3*r+i])-want) > 1e-6 {
				t.Errorf("row %d, value %d: %v, want %v", r, i, got[3*r+i], want)
			}
		}
	}
}
