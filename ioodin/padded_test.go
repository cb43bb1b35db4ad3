package ioodin_test

import (
	"math"
	"testing"

	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/internal/testmodel"
	"github.com/ascood/ascood/ioodin"
	"github.com/ascood/ascood/models"
)

// TestPaddedScores: what a model and its parts compute does not depend on how batches
// are padded and cut.
func TestPaddedScores(t *testing.T) {
	m, d := testmodel.Random(t, models.Spec{Arch: "resnet18_32x32", Width: 8, Classes: 10, Head: models.HeadASCOOD}, testmodel.Square(32), artifact.ScoreIODIN)
	plain, padded := ioodin.Options{Threads: 1}, ioodin.Options{Threads: 1}.PadTo(1, 4)
	var crops [][]uint8
	var pixels []uint8
	for range 7 {
		crops = append(crops, testmodel.RandomCrop(32))
		pixels = append(pixels, crops[len(crops)-1]...)
	}
	score := func(opt ioodin.Options) []ioodin.Result {
		model, err := ioodin.New(m, d, opt)
		if err != nil {
			t.Fatal(err)
		}
		defer model.Close()
		results, err := model.Score(t.Context(), crops)
		if err != nil {
			t.Fatal(err)
		}
		return results
	}
	want, got := score(plain), score(padded)
	for i := range want {
		if math.Abs(got[i].Score-want[i].Score) > 1e-6 || math.Abs(got[i].Probability-want[i].Probability) > 1e-5 || got[i].Prediction != want[i].Prediction {
			t.Errorf("image %d scores %v in a padded batch, else %v", i, got[i], want[i])
		}
	}
	run := func(opt ioodin.Options, from string, in ioodin.Inputs, values ...string) map[string]ioodin.Tensor {
		g, err := ioodin.OpenGraph(m, d, from, values, opt)
		if err != nil {
			t.Fatal(err)
		}
		defer g.Close()
		out, err := g.Run(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	in := ioodin.Inputs{Pixels: pixels, Temperature: 1000, Noise: 0.0014}
	values := []string{artifact.Logits, artifact.Feature, artifact.Layer3}
	whole, cut := run(plain, "", in, values...), run(padded, "", in, values...)
	for _, name := range values {
		closeTo(t, name, cut[name].Data, whole[name].Data, 1e-5)
	}
	in.Value = whole[artifact.Layer3]
	whole, cut = run(plain, artifact.Layer3, in, artifact.Feature), run(padded, artifact.Layer3, in, artifact.Feature)
	closeTo(t, "feature from layer3", cut[artifact.Feature].Data, whole[artifact.Feature].Data, 1e-5)
}
