package export_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/export"
	"github.com/ascood/ascood/gotorch"
	F "github.com/ascood/ascood/gotorch/nn/functional"
	"github.com/ascood/ascood/internal/ort"
	"github.com/ascood/ascood/internal/testmodel"
	"github.com/ascood/ascood/models"
)

// params returns a network's parameter by its state-dict name.
type params func(name string) gotorch.Tensor

// loweringCase puts one operation between the image and the classifier that every
// case ends in.
type loweringCase struct {
	name  string
	size  int // of the image
	nodes []models.Node
	torch func(x gotorch.Tensor, p params) gotorch.Tensor // what the nodes compute
}

// conv is a case with a single convolution.
func conv(size int, c models.Conv2d) loweringCase {
	return loweringCase{
		fmt.Sprintf("Conv2d kernel %d stride %d padding %d on %d", c.Kernel, c.Stride, c.Padding, size), size,
		[]models.Node{{Name: "op", Op: c, Inputs: []models.Value{0}}},
		func(x gotorch.Tensor, p params) gotorch.Tensor {
			return F.Conv2d(x, p("op.weight"), p("op.bias"), F.ConvOptions{Stride: c.Stride, Padding: c.Padding})
		},
	}
}

// pool is a case with a single max-pool.
func pool(size int, m models.MaxPool2d) loweringCase {
	return loweringCase{
		fmt.Sprintf("MaxPool2d kernel %d stride %d padding %d on %d", m.Kernel, m.Stride, m.Padding, size), size,
		[]models.Node{{Name: "op", Op: m, Inputs: []models.Value{0}}},
		func(x gotorch.Tensor, p params) gotorch.Tensor {
			return F.MaxPool2d(x, F.PoolOptions{Kernel: m.Kernel, Stride: m.Stride, Padding: m.Padding})
		},
	}
}

var loweringCases = []loweringCase{
	conv(9, models.Conv2d{In: 3, Out: 4, Kernel: 5, Stride: 1, Bias: true}),
	conv(8, models.Conv2d{In: 3, Out: 4, Kernel: 3, Stride: 2, Padding: 1}),
	pool(9, models.MaxPool2d{Kernel: 3, Stride: 2, Padding: 1}),
	{"BatchNorm2d", 6, []models.Node{
		{Name: "conv", Op: models.Conv2d{In: 3, Out: 4, Kernel: 3, Stride: 1, Padding: 1, Bias: true}, Inputs: []models.Value{0}},
		{Name: "op", Op: models.BatchNorm2d{Features: 4, Eps: 1e-5}, Inputs: []models.Value{1}},
	}, func(x gotorch.Tensor, p params) gotorch.Tensor {
		x = F.Conv2d(x, p("conv.weight"), p("conv.bias"), F.ConvOptions{Stride: 1, Padding: 1})
		return F.BatchNorm(x, F.BatchNormOptions{
			Weight: p("op.weight"), Bias: p("op.bias"), RunningMean: p("op.running_mean"), RunningVar: p("op.running_var"), Eps: 1e-5,
		})
	}},
	{"ReLU", 6, []models.Node{{Name: "op", Op: models.ReLU{}, Inputs: []models.Value{0}}},
		func(x gotorch.Tensor, p params) gotorch.Tensor { return F.ReLU(x) }},
	{"Add", 6, []models.Node{
		{Name: "relu", Op: models.ReLU{}, Inputs: []models.Value{0}},
		{Name: "op", Op: models.Add{}, Inputs: []models.Value{0, 1}},
	}, func(x gotorch.Tensor, p params) gotorch.Tensor { return x.Add(F.ReLU(x)) }},
	{"GlobalAvgPool", 6, []models.Node{{Name: "op", Op: models.GlobalAvgPool{}, Inputs: []models.Value{0}}},
		func(x gotorch.Tensor, p params) gotorch.Tensor { return x.Mean(2, 3) }},
	{"ZScore", 3, []models.Node{
		{Name: "flat", Op: models.Flatten{}, Inputs: []models.Value{0}},
		{Name: "", Op: models.ZScore{Eps: 0.1}, Inputs: []models.Value{1}},
	}, func(x gotorch.Tensor, p params) gotorch.Tensor {
		x = x.Flatten(1, -1)
		std := x.Std(1).Unsqueeze(1).AddScalar(0.1)
		return x.Sub(x.Mean(1).Unsqueeze(1)).Div(std).Mul(p("sigma"))
	}},
	{"Flatten and Linear", 4, nil, func(x gotorch.Tensor, p params) gotorch.Tensor { return x }},
}

// TestLowerings compares what each operation is written as, and the gradient through
// it, with libtorch's. Operators in all their forms are in the tests of package
// gradient.
func TestLowerings(t *testing.T) {
	tested := map[string]bool{}
	for _, c := range loweringCases {
		for _, n := range c.graph(t).Nodes {
			tested[reflect.TypeOf(n.Op).Name()] = true
		}
		t.Run(c.name, func(t *testing.T) {
			graph := c.graph(t)
			weights := testmodel.RandomWeights(graph)
			rng := rand.New(rand.NewPCG(3, 4))
			const batch = 2
			x := make([]float32, batch*3*c.size*c.size)
			for i := range x {
				x[i] = float32(rng.NormFloat64())
			}
			s := openGraph(t, graph, weights, c.size)
			set := setting{temperature: 1, noise: 0}
			out := runImages(t, s, x, batch, []int{batch, 3, c.size, c.size}, set)
			logits, want := torchGradient(t, c, graph, weights, x, batch, out[artifact.Prediction].Ints())
			closeTo(t, artifact.Logits, out[artifact.Logits].Floats(), logits, 1e-5, true)
			closeTo(t, artifact.Gradient, out[artifact.Gradient].Floats(), want, 1e-5, true)
		})
	}
	for _, op := range export.Operations() {
		if !tested[op] {
			t.Errorf("no case is of %s", op)
		}
	}
}

// graph completes the case with a classifier of five classes.
func (c loweringCase) graph(t *testing.T) *models.Graph {
	t.Helper()
	g := &models.Graph{Spec: models.Spec{Arch: c.name, Classes: 5}, Nodes: c.nodes}
	last := models.Value(len(g.Nodes))
	shapes, err := g.Shapes(c.size, c.size)
	if err != nil {
		t.Fatal(err)
	}
	dim := 1
	for _, d := range shapes[last] {
		dim *= d
	}
	if len(shapes[last]) == 3 {
		g.Nodes = append(g.Nodes, models.Node{Name: "flatten", Op: models.Flatten{}, Inputs: []models.Value{last}})
		last++
	}
	g.Nodes = append(g.Nodes, models.Node{Name: "fc", Op: models.Linear{In: dim, Out: 5}, Inputs: []models.Value{last}})
	g.Feature, g.Logits = last, last+1
	return g
}

func openGraph(t *testing.T, g *models.Graph, weights export.Weights, size int) *ort.Session {
	t.Helper()
	m, err := export.Build(g, weights, testmodel.Square(size), artifact.Score{Temperature: 1})
	if err != nil {
		t.Fatal(err)
	}
	return openFromImage(t, m, size)
}

// torchGradient returns libtorch's logits and the gradient of the cross-entropy
// with the given classes.
func torchGradient(t *testing.T, c loweringCase, g *models.Graph, weights export.Weights, x []float32, batch int, class []int64) (logits, gradient []float32) {
	t.Helper()
	s := gotorch.NewScope()
	defer s.Close()
	p := map[string]gotorch.Tensor{}
	for _, param := range g.Params() {
		p[param.Name] = gotorch.FromSlice(s, weights[param.Name], param.Shape...)
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
