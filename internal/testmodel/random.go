package testmodel

import (
	"math"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/export"
	"github.com/ascood/ascood/models"
	"github.com/ascood/ascood/onnx"
	"github.com/ascood/ascood/preprocess"
)

// Random exports a network with random weights that scores by the given method
// with its published settings.
func Random(tb testing.TB, spec models.Spec, pre preprocess.Config, method artifact.ScoreName) (*onnx.ModelProto, *artifact.Metadata) {
	tb.Helper()
	network, err := models.New(spec, pre.ImageSize)
	if err != nil {
		tb.Fatal(err)
	}
	m, err := network.Model(RandomWeights(network))
	if err != nil {
		tb.Fatal(err)
	}
	score, err := artifact.DefaultScore(method)
	if err != nil {
		tb.Fatal(err)
	}
	model, err := export.Build(export.Named(m), pre, score, artifact.CPU)
	if err != nil {
		tb.Fatal(err)
	}
	meta := &artifact.Metadata{Name: spec.Arch, Arch: spec.Arch, Preprocess: pre, Score: score}
	for i := range spec.Classes {
		meta.Classes = append(meta.Classes, strconv.Itoa(i))
	}
	return model, meta
}

// RandomWeights draws weights that keep activations at a like scale throughout.
func RandomWeights(network *models.Network) map[string][]float32 {
	rng := rand.New(rand.NewPCG(1, 2))
	weights := map[string][]float32{}
	for _, p := range network.Params {
		n := p.Elements()
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

// RandomCrop draws the pixels of an image of size x size, as a model takes it.
func RandomCrop(size int) []uint8 {
	crop := make([]uint8, size*size*3)
	for i := range crop {
		crop[i] = uint8(rand.IntN(256))
	}
	return crop
}

// Square is preprocessing to size x size pixels between -1 and 1.
func Square(size int) preprocess.Config {
	half := [3]float64{.5, .5, .5}
	return preprocess.Config{PreSize: size, ImageSize: size, Mean: half, Std: half}
}

// Narrow returns a width at which an architecture is small.
func Narrow(arch string) int {
	whole := map[string]int{"resnext50_32x4d": 16, "vit_b_16": 64, "swin_t": 32}
	return max(6, whole[arch])
}
