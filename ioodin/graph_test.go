package ioodin_test

import (
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/internal/testmodel"
	"github.com/ascood/ascood/ioodin"
	"github.com/ascood/ascood/models"
	"github.com/ascood/ascood/onnx"
)

// TestGraph computes values inside a network, and goes on from one of them.
func TestGraph(t *testing.T) {
	m, d := buildRandom(t, models.Spec{Arch: "resnet18_32x32", Width: 8, Classes: 10, Head: models.HeadLinear})
	g, err := ioodin.OpenGraph(m, d, "", []string{artifact.Logits, artifact.Feature, artifact.Layer3, artifact.Layer4}, ioodin.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	pixels := append(testmodel.RandomCrop(32), testmodel.RandomCrop(32)...)
	values, err := g.Run(t.Context(), ioodin.Inputs{Pixels: pixels, Temperature: 1})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		artifact.Logits: "[2 10]", artifact.Feature: "[2 64]", artifact.Layer3: "[2 32 8 8]", artifact.Layer4: "[2 64 4 4]",
	} {
		if got := fmt.Sprint(values[name].Shape); got != want {
			t.Errorf("%s has the shape %s, want %s", name, got, want)
		}
	}

	rest, err := ioodin.OpenGraph(m, d, artifact.Layer3, []string{artifact.Feature}, ioodin.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer rest.Close()
	after, err := rest.Run(t.Context(), ioodin.Inputs{Value: values[artifact.Layer3]})
	if err != nil {
		t.Fatal(err)
	}
	closeTo(t, "feature", after[artifact.Feature].Data, values[artifact.Feature].Data, 1e-6)

	weight, bias, err := artifact.Classifier(m)
	if err != nil {
		t.Fatal(err)
	}
	for i, z := range values[artifact.Logits].Data {
		want := float64(bias[i%10])
		for k, h := range values[artifact.Feature].Data[i/10*64:][:64] {
			want += float64(weight[i%10*64+k]) * float64(h)
		}
		if math.Abs(float64(z)-want) > 1e-4 {
			t.Errorf("logit %d is %v, the last layer gives %v", i, z, want)
		}
	}
}

// TestGraphFromGradient shares one gradient among two step sizes.
func TestGraphFromGradient(t *testing.T) {
	m, d := buildRandom(t, models.Spec{Arch: "resnet18_32x32", Width: 8, Classes: 10, Head: models.HeadLinear})
	open := func(from string, values ...string) *ioodin.Graph {
		g, err := ioodin.OpenGraph(m, d, from, values, ioodin.Options{Threads: 1})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { g.Close() })
		return g
	}
	whole, gradient, rest := open("", artifact.IODIN, artifact.ODIN), open("", artifact.Gradient), open(artifact.Gradient, artifact.IODIN, artifact.ODIN)
	in := ioodin.Inputs{Pixels: append(testmodel.RandomCrop(32), testmodel.RandomCrop(32)...), Temperature: 10}
	values, err := gradient.Run(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	for _, in.Noise = range []float64{0.0014, 0.0098} {
		want, err := whole.Run(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		in.Value = values[artifact.Gradient]
		got, err := rest.Run(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("noise %v: %v from the gradient, %v from the images", in.Noise, got, want)
		}
	}
}

func TestGraphWrongInput(t *testing.T) {
	m, d := buildRandom(t, models.Spec{Arch: "lenet", Classes: 10, Head: models.HeadLinear})
	if _, err := ioodin.OpenGraph(m, d, "", []string{artifact.Layer3}, ioodin.Options{}); ascood.CodeOf(err) != ascood.Unsupported || !strings.Contains(err.Error(), `"layer3"`) {
		t.Errorf("error %v does not name the value that LeNet lacks", err)
	}
	if _, err := ioodin.OpenGraph(m, d, artifact.Layer3, []string{artifact.Feature}, ioodin.Options{}); ascood.CodeOf(err) != ascood.Unsupported {
		t.Errorf("error %v on going on from a value that LeNet lacks", err)
	}
	g, err := ioodin.OpenGraph(m, d, "", []string{artifact.Logits}, ioodin.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	for _, n := range []int{0, 28*28*3 - 1} {
		if _, err := g.Run(t.Context(), ioodin.Inputs{Pixels: make([]uint8, n), Temperature: 1}); ascood.CodeOf(err) != ascood.Invalid {
			t.Errorf("error %v on %d bytes", err, n)
		}
	}
}

// buildRandom exports a network with random weights.
func buildRandom(t *testing.T, spec models.Spec) (*onnx.ModelProto, *artifact.Metadata) {
	t.Helper()
	size := 32
	if spec.Arch == "lenet" {
		size = 28
	}
	return testmodel.Random(t, spec, testmodel.Square(size), artifact.ScoreIODIN)
}

// closeTo compares values, relative to the largest.
func closeTo(t *testing.T, name string, got, want []float32, tolerance float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s has %d values, want %d", name, len(got), len(want))
	}
	largest, worst := 0.0, 0.0
	for i := range want {
		largest = max(largest, math.Abs(float64(want[i])))
		worst = max(worst, math.Abs(float64(got[i])-float64(want[i])))
	}
	if !(worst <= tolerance*largest) {
		t.Errorf("%s differs by %g of its largest magnitude, more than %g", name, worst/largest, tolerance)
	}
}
