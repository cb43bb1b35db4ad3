package export_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/export"
	"github.com/ascood/ascood/gotorch"
	F "github.com/ascood/ascood/gotorch/nn/functional"
	"github.com/ascood/ascood/internal/ort"
	"github.com/ascood/ascood/internal/testmodel"
	"github.com/ascood/ascood/models"
	"github.com/ascood/ascood/onnx"
)

// tiny is a network of a few operators before a classifier of five classes.
type tiny struct {
	name  string
	size  int // of the image
	write func(n *writing, x string) string
	torch func(x gotorch.Tensor, p params) gotorch.Tensor // what write writes
	norms int                                             // BatchNormalization in the forward pass of the artifact
}

// params returns a network's weights by name.
type params func(name string) gotorch.Tensor

// writing adds weights to a graph as they are needed.
type writing struct {
	*onnx.Builder
	rng    *rand.Rand
	values map[string]*onnx.TensorProto
}

// weight is a tensor of random numbers that keep activations at a like scale, as
// testmodel.RandomWeights draws them.
func (w *writing) weight(name string, dims ...int) string {
	n := 1
	for _, d := range dims {
		n *= d
	}
	v := make([]float32, n)
	for i := range v {
		if v[i] = 0.5 + w.rng.Float32(); len(dims) > 1 {
			v[i] = float32(w.rng.NormFloat64() * math.Sqrt(2/float64(n/dims[0])))
		}
	}
	w.Weights(name, v, dims...)
	w.values[name] = w.Constant(name)
	return name
}

func (w *writing) norm(x string, channels int) string {
	return w.Op("BatchNormalization", []string{x, w.weight("bn.weight", channels), w.weight("bn.bias", channels),
		w.weight("bn.running_mean", channels), w.weight("bn.running_var", channels)}, onnx.Float("epsilon", 0.1))
}

func (w *writing) conv(x string, out int, bias bool) string {
	in := []string{x, w.weight("conv.weight", out, 3, 3, 3)}
	if bias {
		in = append(in, w.weight("conv.bias", out))
	}
	return w.Op("Conv", in, onnx.Ints("pads", 1, 1, 1, 1))
}

func torchNorm(x gotorch.Tensor, p params) gotorch.Tensor {
	return F.BatchNorm(x, F.BatchNormOptions{
		Weight: p("bn.weight"), Bias: p("bn.bias"), RunningMean: p("bn.running_mean"), RunningVar: p("bn.running_var"), Eps: 0.1,
	})
}

func torchConv(x gotorch.Tensor, p params) gotorch.Tensor {
	return F.Conv2d(x, p("conv.weight"), p("conv.bias"), F.ConvOptions{Padding: 1})
}

var tinies = []tiny{
	{"normalisation of a convolution", 6, func(w *writing, x string) string { return w.norm(w.conv(x, 4, false), 4) },
		func(x gotorch.Tensor, p params) gotorch.Tensor { return torchNorm(torchConv(x, p), p) }, 0},
	{"normalisation of a convolution with a bias", 6, func(w *writing, x string) string { return w.norm(w.conv(x, 4, true), 4) },
		func(x gotorch.Tensor, p params) gotorch.Tensor { return torchNorm(torchConv(x, p), p) }, 0},
	{"normalisation of the image", 6, func(w *writing, x string) string { return w.norm(x, 3) },
		func(x gotorch.Tensor, p params) gotorch.Tensor { return torchNorm(x, p) }, 1},
	{"normalisation of a ReLU", 6, func(w *writing, x string) string { return w.norm(w.Op("Relu", []string{w.conv(x, 4, true)}), 4) },
		func(x gotorch.Tensor, p params) gotorch.Tensor { return torchNorm(F.ReLU(torchConv(x, p)), p) }, 1},
	{"normalisation of a convolution that is added to it", 6, func(w *writing, x string) string {
		x = w.conv(x, 4, true)
		return w.Op("Add", []string{w.norm(x, 4), x})
	}, func(x gotorch.Tensor, p params) gotorch.Tensor {
		x = torchConv(x, p)
		return torchNorm(x, p).Add(x)
	}, 1},
	{"normalisation of a convolution whose output is looked at", 6, func(w *writing, x string) string {
		return w.norm(w.Rename(w.conv(x, 4, true), onnx.Tap(artifact.Layer3)), 4)
	}, func(x gotorch.Tensor, p params) gotorch.Tensor { return torchNorm(torchConv(x, p), p) }, 1},
	{"weights of two convolutions, one normalised", 6, func(w *writing, x string) string {
		y := w.conv(x, 3, false)
		z := w.Op("Conv", []string{y, "conv.weight"}, onnx.Ints("pads", 1, 1, 1, 1))
		return w.norm(z, 3)
	}, func(x gotorch.Tensor, p params) gotorch.Tensor { return torchNorm(torchConv(torchConv(x, p), p), p) }, 0},
	{"the ASCOOD head", 3, func(w *writing, x string) string {
		y, err := models.ZScore(w.Builder, w.Op("Flatten", []string{x}), w.weight("sigma"))
		if err != nil {
			panic(err)
		}
		return y
	}, func(x gotorch.Tensor, p params) gotorch.Tensor {
		x = x.Flatten(1, -1)
		return x.Sub(x.Mean(1).Unsqueeze(1)).Div(x.Std(1).Unsqueeze(1).AddScalar(1e-6)).Mul(p("sigma"))
	}, 0},
}

// model completes the network with a classifier.
func (c tiny) model(t *testing.T) (*onnx.ModelProto, map[string]*onnx.TensorProto) {
	t.Helper()
	w := &writing{onnx.NewBuilder(c.name), rand.New(rand.NewPCG(1, 2)), map[string]*onnx.TensorProto{}}
	image := w.Input("image", "", onnx.TensorProto_FLOAT, "N", 3, c.size, c.size)
	w.Scope(onnx.Prefix)
	x := image
	if c.write != nil {
		x = c.write(w, image)
	}
	x = w.Rename(w.Op("Flatten", []string{x}), onnx.Tap(artifact.Feature))
	shape, err := w.Shape(x)
	if err != nil {
		t.Fatal(err)
	}
	x = w.Op("Gemm", []string{x, w.weight("fc.weight", 5, shape[1].Size), w.weight("fc.bias", 5)}, onnx.Int("transB", 1))
	w.Output(x, "", onnx.TensorProto_FLOAT, "N", 5)
	g, err := w.Graph()
	if err != nil {
		t.Fatal(err)
	}
	m := onnx.File(g)
	if err := onnx.Check(m); err != nil {
		t.Fatal(err)
	}
	return m, w.values
}

// open opens the artifact of the network from the normalised image on.
func (c tiny) open(t *testing.T) (*ort.Session, *onnx.ModelProto, map[string]*onnx.TensorProto) {
	t.Helper()
	m, values := c.model(t)
	m, err := export.Build(export.Named(m), testmodel.Square(c.size), artifact.Score{Temperature: 1}, artifact.CPU)
	if err != nil {
		t.Fatal(err)
	}
	return openFromImage(t, m, c.size), m, values
}

// TestTinyNetworks compares logits and gradient of artifacts with libtorch's: batch
// normalisation is computed into convolutions where that can be, the ASCOOD head is a
// standardisation. Operators in all their forms are in the tests of package gradient.
func TestTinyNetworks(t *testing.T) {
	for _, c := range tinies {
		t.Run(c.name, func(t *testing.T) {
			s, m, values := c.open(t)
			norms := 0
			for _, n := range m.Graph.Node {
				if n.OpType == "BatchNormalization" {
					norms++
				}
			}
			if norms != 3*c.norms { // of the image, and of those of ODIN and i-ODIN
				t.Errorf("the artifact has %d normalisations, want %d", norms, 3*c.norms)
			}
			rng := rand.New(rand.NewPCG(3, 4))
			const batch = 2
			x := make([]float32, batch*3*c.size*c.size)
			for i := range x {
				x[i] = float32(rng.NormFloat64())
			}
			out := runImages(t, s, x, batch, []int{batch, 3, c.size, c.size}, setting{temperature: 1, noise: 0})
			logits, want := torchGradient(t, c, values, x, batch, out[artifact.Prediction].Ints())
			closeTo(t, artifact.Logits, out[artifact.Logits].Floats(), logits, 1e-5, true)
			closeTo(t, artifact.Gradient, out[artifact.Gradient].Floats(), want, 1e-5, true)
		})
	}
}

// torchGradient returns libtorch's logits and the gradient of the cross-entropy
// with the given classes.
func torchGradient(t *testing.T, c tiny, values map[string]*onnx.TensorProto, x []float32, batch int, class []int64) (logits, gradient []float32) {
	t.Helper()
	s := gotorch.NewScope()
	defer s.Close()
	p := map[string]gotorch.Tensor{}
	for name, v := range values {
		numbers, err := v.Float32s()
		if err != nil {
			t.Fatal(err)
		}
		p[name] = gotorch.FromSlice(s, numbers, v.Shape().At(1)...)
	}
	image := gotorch.FromSlice(s, x, batch, 3, c.size, c.size).SetRequiresGrad(true)
	at := func(name string) gotorch.Tensor { return p[name] }
	out := F.Linear(c.torch(image, at).Flatten(1, -1), p["fc.weight"], p["fc.bias"])
	loss := F.CrossEntropy(out, gotorch.FromSlice(s, class, batch), F.Sum)
	grads := gotorch.Grad([]gotorch.Tensor{loss}, []gotorch.Tensor{image}, gotorch.GradOptions{})
	logits, gradient = gotorch.ToSlice[float32](out.Detach()), gotorch.ToSlice[float32](grads[0])
	if err := s.Err(); err != nil {
		t.Fatal(err)
	}
	return logits, gradient
}
