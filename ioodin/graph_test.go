package ioodin

import (
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/export"
	"github.com/ascood/ascood/models"
	"github.com/ascood/ascood/onnx"
)

// TestGraph computes values inside a network, and goes on from one of them.
func TestGraph(t *testing.T) {
	m, d := buildRandom(t, models.Spec{Arch: "resnet18_32x32", Width: 8, Classes: 10, Head: models.HeadLinear})
	g, err := OpenGraph(m, d, "", []string{artifact.Logits, artifact.Feature, artifact.Layer3, artifact.Layer4}, Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	pixels := append(randomCrop(32), randomCrop(32)...)
	values, err := g.Run(t.Context(), Inputs{Pixels: pixels, Temperature: 1})
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

	rest, err := OpenGraph(m, d, artifact.Layer3, []string{artifact.Feature}, Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer rest.Close()
	after, err := rest.Run(t.Context(), Inputs{Value: values[artifact.Layer3]})
	if err != nil {
		t.Fatal(err)
	}
	closeTo(t, "feature", after[artifact.Feature].Data, values[artifact.Feature].Data, 1e-6, true)

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
	open := func(from string, values ...string) *Graph {
		g, err := OpenGraph(m, d, from, values, Options{Threads: 1})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { g.Close() })
		return g
	}
	whole, gradient, rest := open("", artifact.IODIN, artifact.ODIN), open("", artifact.Gradient), open(artifact.Gradient, artifact.IODIN, artifact.ODIN)
	in := Inputs{Pixels: append(randomCrop(32), randomCrop(32)...), Temperature: 10}
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
	if _, err := OpenGraph(m, d, "", []string{artifact.Layer3}, Options{}); ascood.CodeOf(err) != ascood.Unsupported || !strings.Contains(err.Error(), `"layer3"`) {
		t.Errorf("error %v does not name the value that LeNet lacks", err)
	}
	if _, err := OpenGraph(m, d, artifact.Layer3, []string{artifact.Feature}, Options{}); ascood.CodeOf(err) != ascood.Unsupported {
		t.Errorf("error %v on going on from a value that LeNet lacks", err)
	}
	g, err := OpenGraph(m, d, "", []string{artifact.Logits}, Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	for _, n := range []int{0, 28*28*3 - 1} {
		if _, err := g.Run(t.Context(), Inputs{Pixels: make([]uint8, n), Temperature: 1}); ascood.CodeOf(err) != ascood.Invalid {
			t.Errorf("error %v on %d bytes", err, n)
		}
	}
}

// buildRandom exports a network with random weights.
func buildRandom(t *testing.T, spec models.Spec) (*onnx.ModelProto, *artifact.Metadata) {
	t.Helper()
	graph, err := models.New(spec)
	if err != nil {
		t.Fatal(err)
	}
	size := 32
	if spec.Arch == "lenet" {
		size = 28
	}
	pre := normalisation(t, "", size)
	m, err := export.Build(graph, randomWeights(graph), pre, artifact.Score{Temperature: 1})
	if err != nil {
		t.Fatal(err)
	}
	return m, &artifact.Metadata{Name: "random", Arch: spec.Arch, Preprocess: pre}
}
