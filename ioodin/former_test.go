package ioodin_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/internal/testmodel"
	"github.com/ascood/ascood/ioodin"
	"github.com/ascood/ascood/models"
	"github.com/ascood/ascood/onnx"
)

// TestFormerArtifacts opens one as it was before there were the scores of the logits and
// its own: it scores as ever, and says that it has no others.
func TestFormerArtifacts(t *testing.T) {
	m, d := testmodel.Random(t, models.Spec{Arch: "lenet", Classes: 10, Head: models.HeadLinear}, testmodel.Square(28), artifact.ScoreIODIN)
	var former []string
	for _, name := range artifact.Outputs() {
		if !slices.Contains([]string{artifact.MSP, artifact.MLS, artifact.EBO, artifact.OwnScore, artifact.ScoreGradient}, name) && !slices.Contains(artifact.OfHeads(), name) {
			former = append(former, name)
		}
	}
	old, err := onnx.Extract(m, former)
	if err != nil {
		t.Fatal(err)
	}
	crops := [][]uint8{testmodel.RandomCrop(28), testmodel.RandomCrop(28)}
	for _, name := range artifact.ScoreNames() {
		score, err := artifact.DefaultScore(name)
		if err != nil {
			t.Fatal(err)
		}
		opened, err := ioodin.New(old, d, ioodin.Options{Threads: 1, Score: &score})
		if output := score.Output(); output != "" && !slices.Contains(former, output) {
			if err == nil || !strings.Contains(err.Error(), `the graph has no output "`+output+`"`) {
				t.Errorf("%s: error %v", name, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		defer opened.Close()
		now, err := ioodin.New(m, d, ioodin.Options{Threads: 1, Score: &score})
		if err != nil {
			t.Fatal(err)
		}
		defer now.Close()
		got, err := opened.Score(t.Context(), crops)
		if err != nil {
			t.Fatal(err)
		}
		want, err := now.Score(t.Context(), crops)
		if err != nil {
			t.Fatal(err)
		}
		for i := range want {
			if got[i].Score != want[i].Score || got[i].Prediction != want[i].Prediction {
				t.Errorf("%s: image %d has %+v of the former artifact, %+v now", name, i, got[i], want[i])
			}
		}
	}
}
