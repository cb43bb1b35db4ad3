package export_test

import (
	"slices"
	"testing"

	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/checkpoint"
	"github.com/ascood/ascood/export"
	"github.com/ascood/ascood/internal/testmodel"
	"github.com/ascood/ascood/models"
	"github.com/ascood/ascood/onnx"
)

// TestHeads exports a network with each head: its further outputs are outputs of the
// file, of their shapes.
func TestHeads(t *testing.T) {
	const size, classes = 32, 5
	pre := testmodel.Square(size)
	for _, head := range models.Heads() {
		t.Run(string(head), func(t *testing.T) {
			network, err := models.New(models.Spec{Arch: "resnet18_32x32", Width: 4, Classes: classes, Head: head}, size)
			if err != nil {
				t.Fatal(err)
			}
			m, err := network.Model(testmodel.RandomWeights(network))
			if err != nil {
				t.Fatal(err)
			}
			if m, err = export.Build(export.Named(m), pre, artifact.Score{Temperature: 1, Noise: 0.0014}, artifact.CPU); err != nil {
				t.Fatal(err)
			}
			s := openFromImage(t, m, size)
			x := make([]float32, 2*3*size*size)
			for i := range x {
				x[i] = float32(i%7) - 3
			}
			out := runImages(t, s, x, 2, []int{2, 3, size, size}, setting{temperature: 1, noise: 0.0014})
			for _, name := range head.Outputs() {
				columns := map[string]int{artifact.Confidence: 1, artifact.Rotation: 4, artifact.Cosines: classes, artifact.Projection: 128}[name]
				if v := out[name]; len(v.Shape) != 2 || v.Shape[0] != 2 || v.Shape[1] != columns {
					t.Errorf("the output %s is %v, want [2 %d]", name, v.Shape, columns)
				}
			}
			for _, name := range artifact.OfHeads() {
				if _, there := out[name]; there != (len(head.Outputs()) == 1 && head.Outputs()[0] == name) {
					t.Errorf("there is an output %s: %v", name, there)
				}
			}
		})
	}
}

// TestHeadsOfCheckpoints: a checkpoint says its head, and the artifact has the width and
// the classes of the weights.
func TestHeadsOfCheckpoints(t *testing.T) {
	pre := testmodel.Square(32)
	for _, head := range models.Heads() {
		network, err := models.New(models.Spec{Arch: "resnet18_32x32", Width: 4, Classes: 3, Head: head}, 32)
		if err != nil {
			t.Fatal(err)
		}
		c := &checkpoint.Checkpoint{Model: checkpoint.StateDict{}}
		weights := testmodel.RandomWeights(network)
		for _, p := range network.Params {
			if p.Integer {
				c.Model[p.Name] = checkpoint.FromInt64s([]int64{1})
			} else {
				c.Model[p.Name] = checkpoint.FromFloat32s(weights[p.Name], p.Shape...)
			}
		}
		c.Meta = checkpoint.Meta{Arch: "resnet18_32x32", Head: string(head), Classes: []string{"a", "b", "c"}, Preprocess: &pre}
		m, meta, err := export.FromCheckpoint(c, export.Options{Score: artifact.Score{Name: artifact.ScoreIODIN, Temperature: 1}})
		if err != nil {
			t.Errorf("%s: %v", head, err)
			continue
		}
		if meta.Width != 4 || len(meta.Classes) != 3 {
			t.Errorf("%s: width %d, classes %v", head, meta.Width, meta.Classes)
		}
		for _, name := range head.Outputs() {
			if !slices.ContainsFunc(m.Graph.Output, func(v *onnx.ValueInfoProto) bool { return v.Name == name }) {
				t.Errorf("%s: there is no output %s", head, name)
			}
		}
	}
}
