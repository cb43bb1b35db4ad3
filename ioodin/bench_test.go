package ioodin

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/export"
	"github.com/ascood/ascood/models"
	"github.com/ascood/ascood/onnx"
	"github.com/ascood/ascood/preprocess"
)

// BenchmarkScore times one thread on the published networks with random weights.
// msp is one forward pass; i-ODIN is two and a gradient, so three at best.
func BenchmarkScore(b *testing.B) {
	for _, net := range []struct {
		arch string
		size int
	}{
		{"resnet18_32x32", 32},
		{"resnet18_224x224", 224},
	} {
		for _, batch := range []int{1, 16} {
			for _, method := range artifact.Methods() {
				b.Run(fmt.Sprintf("%s/batch%d/%s", net.arch, batch, method), func(b *testing.B) {
					m := openRandom(b, models.Spec{Arch: net.arch}, net.size, method, 1)
					images := make([][]uint8, batch)
					for i := range images {
						images[i] = randomCrop(net.size)
					}
					for b.Loop() {
						if _, err := m.Score(b.Context(), images); err != nil {
							b.Fatal(err)
						}
					}
					b.ReportMetric(float64(batch*b.N)/b.Elapsed().Seconds(), "images/s")
				})
			}
		}
	}
}

// openRandom opens a randomModel.
func openRandom(tb testing.TB, spec models.Spec, size int, method artifact.Method, threads int) *Model {
	tb.Helper()
	model, meta := randomModel(tb, spec, size, method)
	m, err := New(model, meta, Options{Threads: threads})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { m.Close() })
	return m
}

// randomModel exports a network of ten classes with random weights.
func randomModel(tb testing.TB, spec models.Spec, size int, method artifact.Method) (*onnx.ModelProto, *artifact.Metadata) {
	tb.Helper()
	spec.Classes, spec.Head = 10, models.HeadASCOOD
	graph, err := models.New(spec)
	if err != nil {
		tb.Fatal(err)
	}
	half := [3]float64{.5, .5, .5}
	pre := preprocess.Config{PreSize: size, ImageSize: size, Mean: half, Std: half}
	score, err := artifact.DefaultScore(method)
	if err != nil {
		tb.Fatal(err)
	}
	model, err := export.Build(graph, randomWeights(graph), pre, score)
	if err != nil {
		tb.Fatal(err)
	}
	return model, &artifact.Metadata{Name: spec.Arch, Classes: make([]string, 10), Preprocess: pre, Score: score}
}

// randomWeights draws weights that keep activations at a like scale throughout.
func randomWeights(g *models.Graph) export.Weights {
	rng := rand.New(rand.NewPCG(1, 2))
	weights := export.Weights{}
	for _, p := range g.Params() {
		n := 1
		for _, d := range p.Shape {
			n *= d
		}
		values := make([]float32, n)
		for i := range values {
			if len(p.Shape) > 1 {
				values[i] = float32(rng.NormFloat64() * math.Sqrt(2/float64(n/p.Shape[0])))
			} else { // biases, normalisations and sigma
				values[i] = 0.5 + rng.Float32()
			}
		}
		weights[p.Name] = values
	}
	return weights
}

func randomCrop(size int) []uint8 {
	crop := make([]uint8, size*size*3)
	for i := range crop {
		crop[i] = uint8(rand.IntN(256))
	}
	return crop
}
