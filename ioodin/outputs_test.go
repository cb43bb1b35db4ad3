package ioodin_test

import (
	"math"
	"slices"
	"testing"

	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/internal/testmodel"
	"github.com/ascood/ascood/ioodin"
	"github.com/ascood/ascood/models"
)

// TestDetails: the results are those of Score, and the outputs of an image are its own,
// as the graph's values agree with each other.
func TestDetails(t *testing.T) {
	const size, classes = 32, 10
	m, d := testmodel.Random(t, models.Spec{Arch: "resnet18_32x32", Width: 8, Classes: classes, Head: models.HeadASCOOD}, testmodel.Square(size), artifact.ScoreIODIN)
	open := func(opt ioodin.Options) *ioodin.Model {
		model, err := ioodin.New(m, d, opt)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { model.Close() })
		return model
	}
	plain, detailed := open(ioodin.Options{Threads: 1}), open(ioodin.Options{Threads: 1, Details: true})
	crops := [][]uint8{testmodel.RandomCrop(size), testmodel.RandomCrop(size), testmodel.RandomCrop(size)}
	want, err := plain.Score(t.Context(), crops)
	if err != nil {
		t.Fatal(err)
	}
	got, outputs, err := detailed.Details(t.Context(), crops)
	if err != nil {
		t.Fatal(err)
	}
	for i, out := range outputs {
		if math.Abs(got[i].Score-want[i].Score) > 1e-6 || got[i].Prediction != want[i].Prediction {
			t.Errorf("image %d: %+v, Score gives %+v", i, got[i], want[i])
		}
		if logits := out[artifact.Logits].Floats; len(logits) != classes || logits[got[i].Prediction] != slices.Max(logits) {
			t.Errorf("image %d: class %d of the logits %v", i, got[i].Prediction, logits)
		}
		if score := out[artifact.IODIN].Floats; len(score) != 1 || float64(score[0]) != got[i].Score {
			t.Errorf("image %d: score %v, output %v", i, got[i].Score, score)
		}
		gradient, index := out[artifact.Gradient].Floats, out[artifact.Index].Ints
		if len(gradient) != 3*size*size || len(index) != 1 {
			t.Fatalf("image %d: %d elements of the gradient, %d indices", i, len(gradient), len(index))
		}
		for _, g := range gradient {
			if math.Abs(float64(g)) > math.Abs(float64(gradient[index[0]])) {
				t.Errorf("image %d: element %d is not the largest", i, index[0])
				break
			}
		}
	}
	for _, s := range detailed.Outputs() {
		n := 1
		for _, d := range s.Shape {
			n *= d
		}
		out := outputs[0][s.Name]
		if have := len(out.Floats) + len(out.Doubles) + len(out.Ints); have != n || (s.Type == ioodin.Int64) != (out.Ints != nil) {
			t.Errorf("output %+v has %d values", s, have)
		}
	}
	if !slices.EqualFunc(plain.Outputs(), detailed.Outputs(), func(a, b ioodin.Signature) bool { return a.Name == b.Name }) {
		t.Error("the artifact has the same outputs, however it is opened")
	}
	if _, _, err := plain.Details(t.Context(), crops); err == nil {
		t.Error("details without the option")
	}
}
