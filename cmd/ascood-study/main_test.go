package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ascood/ascood/internal/cli"
)

// plan is a study of a tiny network on a few images.
const plan = `{
  "title": "Miniature", "seeds": [0, 1], "scores": ["msp", "knn"],
  "evaluation": {"set": {"knn.k": 5}},
  "training": {"arch": "lenet", "width": 2, "epochs": 2, "batch_size": 20},
  "data": [{"name": "clothes", "train": "IMAGES/train-images-idx3-ubyte.gz[:60]", "val": "IMAGES/val_id-images-idx3-ubyte.gz[:30]",
    "test": "IMAGES/test_id-images-idx3-ubyte.gz[:40]", "ood_val": "IMAGES/val_ood-images-idx3-ubyte.gz[:30]",
    "outliers": "IMAGES/val_ood-images-idx3-ubyte.gz[30:60]", "far": [{"name": "digits", "images": "IMAGES/test_ood-images-idx3-ubyte.gz[:40]"}],
    "training": {"image_size": 28, "pre_size": 28, "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5], "augment": "none"}}],
  "methods": [
    {"name": "CE", "method": "ce"},
    {"name": "ASCOOD", "method": "ascood", "scores": ["msp"], "search": {"score": "msp", "training": {"w": [0.1, 1]}}},
    {"name": "OE", "method": "oe", "from": "CE", "set": {"lambda": 0.4}, "scores": ["msp"]},
    {"name": "CIDER", "method": "cider", "set": {"warm_epochs": 1}, "training": {"augment": "contrastive"}, "scores": ["knn"]}
  ]
}`

// build puts the programs into a folder beside which their libraries lie.
func build(t *testing.T) (folder string) {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	at := t.TempDir()
	if err := os.Symlink(filepath.Join(root, "lib"), filepath.Join(at, "lib")); err != nil {
		t.Fatal(err)
	}
	folder = filepath.Join(at, "bin")
	for _, name := range []string{"ascood-train", "ascood-export", "ascood-eval", "ascood-study"} {
		c := exec.Command("go", "build", "-o", folder+"/", "./cmd/"+name)
		c.Dir = root
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
	}
	return folder
}

func writePlan(t *testing.T, text string) string {
	t.Helper()
	images, err := filepath.Abs("../../eval/testdata/images")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "miniature.json")
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(text, "IMAGES", images)), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func command(t *testing.T, ctx context.Context, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	var out, errs bytes.Buffer
	err := execute(ctx, args, &out, &errs)
	status = cli.Report(&errs, "ascood-study", err)
	return out.String(), errs.String(), status
}

// TestStudy makes the whole study with the real programs: it is interrupted, killed with all
// that it has started, and goes on; then a part fails.
func TestStudy(t *testing.T) {
	programs := build(t)
	path := writePlan(t, plan)
	output := filepath.Join(t.TempDir(), "study")
	args := []string{path, "--output", output, "--programs", programs, "--jobs", "2"}

	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGKILL} {
		c := exec.Command(filepath.Join(programs, "ascood-study"), args...)
		var said bytes.Buffer
		c.Stdout, c.Stderr = io.Discard, &said
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- c.Wait() }()
		waitForLogs(t, output, map[syscall.Signal]int{syscall.SIGINT: 2, syscall.SIGKILL: 4}[signal], ended, &said)
		if err := c.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		err := <-ended
		var exit *exec.ExitError
		if !errors.As(err, &exit) || signal == syscall.SIGINT && (exit.ExitCode() != cli.StatusInterrupted || !strings.Contains(said.String(), "the same command goes on")) {
			t.Fatalf("%v: %v\n%s", signal, err, said.String())
		}
	}
	// The programs of the killed one end, too; until then they keep others out.
	var stdout, stderr string
	var status int
	for {
		stdout, stderr, status = command(t, t.Context(), args...)
		if !strings.Contains(stderr, "another study is at work") {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if status != 0 || !strings.Contains(stdout, "| ASCOOD | msp |") || !strings.Contains(stdout, "| CIDER | knn |") {
		t.Fatalf("status %d\n%s\n%s", status, stdout, stderr)
	}
	for _, file := range []string{"table.md", "table.tex", "cells.csv", "seeds.csv", "search.csv", "parts.csv", "index.html"} {
		if content, err := os.ReadFile(filepath.Join(output, file)); err != nil || len(content) == 0 {
			t.Errorf("%s: %v", file, err)
		}
	}
	again, stderr, status := command(t, t.Context(), args...)
	if status != 0 || again != stdout || !strings.Contains(stderr, " 0 to do") {
		t.Errorf("again: status %d, %s\n%s", status, stderr, again)
	}

	// Training images among the outliers are named, before anything else is lost.
	wrong := writePlan(t, strings.Replace(plan, "val_ood-images-idx3-ubyte.gz[30:60]", "train-images-idx3-ubyte.gz[50:70]", 1))
	_, stderr, status = command(t, t.Context(), append([]string{wrong}, args[1:]...)...)
	if status != cli.StatusFailed || !strings.Contains(stderr, "10 of the 20 images of --outliers are training images, as train-images-idx3-ubyte") ||
		!strings.Contains(stderr, "6 parts failed") || !strings.Contains(stderr, "22 done") {
		t.Errorf("status %d, %s", status, stderr)
	}

	// So is a method that there is not, with those that there are.
	unknown := writePlan(t, strings.Replace(plan, `"method": "cider"`, `"method": "cidre"`, 1))
	_, stderr, status = command(t, t.Context(), append([]string{unknown}, args[1:]...)...)
	if status != cli.StatusFailed || !strings.Contains(stderr, "nothing is begun:\ntrain, clothes, CIDER, seed 0: ascood-train: unknown --method \"cidre\"; known are ascood, ce, cider, ") {
		t.Errorf("status %d, %s", status, stderr)
	}
}

// waitForLogs waits until so many parts have been begun.
func waitForLogs(t *testing.T, output string, want int, ended <-chan error, said *bytes.Buffer) {
	t.Helper()
	for {
		logs, err := filepath.Glob(filepath.Join(output, "parts", "*", "log.txt"))
		switch {
		case err != nil:
			t.Fatal(err)
		case len(logs) >= want:
			return
		}
		select {
		case err := <-ended:
			t.Fatalf("%d parts were begun: %v\n%s", len(logs), err, said)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func TestWrongInput(t *testing.T) {
	path := writePlan(t, plan)
	empty := t.TempDir()
	for _, test := range []struct {
		name   string
		args   []string
		want   string
		status int
	}{
		{"no plan", nil, "want one plan", cli.StatusUsage},
		{"two plans", []string{path, path}, "want one plan", cli.StatusUsage},
		{"missing plan", []string{filepath.Join(empty, "none.json")}, "none.json: no such file", cli.StatusFailed},
		{"key", []string{writePlan(t, strings.Replace(plan, "title", "titel", 1))}, `unknown key "titel" (title?)`, cli.StatusFailed},
		{"list", []string{writePlan(t, strings.Replace(plan, "val_id-", "none-", 1)), "--dry-run"}, "data clothes: val: ", cli.StatusFailed},
		{"outliers", []string{writePlan(t, strings.Replace(plan, `"outliers"`, `"root"`, 1)), "--dry-run"}, "method OE: it learns from outliers: data clothes names no images", cli.StatusFailed},
		{"score", []string{writePlan(t, strings.Replace(plan, `"knn"`, `"kn"`, 1)), "--dry-run"}, `unknown score "kn" (knn?)`, cli.StatusFailed},
		{"jobs", []string{path, "--jobs", "0"}, "--jobs 0: must be from 1 to 256", cli.StatusUsage},
		{"programs", []string{path, "--programs", empty, "--output", filepath.Join(empty, "study")}, "ascood-train: no such file", cli.StatusFailed},
		{"output", []string{path, "--output", path}, "--output: ", cli.StatusFailed},
		{"probe", []string{path, "--probe"}, "--probe has no meaning without --dry-run", cli.StatusUsage},
		{"data root", []string{writePlan(t, presetPlan), "--dry-run"}, "the data root is missing", cli.StatusFailed},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, stderr, status := command(t, t.Context(), test.args...); status != test.status || !strings.Contains(stderr, test.want) {
				t.Errorf("status %d, %q is not in %s", status, test.want, stderr)
			}
		})
	}
}

const presetPlan = `{"title": "Preset", "seeds": [0], "scores": ["published"], "data": [{"name": "birds", "preset": "waterbirds"}], "methods": [{"name": "CE", "method": "ce"}]}`

// TestHold: two studies do not work in one folder.
func TestHold(t *testing.T) {
	folder := t.TempDir()
	lock, err := hold(folder)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := hold(folder); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("another study is at work in %s", folder)) {
		t.Errorf("%v", err)
	}
	lock.Close()
	if lock, err = hold(folder); err != nil {
		t.Error(err)
	}
	lock.Close()
}
