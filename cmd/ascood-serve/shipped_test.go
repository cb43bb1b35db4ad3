package main

import (
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/dataset"
	"github.com/ascood/ascood/eval"
	"github.com/ascood/ascood/export"
	"github.com/ascood/ascood/internal/testmodel"
	"github.com/ascood/ascood/ioodin"
	"github.com/ascood/ascood/onnx"
	"github.com/ascood/ascood/posthoc"
)

// TestShippedScores serves a model with each of the methods as its score: the server's
// scores are those of the evaluation, and it says which method they are of.
func TestShippedScores(t *testing.T) {
	model, meta := exported(t, resnet)
	train := pictures(t, len(meta.Classes), 60)
	plain := opened(t, model, meta, train)
	for _, name := range posthoc.Names() {
		t.Run(name, func(t *testing.T) {
			e := plain
			if head := testmodel.HeadOf(testmodel.Method(t, name)); head != "" {
				model, meta, err := export.FromCheckpoint(testmodel.WithHead(t, head), export.Options{Name: meta.Name, Score: meta.Score})
				if err != nil {
					t.Fatal(err)
				}
				e = opened(t, model, meta, train)
			}
			shipped, meta, err := e.Ship(t.Context(), eval.Choice{Entry: eval.Entry{Name: name, Method: testmodel.Method(t, name)}}, posthoc.Float32)
			if err != nil {
				t.Fatal(err)
			}
			scored, err := ioodin.New(shipped, meta, ioodin.Options{Threads: 1})
			if err != nil {
				t.Fatal(err)
			}
			defer scored.Close()
			if meta.Calibration, err = scored.Calibrate(t.Context(), train, "pictures", 0.9, ioodin.CalibrateOptions{}); err != nil {
				t.Fatal(err)
			}
			checkServed(t, scored, start(t, "--model", save(t, shipped, meta)), meta.Score)
		})
	}
}

// opened is an evaluation that learns from images.
func opened(t *testing.T, model *onnx.ModelProto, meta *artifact.Metadata, train dataset.Dataset) *eval.Evaluation {
	t.Helper()
	n, err := eval.NewNetwork(model, meta, ioodin.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	return &eval.Evaluation{Network: n, Train: eval.Set{Images: train}, ValidID: eval.Set{Images: train}}
}

// checkServed compares the server with the model.
func checkServed(t *testing.T, m *ioodin.Model, url string, score artifact.Score) {
	t.Helper()
	info := m.Info()
	for i := range 3 {
		want, err := m.Score(t.Context(), [][]uint8{info.Preprocess.Crop(picture(100 + i))})
		if err != nil {
			t.Fatal(err)
		}
		got, err := post(url, encoded(t, picture(100+i)))
		if err != nil {
			t.Fatal(err)
		}
		if off := math.Abs(got.Score - want[0].Score); !(off <= 1e-6*math.Max(1, math.Abs(want[0].Score))) {
			t.Errorf("picture %d has the score %v at the server, %v of the model", i, got.Score, want[0].Score)
		}
	}
	answer, err := http.Get(url + "/v1/models")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	settings, err := score.MarshalJSON()
	if err != nil || !strings.Contains(string(text), `"settings":`+string(settings)) {
		t.Errorf("the server has the model %s, want the settings %s (%v)", text, settings, err)
	}
}

// pictures writes images in a folder for each class.
func pictures(t *testing.T, classes, count int) dataset.Dataset {
	t.Helper()
	dir := t.TempDir()
	for i := range count {
		class := filepath.Join(dir, strconv.Itoa(i%classes))
		if err := os.MkdirAll(class, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(class, fmt.Sprintf("%03d.png", i)), encoded(t, picture(i)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d, err := dataset.Open(dir, "")
	if err != nil {
		t.Fatal(err)
	}
	return d
}
