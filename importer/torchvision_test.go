package importer

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ascood/ascood/internal/ort"
	"github.com/ascood/ascood/onnx"
)

// normal is an image normalisation for tests that do not care.
func normal(size int) Options {
	return Options{Run: ort.Evaluate, Size: size, Mean: [3]float64{.5, .5, .5}, Std: [3]float64{.25, .25, .25}}
}

// TestTorchvision imports a network of each of torchvision's families, of several
// opsets, and compares with PyTorch's logits, of both images at once. Each takes any
// number of images, also if the file takes one. TORCHVISION_FILES names a folder of
// others to import (make test-zoo).
func TestTorchvision(t *testing.T) {
	folder := os.Getenv("TORCHVISION_FILES")
	if folder == "" {
		folder = filepath.Join("testdata", "torchvision")
	}
	text, err := os.ReadFile(filepath.Join(folder, "logits.json"))
	if err != nil {
		t.Fatal(err)
	}
	var files map[string]struct {
		Size   int
		Logits [][]float32
	}
	if err := json.Unmarshal(text, &files); err != nil {
		t.Fatal(err)
	}
	for name, want := range files {
		t.Run(name, func(t *testing.T) {
			m, err := Read(filepath.Join(folder, name+".onnx"))
			if err != nil {
				t.Fatal(err)
			}
			net, err := Import(m, normal(want.Size))
			if err != nil {
				t.Fatal(err)
			}
			if squeezenet := strings.HasPrefix(name, "squeezenet"); net.Single || net.Classes != 10 || (net.Feature == "") != squeezenet {
				t.Errorf("single %v, %d classes, feature %q, notes %q", net.Single, net.Classes, net.Feature, net.Notes)
			}
			got := run(t, net, sines(2, want.Size), 2)
			for i, row := range want.Logits {
				if off := difference(got[10*i:10*i+10], row); off > 1e-5 {
					t.Errorf("logits of image %d are %.2g off: %v, want %v", i, off, got[10*i:10*i+10], row)
				}
			}
		})
	}
}

// sines are the images of scripts/reference/onnx_files.py.
func sines(n, size int) []float32 {
	values := make([]float32, n*3*size*size)
	for i := range values {
		x := float64(i + 1)
		values[i] = float32(math.Sin(0.37*x + 0.001*x*math.Sin(x)))
	}
	return values
}

// run computes the logits of n images.
func run(t *testing.T, net *Network, images []float32, n int) []float32 {
	t.Helper()
	size := net.Model.Graph.Input[0].Type.GetTensorType().Shape.Dim[2].GetDimValue()
	results, err := ort.Evaluate(net.Model, map[string]*onnx.TensorProto{net.Image: onnx.NewFloats("", images, int64(n), 3, size, size)})
	if err != nil {
		t.Fatal(err)
	}
	logits, err := results[0][net.Logits].Floats()
	if err != nil {
		t.Fatal(err)
	}
	return logits
}
