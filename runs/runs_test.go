package runs

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// touch makes empty files below a new folder.
func touch(t *testing.T, names ...string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for _, name := range names {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestFind(t *testing.T) {
	for name, test := range map[string]struct {
		files, want []string
		fault       string
	}{
		"one of each kind":   {files: []string{"s0/model.onnx", "s1/best.safetensors", "s10/best.ckpt", "s2/best.ckpt"}, want: []string{"s0/model.onnx", "s1/best.safetensors", "s10/best.ckpt", "s2/best.ckpt"}},
		"the artifact first": {files: []string{"s0/best.ckpt", "s0/best.safetensors", "s0/model.onnx"}, want: []string{"s0/model.onnx"}},
		"other folders":      {files: []string{"s0/model.onnx", "small/model.onnx", "scores/x.csv", "ood/iodin.csv"}, want: []string{"s0/model.onnx", "small/model.onnx"}},
		"a seed without":     {files: []string{"s0/model.onnx", "s1/last.safetensors"}, fault: "s1 has none of model.onnx, best.safetensors, best.ckpt"},
		"a run itself":       {files: []string{"model.onnx", "s0/model.onnx"}, fault: "is a run itself"},
		"nothing":            {files: []string{"x/model.onnx"}, fault: "holds no runs s0, s1, …"},
	} {
		dir := touch(t, test.files...)
		got, err := Find(dir)
		for i := range got {
			got[i], _ = filepath.Rel(dir, got[i])
		}
		if test.fault != "" {
			if err == nil || !strings.Contains(err.Error(), test.fault) {
				t.Errorf("%s: error %v, want %q", name, err, test.fault)
			}
			continue
		}
		if err != nil || !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, %v, want %v", name, got, err, test.want)
		}
	}
	if _, err := Find(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("no error on a folder that is not there")
	}
}

func TestCreate(t *testing.T) {
	dir := t.TempDir()
	run := Seed(filepath.Join(dir, "all"), 7)
	if want := filepath.Join(dir, "all", "s7"); run != want {
		t.Errorf("seed 7 is in %s, want %s", run, want)
	}
	if err := Create(run); err != nil {
		t.Fatal(err)
	}
	if entries, err := os.ReadDir(run); err != nil || len(entries) > 0 {
		t.Errorf("a new run holds %v, %v", entries, err)
	}
	if err := os.WriteFile(filepath.Join(run, MetricsFile), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if name := Holds(run); name != MetricsFile {
		t.Errorf("the run is recognised by %q, want %s", name, MetricsFile)
	}
	if name := Holds(dir); name != "" {
		t.Errorf("%s is taken for a run, by %q", dir, name)
	}
	for path, fault := range map[string]string{
		"": "missing: the folder for", filepath.Join(run, MetricsFile): "not a directory", "/proc/run": "no such file",
	} {
		if err := Create(path); err == nil || !strings.Contains(err.Error(), fault) {
			t.Errorf("%q: error %v, want %q", path, err, fault)
		}
	}
}

func TestNewer(t *testing.T) {
	dir := touch(t, "s0/model.onnx", "s0/best.safetensors")
	artifact, checkpoint := filepath.Join(dir, "s0", ArtifactFile), filepath.Join(dir, "s0", BestFile)
	now := time.Now()
	for _, test := range []struct {
		checkpoint time.Time
		want       string
	}{{now.Add(time.Hour), checkpoint}, {now.Add(-time.Hour), ""}} {
		if err := os.Chtimes(checkpoint, test.checkpoint, test.checkpoint); err != nil {
			t.Fatal(err)
		}
		if got := Newer(artifact); got != test.want {
			t.Errorf("newer is %q, want %q", got, test.want)
		}
	}
	if !IsArtifact(artifact) || IsArtifact(checkpoint) || Name(artifact) != "s0" {
		t.Error("the files are not told apart")
	}
}
