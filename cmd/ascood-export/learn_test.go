package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/eval"
	"github.com/ascood/ascood/internal/testmodel"
	"github.com/ascood/ascood/ioodin"
	"github.com/ascood/ascood/posthoc"
)

var trained = filepath.Join(testmodel.FashionMNIST, "train-images-idx3-ubyte.gz")

// TestScoresThatLearn exports scores from a checkpoint and from a model, which comes to
// the same.
func TestScoresThatLearn(t *testing.T) {
	dir := t.TempDir()
	model := filepath.Join(dir, "m.onnx")
	fromWeights := slices.Concat(pre28, []string{"--checkpoint", lenet, "--arch", "lenet"})
	if _, err := command(t, append(fromWeights, "-o", model)...); err != nil {
		t.Fatal(err)
	}
	chosen := filepath.Join(dir, "temp_scaling.json")
	n, err := eval.OpenNetwork(model, ioodin.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	network, err := n.Identity()
	if err := errors.Join(err, n.Close()); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(chosen, fmt.Appendf(nil, `{"settings": {"temperature": 1.5}, "notes": ["x"], "network": %q}`, network), 0o600); err != nil {
		t.Fatal(err)
	}
	train, valid := []string{"--id-train", trained + "[:300]"}, []string{"--id-val", clothes + "[:100]"}
	for _, c := range []struct {
		flags []string
		want  artifact.Score
		says  string
	}{
		{append([]string{"--score", "knn", "--set", "knn.k=7", "--bank", "200"}, train...), artifact.Score{Name: "knn", Settings: `{"k":7}`}, "score knn (k 7)"},
		{append([]string{"--score", "knn", "--set", "knn.k=7", "--bank-type", "float16"}, train...), artifact.Score{Name: "knn", Settings: `{"k":7}`}, "compares with are 0.0 MiB"},
		{append([]string{"--score", "mds"}, train...), artifact.Score{Name: "mds", Settings: "{}"}, "score mds,"},
		{append([]string{"--score", "react", "--set", "react.percentile=85"}, valid...), artifact.Score{Name: "react", Settings: `{"percentile":85}`}, "percentile 85"},
		{[]string{"--score", chosen}, artifact.Score{Name: "temp_scaling", Settings: `{"temperature":1.5}`}, "temperature 1.5"},
		{[]string{"--score", "odin", "--set", "odin.noise=0.004"}, artifact.Score{Name: "odin", Temperature: 1000, Noise: 0.004}, "noise 0.004"},
		{[]string{"--score", "odin", "--noise", "0.004"}, artifact.Score{Name: "odin", Temperature: 1000, Noise: 0.004}, "noise 0.004"},
		{append([]string{"--score", "iodin+mls", "--set", "iodin.noise=0.004", "--combine", "minimum"}, valid...),
			artifact.Score{Name: "iodin+mls", Settings: `{"iodin":{"temperature":1000,"noise":0.004},"mls":{},"rule":"minimum"}`}, "score iodin+mls ("},
		{[]string{"--score", "mls"}, artifact.Score{Name: "mls"}, "score mls"},
	} {
		var calibrations []*artifact.Calibration
		for _, from := range [][]string{fromWeights, {"--model", model}} {
			out := filepath.Join(t.TempDir(), "s.onnx")
			stdout, err := command(t, slices.Concat(from, c.flags, []string{"-o", out, "--calibrate", clothes + "[100:200]"})...)
			if err != nil {
				t.Fatalf("%v: %v", c.flags, err)
			}
			_, meta, err := artifact.Load(out)
			if err != nil {
				t.Fatal(err)
			}
			if meta.Score != c.want || !strings.Contains(strings.ReplaceAll(stdout, "\n", ","), c.says) {
				t.Errorf("%v: the score is %+v, want %+v; said %s", c.flags, meta.Score, c.want, stdout)
			}
			calibrations = append(calibrations, meta.Calibration)
			checkWithONNX(t, out)
		}
		if !slices.Equal(calibrations[0].Quantiles, calibrations[1].Quantiles) || calibrations[0].Score != c.want {
			t.Errorf("%v: the model is calibrated differently than the checkpoint", c.flags)
		}
	}
}

// TestWrongLearning says what is wrong, and writes nothing.
func TestWrongLearning(t *testing.T) {
	dir := t.TempDir()
	model := filepath.Join(dir, "m.onnx")
	if _, err := command(t, slices.Concat(pre28, []string{"--checkpoint", lenet, "--arch", "lenet", "-o", model})...); err != nil {
		t.Fatal(err)
	}
	notes := filepath.Join(dir, "knn.json")
	if err := os.WriteFile(notes, []byte(`["knn"]`), 0o600); err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(dir, "mls.json")
	if err := os.WriteFile(other, []byte(`{"settings": {}, "network": "5e1f"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	few := []string{"--id-train", trained + "[:30]"}
	for _, c := range []struct {
		flags []string
		want  string
	}{
		{[]string{"--score", "energy"}, `unknown method "energy"; known are adascale_a, adascale_l, ash`},
		{[]string{"--score", "knn"}, "knn learns from training images: give --id-train"},
		{[]string{"--score", "klm"}, "klm learns from in-distribution validation images: give --id-val"},
		{[]string{"--score", "ash", few[0], few[1]}, "--id-train has no meaning for the score ash"},
		{[]string{"--score", "odin", "--bank", "5"}, "--bank has no meaning for the score odin"},
		{[]string{"--score", "knn", "--set", "vim.dim=5"}, "--set vim: the score is knn"},
		{[]string{"--score", "knn", "--set", "k=5"}, "want method.name=value"},
		{[]string{"--score", "knn", "--set", "knn.n=5"}, `there is no n; there are {"k":50}`},
		{append([]string{"--score", "knn"}, few...), "k 50: must be from 1 to the number of training images, 30: choose with --set knn.NAME=VALUE"},
		{append([]string{"--score", "knn", "--temperature", "5"}, few...), "--temperature has no meaning beside the settings of knn"},
		{append([]string{"--score", "knn", "--bank-type", "int8"}, few...), "--bank-type int8: want float32 or float16"},
		{append([]string{"--score", "mds", "--arch", "lenet"}, few...), "--arch has no meaning beside --model"},
		{[]string{"--score", "mds", "--id-train", filepath.Join(dir, "none.txt")}, "--id-train: "},
		{[]string{"--score", "rankfeat"}, "rankfeat works on layer3 of the network"},
		{[]string{"--score", "msp+mls"}, "msp+mls learns from in-distribution validation images: give --id-val"},
		{[]string{"--score", "msp+msp", "--id-val", clothes + "[:40]"}, "msp is combined with itself"},
		{[]string{"--score", "msp+energy", "--id-val", clothes + "[:40]"}, `unknown method "energy"`},
		{[]string{"--score", "msp+mls", "--combine", "mean", "--id-val", clothes + "[:40]"}, `unknown rule "mean"; known are fisher and minimum`},
		{[]string{"--score", "ash", "--combine", "minimum"}, "--combine is for several methods"},
		{[]string{"--score", "odin+iodin", "--set", "odin.noise=1", "--id-val", clothes + "[:40]"}, "one temperature and noise for all"},
		{[]string{"--score", other}, "were found for another network"},
		{[]string{"--score", notes}, "not a file of settings that ascood-eval --output wrote"},
		{[]string{"--score", filepath.Join(dir, "vim.json")}, "no such file"},
		{nil, "--score is missing"},
	} {
		out := filepath.Join(dir, "out.onnx")
		_, err := command(t, append([]string{"--model", model, "-o", out}, c.flags...)...)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: error %v, want %q", c.flags, err, c.want)
		}
		if _, err := os.Stat(out); err == nil {
			t.Errorf("%v: there is a file", c.flags)
		}
	}
}

// TestBankTypes holds the features in half the room.
func TestBankTypes(t *testing.T) {
	sizes := map[posthoc.BankType]int64{}
	for _, as := range posthoc.BankTypes() {
		out := filepath.Join(t.TempDir(), "s.onnx")
		if _, err := command(t, slices.Concat(pre28, []string{"--checkpoint", lenet, "--arch", "lenet", "--score", "nnguide",
			"--id-train", trained + "[:1000]", "--bank-type", string(as), "-o", out})...); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(out)
		if err != nil {
			t.Fatal(err)
		}
		sizes[as] = info.Size()
	}
	const feature = 84 // of LeNet
	if saved := sizes[posthoc.Float32] - sizes[posthoc.Float16]; saved < 2*1000*feature || saved > 2*1000*feature+4096 {
		t.Errorf("the sizes are %v", sizes)
	}
}
