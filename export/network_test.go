package export_test

import (
	"math"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/export"
	"github.com/ascood/ascood/importer"
	"github.com/ascood/ascood/internal/ort"
	"github.com/ascood/ascood/internal/testmodel"
	"github.com/ascood/ascood/ioodin"
	"github.com/ascood/ascood/onnx"
)

// imported is a network of another program, with the artifact that is made of it.
func imported(t *testing.T, name string, size int) (*importer.Network, *onnx.ModelProto, *artifact.Metadata) {
	t.Helper()
	file, err := importer.Read(testmodel.Path("importer", "testdata", "torchvision", name+".onnx"))
	if err != nil {
		t.Fatal(err)
	}
	pre := testmodel.Square(size)
	net, err := importer.Import(file, importer.Options{Run: ort.Evaluate, Size: size, Mean: pre.Mean, Std: pre.Std, Taken: artifact.Names()})
	if err != nil {
		t.Fatal(err)
	}
	m, meta, err := export.FromNetwork(export.Network{Model: net.Model, Feature: net.Feature, Linear: net.Linear}, export.Options{
		Name: name, Preprocess: &pre, Score: artifact.Score{Name: artifact.ScoreIODIN, Temperature: 1000, Noise: 0.0014},
	})
	if err != nil {
		t.Fatal(err)
	}
	return net, m, meta
}

// TestForeignGradient: along its own direction, the gradient is what finite differences
// of the loss say. The networks are smooth: they have neither ReLU nor pools of maxima.
func TestForeignGradient(t *testing.T) {
	const size, temperature = 32, 2.0
	for _, name := range []string{"convnext.11", "vit.17", "swin.17.fixed"} {
		t.Run(name, func(t *testing.T) {
			net, m, meta := imported(t, name, size)
			crop := testmodel.RandomCrop(size)
			g, err := ioodin.OpenGraph(m, meta, "", []string{artifact.Gradient, artifact.Image, artifact.Logits}, ioodin.Options{Threads: 1})
			if err != nil {
				t.Fatal(err)
			}
			defer g.Close()
			out, err := g.Run(t.Context(), ioodin.Inputs{Pixels: crop, Temperature: temperature})
			if err != nil {
				t.Fatal(err)
			}
			image, gradient, class := out[artifact.Image].Data, out[artifact.Gradient].Data, largest(out[artifact.Logits].Data)
			norm := 0.0
			for _, v := range gradient {
				norm += float64(v) * float64(v)
			}
			norm = math.Sqrt(norm)
			loss := func(step float64) float64 {
				moved := make([]float32, len(image))
				for i, v := range image {
					moved[i] = v + float32(step*float64(gradient[i])/norm)
				}
				results, err := ort.Evaluate(net.Model, map[string]*onnx.TensorProto{net.Image: onnx.NewFloats("", moved, 1, 3, size, size)})
				if err != nil {
					t.Fatal(err)
				}
				logits, err := results[0][net.Logits].Floats()
				if err != nil {
					t.Fatal(err)
				}
				return crossEntropy(logits, class, temperature)
			}
			// Richardson's extrapolation takes away what the loss bends in a step.
			difference := func(step float64) float64 { return (loss(step) - loss(-step)) / (2 * step) }
			if slope := (4*difference(0.02) - difference(0.04)) / 3; math.Abs(slope-norm) > 0.01*norm {
				t.Errorf("the loss grows by %v along the gradient, whose size is %v", slope, norm)
			}
		})
	}
}

// crossEntropy is that of softmax(logits/t).
func crossEntropy(logits []float32, class int, t float64) float64 {
	sum := 0.0
	for _, v := range logits {
		sum += math.Exp(float64(v-logits[class]) / t)
	}
	return math.Log(sum)
}

func largest(values []float32) int {
	at := 0
	for i, v := range values {
		if v > values[at] {
			at = i
		}
	}
	return at
}

// TestForeignScores: the artifact of every family scores images, each as it does alone.
func TestForeignScores(t *testing.T) {
	files, err := filepath.Glob(testmodel.Path("importer", "testdata", "torchvision", "*.onnx"))
	if err != nil || len(files) < 20 {
		t.Fatalf("%d networks, error %v", len(files), err)
	}
	rng := rand.New(rand.NewPCG(1, 1))
	for _, path := range files {
		name := filepath.Base(path)
		t.Run(name, func(t *testing.T) {
			file, err := importer.Read(path)
			if err != nil {
				t.Fatal(err)
			}
			size := int(file.Graph.Input[0].Type.GetTensorType().Shape.Dim[2].GetDimValue())
			_, m, meta := imported(t, name[:len(name)-len(".onnx")], size)
			model, err := ioodin.New(m, meta, ioodin.Options{Threads: 1})
			if err != nil {
				t.Fatal(err)
			}
			defer model.Close()
			crops := make([][]uint8, 3)
			for i := range crops {
				crops[i] = make([]uint8, size*size*3)
				for k := range crops[i] {
					crops[i][k] = uint8(rng.IntN(256))
				}
			}
			together, err := model.Score(t.Context(), crops)
			if err != nil {
				t.Fatal(err)
			}
			for i, crop := range crops {
				alone, err := model.Score(t.Context(), [][]uint8{crop})
				if err != nil {
					t.Fatal(err)
				}
				if got, want := together[i].Score, alone[0].Score; together[i].Prediction != alone[0].Prediction || math.Abs(got-want) > 1e-5 || got <= 0.1 || got > 1 {
					t.Errorf("image %d scores %v (class %d) among others and %v (class %d) alone", i, got, together[i].Prediction, want, alone[0].Prediction)
				}
			}
		})
	}
}

// TestForeignWithoutRule: what cannot be differentiated is refused by name.
func TestForeignWithoutRule(t *testing.T) {
	b := onnx.NewBuilder("net")
	b.Scope(onnx.Prefix)
	image := b.Input("image", "", onnx.TensorProto_FLOAT, "N", 3, 2, 2)
	b.Output(b.Op("Flatten", []string{b.Op("Det", []string{image})}), "", onnx.TensorProto_FLOAT, "N", 3)
	m, err := b.Model("test", "1")
	if err != nil {
		t.Fatal(err)
	}
	pre := testmodel.Square(2)
	if _, _, err := export.FromNetwork(export.Network{Model: m}, export.Options{Preprocess: &pre}); ascood.CodeOf(err) != ascood.Unsupported {
		t.Errorf("error %v, want one of code %s", err, ascood.Unsupported)
	}
	if _, _, err := export.FromNetwork(export.Network{Model: m}, export.Options{}); ascood.CodeOf(err) != ascood.Invalid {
		t.Errorf("error %v, want one of code %s", err, ascood.Invalid)
	}
}
