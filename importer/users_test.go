package importer

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ascood/ascood/gradient"
	"github.com/ascood/ascood/internal/ort"
	"github.com/ascood/ascood/onnx"
)

// usersValues are what PyTorch computes of a network and two images: logits, and how
// their sum, weighted by sines, changes along three directions, which are sines too; and
// the sums of the magnitudes that make up these.
type usersValues struct{ Logits, Slopes, Scales [][]float64 }

// TestUsers imports networks with parts of all kinds that people put into classifiers,
// and compares logits and gradient with PyTorch's in float64.
func TestUsers(t *testing.T) {
	folder := filepath.Join("testdata", "users")
	text, err := os.ReadFile(filepath.Join(folder, "values.json"))
	if err != nil {
		t.Fatal(err)
	}
	var files map[string]usersValues
	if err := json.Unmarshal(text, &files); err != nil {
		t.Fatal(err)
	}
	withoutLayer := []string{"distilled", "einsum", "experts"}
	for name, want := range files {
		t.Run(name, func(t *testing.T) {
			m, err := Read(filepath.Join(folder, name+".onnx"))
			if err != nil {
				t.Fatal(err)
			}
			net, err := Import(m, normal(16))
			if err != nil {
				t.Fatal(err)
			}
			kind, _, _ := strings.Cut(name, ".")
			if net.Single != (name == "squeezed.17.fixed") || net.Classes != 5 || net.Linear == slices.Contains(withoutLayer, kind) {
				t.Errorf("single %v, %d classes, linear %v, notes %q", net.Single, net.Classes, net.Linear, net.Notes)
			}
			compareUsers(t, net, want)
		})
	}
}

// compareUsers runs a network on both images at once, or one after the other.
func compareUsers(t *testing.T, net *Network, want usersValues) {
	t.Helper()
	b := onnx.NewBuilder("test")
	step, batch := 2, any("N")
	if net.Single {
		step, batch = 1, 1
	}
	image := b.Input("x", "", onnx.TensorProto_FLOAT, batch, 3, 16, 16)
	dy := b.Weights("dy", singles(sine(1, 5)), 1, 5)
	values := b.Inline(net.Model.Graph, map[string]string{net.Image: image})
	logits := values[net.Logits]
	dx, err := gradient.Of(b, gradient.CPU, logits, b.Op("Add", []string{b.Op("Mul", []string{logits, b.Scalar(0)}), dy}), image)
	if err != nil {
		t.Fatal(err)
	}
	b.Output(logits, "", onnx.TensorProto_FLOAT, batch, 5)
	b.Output(dx, "", onnx.TensorProto_FLOAT, batch, 3, 16, 16)
	m, err := b.Model("test", "1")
	if err != nil {
		t.Fatal(err)
	}
	images := singles(sine(0.37, 2*768))
	for i := 0; i < 2; i += step {
		out, err := ort.Evaluate(m, feed{"x": onnx.NewFloats("", images[i*768:(i+step)*768], int64(step), 3, 16, 16)})
		if err != nil {
			t.Fatal(err)
		}
		got, err := out[0][logits].Floats()
		if err != nil {
			t.Fatal(err)
		}
		gradients, err := out[0][dx].Floats()
		if err != nil {
			t.Fatal(err)
		}
		for k := range step {
			if off := difference(got[k*5:k*5+5], singles(want.Logits[i+k])); !(off <= 1e-5) {
				t.Errorf("logits of image %d are %.2g off: %v, want %v", i+k, off, got[k*5:k*5+5], want.Logits[i+k])
			}
			for d, frequency := range []float64{0.1, 0.9, 2.3} {
				slope := 0.0
				for at, v := range sine(frequency, 768) {
					slope += v * float64(gradients[k*768+at])
				}
				if scale := want.Scales[i+k][d]; !(math.Abs(slope-want.Slopes[i+k][d]) <= 1e-5*scale) {
					t.Errorf("image %d: the slope along direction %d is %g, want %g of %g", i+k, d, slope, want.Slopes[i+k][d], scale)
				}
			}
		}
	}
}

// sine are the numbers of scripts/reference/user_networks.py.
func sine(frequency float64, n int) []float64 {
	v := make([]float64, n)
	for i := range v {
		x := float64(i + 1)
		v[i] = math.Sin(frequency*x + 0.001*x*math.Sin(x))
	}
	return v
}
