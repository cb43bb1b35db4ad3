package export

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/internal/ort"
	"github.com/ascood/ascood/onnx"
	"github.com/ascood/ascood/preprocess"
)

// TestFollowed: i-ODIN of an artifact whose second pass goes by stages is what the whole
// network says of the image of which the element is moved.
func TestFollowed(t *testing.T) {
	const images, size, temperature, noise = 8, 64, 2, 0.5
	rng := rand.New(rand.NewPCG(1, 2))
	g := wideNetwork(t, rng, size)
	if len(nearby(g)) == 0 {
		t.Fatal("there are no stages")
	}
	pre := preprocess.Config{PreSize: size, ImageSize: size, Mean: [3]float64{.4, .5, .6}, Std: [3]float64{.2, .3, .4}}
	m, err := Build(Network{Model: onnx.File(g)}, pre, artifact.Score{Temperature: temperature, Noise: noise}, artifact.CPU)
	if err != nil {
		t.Fatal(err)
	}
	pixels := make([]byte, images*size*size*3)
	for i := range pixels {
		pixels[i] = byte(rng.IntN(256))
	}
	got := evaluate(t, m, artifact.Pixels, &onnx.TensorProto{DataType: int32(onnx.TensorProto_UINT8), Dims: []int64{images, size, size, 3}, RawData: pixels})

	plane := size * size
	moved := make([]float32, len(pixels))
	for i, v := range pixels {
		image, place, c := i/3/plane, i/3%plane, i%3
		moved[(image*3+c)*plane+place] = (float32(v)/255 - float32(pre.Mean[c])) / float32(pre.Std[c])
	}
	at, err := got[artifact.Index].Ints()
	if err != nil {
		t.Fatal(err)
	}
	gradient := floatsOf(t, got[artifact.Gradient])
	for i, at := range at {
		step := float32(noise / pre.Std[at/int64(plane)])
		if k := i*3*plane + int(at); gradient[k] >= 0 {
			moved[k] -= step
		} else {
			moved[k] += step
		}
	}
	logits := floatsOf(t, evaluate(t, onnx.File(g), "image", onnx.NewFloats("", moved, images, 3, size, size))[g.Output[0].Name])
	for i, score := range floatsOf(t, got[artifact.IODIN]) {
		if want := mostLikely(logits[i*5:i*5+5], temperature); math.Abs(float64(score)-want) > 1e-6 {
			t.Errorf("image %d, element %d: %v, want %v", i, at[i], score, want)
		}
	}
}

// wideNetwork is one whose first layers are most of it.
func wideNetwork(t *testing.T, rng *rand.Rand, size int) *onnx.GraphProto {
	t.Helper()
	n := &networkOf{onnx.NewBuilder("wide"), rng}
	n.Scope(onnx.Prefix)
	x := n.Input("image", "", onnx.TensorProto_FLOAT, "N", 3, size, size)
	for _, c := range [][2]int{{32, 3}, {64, 32}, {64, 64}} {
		x = n.Op("Relu", []string{n.Op("Conv", []string{x, n.weights(c[0], c[1], 3, 3)}, onnx.Ints("pads", 1, 1, 1, 1))})
	}
	x = n.Op("MaxPool", []string{x}, onnx.Ints("kernel_shape", 4, 4), onnx.Ints("strides", 4, 4))
	x = n.Op("Gemm", []string{n.Op("Flatten", []string{x}), n.weights(64*size*size/16, 5)})
	x = n.Op("Mul", []string{x, n.Scalar(1e-5)})
	n.Output(x, "", onnx.TensorProto_FLOAT, "N", 5)
	g, err := n.Graph()
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// evaluate runs a graph on one input.
func evaluate(t *testing.T, m *onnx.ModelProto, name string, value *onnx.TensorProto) map[string]*onnx.TensorProto {
	t.Helper()
	results, err := ort.Evaluate(m, map[string]*onnx.TensorProto{name: value})
	if err != nil {
		t.Fatal(err)
	}
	return results[0]
}

func floatsOf(t *testing.T, v *onnx.TensorProto) []float32 {
	t.Helper()
	f, err := v.Float32s()
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// mostLikely is max softmax(logits/temperature).
func mostLikely(logits []float32, temperature float64) float64 {
	largest, sum := math.Inf(-1), 0.0
	for _, v := range logits {
		largest = max(largest, float64(v)/temperature)
	}
	for _, v := range logits {
		sum += math.Exp(float64(v)/temperature - largest)
	}
	return 1 / sum
}
