package export_test

import (
	"math"
	"testing"

	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/export"
	"github.com/ascood/ascood/internal/ort"
	"github.com/ascood/ascood/onnx"
	"github.com/ascood/ascood/preprocess"
)

// TestNormalisation compares the graph's image with (v/255 - mean)/std.
func TestNormalisation(t *testing.T) {
	network, _ := tiny{name: "Flatten", size: 2}.model(t)
	pre := preprocess.Config{PreSize: 2, ImageSize: 2, Mean: [3]float64{0.1, 0.2, 0.4}, Std: [3]float64{0.5, 0.25, 2}}
	model, err := export.Build(export.Named(network), pre, artifact.Score{Temperature: 1}, artifact.CPU)
	if err != nil {
		t.Fatal(err)
	}
	model.Graph.Output = append(model.Graph.Output, onnx.Value(artifact.Image, onnx.TensorProto_FLOAT, "N", 3, 2, 2))
	s, err := ort.Open(model, ort.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	pixels := []uint8{0, 1, 2, 50, 60, 70, 100, 150, 200, 253, 254, 255} // RGB of four
	out, err := s.Run(map[string]ort.Value{artifact.Pixels: {Shape: []int{1, 2, 2, 3}, Data: pixels}})
	if err != nil {
		t.Fatal(err)
	}
	var want []float32
	for channel := range 3 {
		for pixel := range 4 {
			v := float64(pixels[3*pixel+channel])
			want = append(want, float32((v/255-pre.Mean[channel])/pre.Std[channel]))
		}
	}
	closeTo(t, artifact.Image, out[artifact.Image].Floats(), want, 1e-6, true)
}

// TestStepWithoutGradient has an image just below 0 before a ReLU, which gives no
// gradient: where there is none ODIN and i-ODIN move down, so that the logits stay
// the biases. i-ODIN takes the first element.
func TestStepWithoutGradient(t *testing.T) {
	c := tiny{name: "ReLU", size: 2, write: func(w *writing, x string) string { return w.Op("Relu", []string{x}) }}
	s, _, weights := c.open(t)
	x := make([]float32, 3*2*2)
	for i := range x {
		x[i] = -0.001
	}
	out := runImages(t, s, x, 1, []int{1, 3, 2, 2}, setting{temperature: 1, noise: 0.01})
	largest, sum := 0.0, 0.0
	biases, err := weights["fc.bias"].Float32s()
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range biases {
		largest = math.Max(largest, math.Exp(float64(b)))
		sum += math.Exp(float64(b))
	}
	want := []float32{float32(largest / sum)}
	closeTo(t, artifact.ODIN, out[artifact.ODIN].Floats(), want, 1e-6, false)
	closeTo(t, artifact.IODIN, out[artifact.IODIN].Floats(), want, 1e-6, false)
	equal(t, artifact.Index, out[artifact.Index].Ints(), []int64{0})
}
