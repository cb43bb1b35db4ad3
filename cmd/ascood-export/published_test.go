package main

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/internal/testmodel"
	"github.com/ascood/ascood/models"
)

// TestPublishedScore: a checkpoint is exported with the score that its method of training
// is published with, which is said, unless another is asked for.
func TestPublishedScore(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "m.onnx")
	for _, c := range []struct {
		head     models.Head
		training string
		flags    string
		want     artifact.Score
		says     string // "" is nothing of a score
		fails    string
	}{
		{head: models.HeadLinear, training: `{"method":"ce"}`, want: artifact.Score{Name: "iodin", Temperature: 1000, Noise: 0.0014}},
		{head: models.HeadLinear, training: `{"method":"oe","score":{"method":"msp","temperature":1,"noise":0}}`, want: artifact.Score{Name: "msp", Temperature: 1}, says: "the score is msp, which training with the method oe is published with; --score chooses another"},
		{head: models.HeadLinear, training: `{"method":"oe","score":{"method":"msp","temperature":1,"noise":0}}`, flags: "--score mls", want: artifact.Score{Name: "mls"}},
		{head: models.HeadLinear, training: `{"method":"oe","score":{"method":"msp","temperature":1,"noise":0}}`, flags: "--noise 0.1", fails: "--noise has no meaning for the score msp"},
		{head: models.HeadT2FNorm, training: `{"method":"t2fnorm","score":{"method":"t2fnorm","settings":{"tau":0.2}}}`, want: artifact.Score{Name: "t2fnorm", Settings: `{"tau":0.2}`}, says: "the score is t2fnorm"},
		{head: models.HeadConfidence, training: `{"method":"conf_branch","score":{"method":"confidence"}}`, want: artifact.Score{Name: "confidence", Settings: "{}"}, says: "the score is confidence"},
		{head: models.HeadRotation, training: `{"method":"rotpred","score":{"method":"rotation"}}`, want: artifact.Score{Name: "rotation", Settings: "{}"}, says: "the score is rotation"},
		{head: models.HeadGODIN, training: `{"method":"godin","score":{"method":"godin"}}`, flags: "--set godin.noise=0.01", want: artifact.Score{Name: "godin", Settings: `{"noise":0.01}`}, says: "the score is godin"},
		{head: models.HeadLinear, training: `{"method":"npos","score":{"method":"knn"}}`, fails: "knn learns from training images: give --id-train", says: "the score is knn"},
		{head: models.HeadLinear, flags: "--score confidence", training: `{"method":"ce"}`, fails: "confidence works on confidence of the network, and this model of a resnet18_32x32 has none"},
		{head: models.HeadGODIN, flags: "--score ash", training: `{"method":"godin"}`, fails: "ash: it goes through the last layer, which in this network is not a linear one of the feature"},
	} {
		name := string(c.head) + " " + c.training + " " + c.flags
		saved := testmodel.WithHead(t, c.head)
		saved.Meta.Training = json.RawMessage(c.training)
		path := filepath.Join(dir, "best.safetensors")
		if err := saved.Save(path); err != nil {
			t.Fatal(err)
		}
		var printed, notes bytes.Buffer
		err := run(t.Context(), append(strings.Fields(c.flags), "--checkpoint", path, "-o", out), &printed, &notes)
		said := notes.String()
		if c.fails != "" {
			if err == nil || !strings.Contains(err.Error(), c.fails) {
				t.Errorf("%s: error %v, want %q", name, err, c.fails)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !strings.Contains(said, c.says) || c.says == "" && strings.Contains(said, "Note: the score") {
			t.Errorf("%s: said\n%s", name, said)
		}
		if _, meta, err := artifact.Load(out); err != nil || meta.Score != c.want {
			t.Errorf("%s: the score is %+v, %v, want %+v", name, meta.Score, err, c.want)
		}
	}
}
