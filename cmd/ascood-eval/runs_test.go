package main

import (
	"encoding/json"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/internal/ort"
	"github.com/ascood/ascood/internal/testmodel"
	"github.com/ascood/ascood/models"
	"github.com/ascood/ascood/presets"
)

// TestResults evaluates two runs, one exported and one a bare state dict.
func TestResults(t *testing.T) {
	p, err := presets.Load("cifar10")
	if err != nil {
		t.Fatal(err)
	}
	root, runs, output := dataRoot(t, p), t.TempDir(), t.TempDir()
	args := []string{"--results", runs, "--preset", "cifar10", "--data-root", root, "--postprocessor", "msp,mls", "--output", output}
	if _, _, err := evaluate(t, args...); err == nil || !strings.Contains(err.Error(), "holds no runs s0, s1") {
		t.Errorf("error %v without runs", err)
	}
	copyTo(t, model(t), filepath.Join(runs, "s0", "model.onnx"))
	copyTo(t, testmodel.Path("eval", "testdata", "net.safetensors"), filepath.Join(runs, "s1", "best.ckpt"))
	out, _, err := evaluate(t, args...)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out, "mls, mean ± standard deviation of 2 runs") {
		t.Errorf("printed\n%s", out)
	}
	number := func(text string) float64 {
		v, err := strconv.ParseFloat(text, 64)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	first, second := readCSV(t, filepath.Join(output, "s0", "mls.csv")), readCSV(t, filepath.Join(output, "s1", "mls.csv"))
	differ := false
	for i, row := range readCSV(t, filepath.Join(output, "mls.csv")) {
		for k, cell := range row {
			if i == 0 || k == 0 {
				if cell != first[i][k] {
					t.Errorf("row %d begins with %v, want %v", i, row, first[i])
				}
				continue
			}
			a, b := number(first[i][k]), number(second[i][k])
			differ = differ || a != b
			mean, std, ok := strings.Cut(cell, " ± ")
			if !ok || math.Abs(number(mean)-(a+b)/2) > 0.011 || math.Abs(number(std)-math.Abs(a-b)/2) > 0.011 {
				t.Errorf("%s of %s is %s, the runs have %v and %v", first[0][k], row[0], cell, a, b)
			}
		}
	}
	if !differ {
		t.Error("the two runs do not differ")
	}

	// As OpenOOD's users type it.
	args = []string{"--results", runs, "--preset", "cifar10", "--data-root", root, "--postprocessor", "msp", "--save-csv", "--save-score", "--batch-size", "2"}
	for folder, more := range map[string][]string{"ood": nil, "fsood": {"--fsood"}} {
		if _, _, err := evaluate(t, append(args, more...)...); err != nil {
			t.Fatal(err)
		}
		for _, file := range []string{folder + "/msp.csv", folder + "/s0/msp.thresholds.csv", "s1/scores/msp/tin.csv"} {
			if len(readCSV(t, filepath.Join(runs, file))) < 4 {
				t.Errorf("%s lacks rows", file)
			}
		}
	}

	// Tables of different scores have no mean.
	other := model(t)
	m, meta, err := artifact.Load(other)
	if err != nil {
		t.Fatal(err)
	}
	meta.Score.Temperature = 1
	copyTo(t, other, filepath.Join(runs, "s2", "model.onnx"))
	if err := artifact.Save(filepath.Join(runs, "s2", "model.onnx"), m, meta); err != nil {
		t.Fatal(err)
	}
	own := []string{"--results", runs, "--id", images("test_id[:3]"), "--far", "far=" + images("test_ood[:3]")}
	if err := os.Rename(filepath.Join(runs, "s1"), filepath.Join(runs, "later")); err != nil { // it needs the preset
		t.Fatal(err)
	}
	if _, _, err := evaluate(t, own...); err == nil || !strings.Contains(err.Error(), "say with --postprocessor") {
		t.Errorf("error %v on runs of different scores", err)
	}
	if err := os.Rename(filepath.Join(runs, "later"), filepath.Join(runs, "s1")); err != nil {
		t.Fatal(err)
	}

	if err := os.Remove(filepath.Join(runs, "s2", "model.onnx")); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(runs, "scratch"), 0o755); err != nil { // not a run
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"empty run":  {args, "s2 has none of model.onnx, best.safetensors, best.ckpt"},
		"both":       {append([]string{"--model", "x"}, args...), "not both"},
		"report":     {append([]string{"--report", "x.html"}, args...), "give --model in place of --results"},
		"state dict": {[]string{"--results", filepath.Join(runs, "bare"), "--id", images("test_id[:3]"), "--far", "far=" + images("test_ood[:3]")}, "best.safetensors does not say how images become its input: give --preset, or export each run with ascood-export --preprocess"},
	} {
		copyTo(t, testmodel.Path("eval", "testdata", "net.safetensors"), filepath.Join(runs, "bare", "s1", "best.safetensors"))
		if _, _, err := evaluate(t, c.args...); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
	}
}

// TestOneRunAtATime counts the sessions that are open whenever something is printed.
func TestOneRunAtATime(t *testing.T) {
	dir := t.TempDir()
	for _, seed := range []string{"s0", "s1", "s2"} {
		copyTo(t, model(t), filepath.Join(dir, seed, "model.onnx"))
	}
	before, most := ort.Live(), 0
	count := writerFunc(func(text []byte) (int, error) {
		most = max(most, ort.Live()-before)
		return len(text), nil
	})
	args := []string{"--results", dir, "--id", images("test_id[:3]"), "--far", "far=" + images("test_ood[:3]"), "--postprocessor", "msp,iodin", "--aps=false"}
	if err := run(t.Context(), args, count, io.Discard); err != nil {
		t.Fatal(err)
	}
	if most != 2 { // logits, and i-ODIN's part of the graph
		t.Errorf("%d sessions of three runs were open at once, want the 2 of one run", most)
	}
	if left := ort.Live() - before; left != 0 {
		t.Errorf("%d sessions are left open", left)
	}
}

func copyTo(t *testing.T, from, to string) {
	t.Helper()
	content, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, content, 0o644); err != nil {
		t.Fatal(err)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// TestPublishedScore: checkpoints are evaluated by the score that their method of training is
// published with, which is said, also in an experiment that is published with another.
func TestPublishedScore(t *testing.T) {
	p, err := presets.Load("cifar10")
	if err != nil {
		t.Fatal(err)
	}
	root, runs := dataRoot(t, p), t.TempDir()
	c := testmodel.WithHead(t, models.HeadConfidence)
	pre, err := p.Images()
	if err != nil {
		t.Fatal(err)
	}
	c.Meta.Preprocess, c.Meta.Training = &pre, json.RawMessage(`{"method":"conf_branch","score":{"method":"confidence"}}`)
	for _, seed := range []string{"s0", "s1"} {
		path := filepath.Join(runs, seed, "best.safetensors")
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := c.Save(path); err != nil {
			t.Fatal(err)
		}
	}
	args := []string{"--results", runs, "--preset", "cifar10", "--data-root", root}
	out, said, err := evaluate(t, args...)
	if err != nil {
		t.Fatal(err)
	}
	if want := "evaluated by confidence, which training with the method conf_branch is published with"; !strings.Contains(said, want) || !strings.Contains(out, "confidence, mean") {
		t.Errorf("said\n%s\nprinted\n%s", said, out)
	}
	if out, _, err = evaluate(t, append(args, "--postprocessor", "msp")...); err != nil || strings.Contains(out, "confidence") {
		t.Errorf("with another method: %v, printed\n%s", err, out)
	}
	c.Meta.Training = json.RawMessage(`{"method":"ce"}`)
	if err := c.Save(filepath.Join(runs, "s1", "best.safetensors")); err != nil {
		t.Fatal(err)
	}
	if _, _, err = evaluate(t, args...); err == nil || !strings.Contains(err.Error(), "say with --postprocessor what to evaluate") {
		t.Errorf("runs of two methods: %v", err)
	}
}
