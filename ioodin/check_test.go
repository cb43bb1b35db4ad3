package ioodin_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/internal/testmodel"
	"github.com/ascood/ascood/ioodin"
	"github.com/ascood/ascood/models"
	"github.com/ascood/ascood/onnx"
)

// TestClassNamesMustFit: with more or fewer names than logits, an image's logits
// would be cut out of those of others.
func TestClassNamesMustFit(t *testing.T) {
	m, d := buildRandom(t, models.Spec{Arch: "lenet", Classes: 10, Head: models.HeadLinear})
	for n, want := range map[int]string{0: "classes has no names", 3: "classes has 3 names, but the graph computes 10 logits", 12: "classes has 12 names"} {
		d.Classes = make([]string, n)
		for what, open := range map[string]func() error{
			"New": func() error { _, err := ioodin.New(m, d, ioodin.Options{Threads: 1}); return err },
			"OpenGraph": func() error {
				_, err := ioodin.OpenGraph(m, d, "", []string{artifact.Logits}, ioodin.Options{Threads: 1})
				return err
			},
		} {
			if err := open(); ascood.CodeOf(err) != ascood.Invalid || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "model lenet") {
				t.Errorf("%s with %d names for 10 logits: error %v, want one that says %q", what, n, err, want)
			}
		}
	}
}

// TestClassNamesMustFitTheRun: a graph may leave open how many logits it computes.
func TestClassNamesMustFitTheRun(t *testing.T) {
	m, d := buildRandom(t, models.Spec{Arch: "lenet", Classes: 10, Head: models.HeadLinear})
	at := slices.IndexFunc(m.Graph.Node, func(n *onnx.NodeProto) bool { return n.Output[0] == artifact.Logits })
	m.Graph.Node[at].Output[0] = "z"
	m.Graph.Node = slices.Insert(m.Graph.Node, at+1, &onnx.NodeProto{OpType: "Neg", Input: []string{"z"}, Output: []string{artifact.Logits}})
	m.Graph.Output[0].Type = onnx.Value(artifact.Logits, onnx.TensorProto_FLOAT, "N", "C").Type
	for _, names := range []int{3, 10, 12} {
		d.Classes = make([]string, names)
		model, err := ioodin.New(m, d, ioodin.Options{Threads: 1})
		if err != nil {
			t.Fatal(err)
		}
		defer model.Close()
		_, err = model.Score(t.Context(), [][]uint8{testmodel.RandomCrop(28), testmodel.RandomCrop(28)})
		want := fmt.Sprintf("model lenet has %d classes, but its graph gave 20 logits", names)
		if (err == nil) != (names == 10) || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%d names: error %v, want one that says %q unless they are 10", names, err, want)
		}
	}
}
