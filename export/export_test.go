package export

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/models"
	"github.com/ascood/ascood/preprocess"
)

// square is an operation that the exporter does not know.
type square struct{}

func (square) Params() []models.Param           { return nil }
func (square) Shape(in ...[]int) ([]int, error) { return in[0], nil }
func withOp(op models.Op, more ...models.Node) *models.Graph {
	g := &models.Graph{Spec: models.Spec{Arch: "test", Classes: 2}}
	g.Nodes = append(g.Nodes, models.Node{Name: "odd", Op: op, Inputs: []models.Value{0}})
	g.Nodes = append(g.Nodes, more...)
	last := models.Value(len(g.Nodes))
	g.Nodes = append(g.Nodes,
		models.Node{Name: "flatten", Op: models.Flatten{}, Inputs: []models.Value{last}},
		models.Node{Name: "fc", Op: models.Linear{In: 3 * 4 * 4, Out: 2}, Inputs: []models.Value{last + 1}})
	g.Feature, g.Logits = last+1, last+2
	return g
}

var (
	half   = [3]float64{.5, .5, .5}
	pre4x4 = preprocess.Config{PreSize: 4, ImageSize: 4, Mean: half, Std: half}
	fc     = Weights{"fc.weight": make([]float32, 2*48), "fc.bias": make([]float32, 2)}
)

func TestUnknownOperationIsNamed(t *testing.T) {
	_, err := Build(withOp(square{}), fc, pre4x4, artifact.Score{Temperature: 1})
	wantError(t, err, "square", "odd", "cannot be written as ONNX")
}

func TestOperationWithoutGradientRuleIsNamed(t *testing.T) {
	lowerings["square"] = func(l *lowering, _ models.Node, in []string) string { return l.Op("Square", in) }
	defer delete(lowerings, "square")
	_, err := Build(withOp(square{}), fc, pre4x4, artifact.Score{Temperature: 1})
	wantError(t, err, "Square", "odd", "no gradient rule")
}

// Operations lists those that can be written, for tests that must have a case of each.
func Operations() []string { return slices.Sorted(maps.Keys(lowerings)) }

func TestMissingWeightIsNamed(t *testing.T) {
	_, err := Build(withOp(models.ReLU{}), Weights{"fc.weight": fc["fc.weight"]}, pre4x4, artifact.Score{Temperature: 1})
	wantError(t, err, "fc.bias")
}

// TestBatchNormThatCannotBeFolded has one that does not follow a convolution, or
// not one whose output has no other use.
func TestBatchNormThatCannotBeFolded(t *testing.T) {
	conv := models.Conv2d{In: 3, Out: 3, Kernel: 1, Stride: 1}
	bn := models.Node{Name: "bn", Op: models.BatchNorm2d{Features: 3}, Inputs: []models.Value{1}}
	first := withOp(models.BatchNorm2d{Features: 3})
	first.Nodes[0].Name = "bn"
	isFeature, isLogits := withOp(conv, bn), withOp(conv, bn)
	isFeature.Feature, isLogits.Logits = 1, 1
	for _, c := range []struct {
		name, want string
		graph      *models.Graph
	}{
		{"of the image", "does not follow a convolution", first},
		{"of a ReLU", "follows ReLU, not a convolution", withOp(models.ReLU{}, bn)},
		{"the convolution's output is added to it", "of its own", withOp(conv, bn, models.Node{Name: "add", Op: models.Add{}, Inputs: []models.Value{1, 2}})},
		{"the convolution's output is the feature", "of its own", isFeature},
		{"the convolution's output is the logits", "of its own", isLogits},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Build(c.graph, zeroWeights(c.graph), pre4x4, artifact.Score{Temperature: 1})
			wantError(t, err, "batch normalisation bn", c.want)
		})
	}
}

func zeroWeights(g *models.Graph) Weights {
	weights := Weights{}
	for _, p := range g.Params() {
		n := 1
		for _, d := range p.Shape {
			n *= d
		}
		weights[p.Name] = make([]float32, n)
	}
	return weights
}

// TestWeightsAreHeldOnce counts the initializers, which the forward passes and the
// gradient share.
func TestWeightsAreHeldOnce(t *testing.T) {
	g := withOp(models.Conv2d{In: 3, Out: 3, Kernel: 1, Stride: 1, Bias: true})
	m, err := Build(g, zeroWeights(g), pre4x4, artifact.Score{Temperature: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range g.Params() {
		count := 0
		for _, init := range m.Graph.Initializer {
			if strings.HasPrefix(init.Name, p.Name) {
				count++
			}
		}
		if count != 1 {
			t.Errorf("%d initializers hold %s", count, p.Name)
		}
	}
}

func wantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	for _, p := range parts {
		if !strings.Contains(err.Error(), p) {
			t.Errorf("the error %q does not say %q", err, p)
		}
	}
}
