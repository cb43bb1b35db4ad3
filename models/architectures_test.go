package models_test

import (
	"encoding/json"
	"fmt"
	"hash/crc32"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ascood/ascood/gradient"
	"github.com/ascood/ascood/internal/ort"
	"github.com/ascood/ascood/models"
	"github.com/ascood/ascood/onnx"
)

// small is a small network of torchvision, its weights and images those of numbers.
type small struct {
	Arch            string
	Width, Size     int
	Feature, Logits [][]float64 // of each image, of the feature the first values
	Gradient        *struct {   // of the first logit by the image, where the network is smooth
		Norm   []float64
		Corner [][]float64 // 4x4 pixels
	}
}

// TestNetworksOfTorchvision: networks compute what torchvision's do in float64.
func TestNetworksOfTorchvision(t *testing.T) {
	var nets []small
	readJSON(t, "small.json", &nets)
	for _, c := range nets {
		t.Run(fmt.Sprint(c.Arch, " at ", c.Size), c.check)
	}
}

func (c small) check(t *testing.T) {
	net, err := models.New(models.Spec{Arch: c.Arch, Width: c.Width, Classes: 3, Head: models.HeadLinear}, c.Size)
	if err != nil {
		t.Fatal(err)
	}
	weights := map[string][]float32{}
	for _, p := range net.Params {
		if !p.Integer {
			weights[p.Name] = weight(p.Name, p.Shape)
		}
	}
	m, err := net.Model(weights)
	if err != nil {
		t.Fatal(err)
	}
	if err := onnx.Check(m); err != nil {
		t.Fatal(err)
	}
	got := run(t, m, c.Size)
	feature, width := got["net/feature"].Floats(), got["net/feature"].Shape[1]
	for i := range c.Logits {
		compare(t, "feature", feature[i*width:], c.Feature[i])
		compare(t, "logits", got["net/logits"].Floats()[3*i:], c.Logits[i])
		if c.Gradient == nil {
			continue
		}
		byImage := got["by image"].Floats()[i*3*c.Size*c.Size:][:3*c.Size*c.Size]
		var corner []float32
		square := 0.0
		for k, v := range byImage {
			square += float64(v) * float64(v)
			if k/c.Size%c.Size < 4 && k%c.Size < 4 {
				corner = append(corner, v)
			}
		}
		compare(t, "the gradient's norm", []float32{float32(math.Sqrt(square))}, c.Gradient.Norm[i:i+1])
		compare(t, "the gradient's corner", corner, c.Gradient.Corner[i])
	}
}

// run evaluates a network and the gradient of the first logit on two images.
func run(t *testing.T, m *onnx.ModelProto, size int) map[string]ort.Value {
	t.Helper()
	b := onnx.Extend(m.Graph)
	b.Input("first", "", onnx.TensorProto_FLOAT, onnx.Batch, 3)
	byImage, err := gradient.Of(b, gradient.CPU, "net/logits", "first", models.Image)
	if err != nil {
		t.Fatal(err)
	}
	b.Output("net/feature", "", onnx.TensorProto_FLOAT, onnx.Batch, "D")
	b.Output(b.Rename(byImage, "by image"), "", onnx.TensorProto_FLOAT, onnx.Batch, 3, size, size)
	if m, err = b.Model("test", "1"); err != nil {
		t.Fatal(err)
	}
	s, err := ort.Open(m, ort.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	image := make([]float32, 2*3*size*size)
	for i, u := range numbers("image", len(image)) {
		image[i] = float32(4*u - 2)
	}
	values, err := s.Run(map[string]ort.Value{
		models.Image: {Shape: []int{2, 3, size, size}, Data: image},
		"first":      {Shape: []int{2, 3}, Data: []float32{1, 0, 0, 1, 0, 0}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return values
}

// compare holds values to those of float64.
func compare(t *testing.T, what string, got []float32, want []float64) {
	t.Helper()
	largest, off := 0.0, 0.0
	for i, w := range want {
		largest, off = max(largest, math.Abs(w)), max(off, math.Abs(float64(got[i])-w))
	}
	if !(off <= 1e-4*largest) {
		t.Errorf("%s is %.2g of the largest value off: %v, want %v", what, off/largest, got[:min(len(got), 4)], want[:min(len(want), 4)])
	}
}

// numbers are in [0, 1): the i-th is a hash of i and of the name's CRC-32.
func numbers(name string, n int) []float64 {
	seed, values := crc32.ChecksumIEEE([]byte(name)), make([]float64, n)
	for i := range values {
		h := uint32(i)*747796405 + seed
		h = (h ^ h>>16) * 0x7feb352d
		h = (h ^ h>>15) * 0x846ca68b
		values[i] = float64(h^h>>16) / (1 << 32)
	}
	return values
}

// weight is what a parameter holds: numbers of a variance that keeps the size of what
// goes through it.
func weight(name string, shape []int) []float32 {
	n, perOutput := 1, 1
	for i, d := range shape {
		n *= d
		if i > 0 {
			perOutput *= d
		}
	}
	values := make([]float32, n)
	for i, u := range numbers(name, n) {
		switch {
		case len(shape) > 1:
			u = (2*u - 1) * math.Sqrt(3/float64(perOutput))
		case strings.HasSuffix(name, "weight") || strings.HasSuffix(name, "var"):
			u += 0.5
		default:
			u = (2*u - 1) * 0.2
		}
		values[i] = float32(u)
	}
	return values
}

func readJSON(t *testing.T, file string, into any) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "testdata", "torchvision", file))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}
