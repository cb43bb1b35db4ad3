package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/checkpoint"
	"github.com/ascood/ascood/eval"
	"github.com/ascood/ascood/export"
	"github.com/ascood/ascood/ioodin"
	"github.com/ascood/ascood/preprocess"
	"github.com/ascood/ascood/presets"
)

// runFiles are the files that a run is evaluated by, the first that its folder
// has: the artifact, if it has been exported, the checkpoint that ascood-train
// leaves, and that of OpenOOD.
var runFiles = []string{artifactFile, "best.safetensors", "best.ckpt"}

const artifactFile = "model.onnx"

// evaluateRuns evaluates each training run under --results, and prints and saves
// what they have in common.
func (f *flags) evaluateRuns(ctx context.Context, opt ioodin.Options, output string, stdout, stderr io.Writer) error {
	runs, err := findRuns(f.results)
	if err != nil {
		return err
	}
	var all [][]eval.Result
	for _, path := range runs {
		name := filepath.Base(filepath.Dir(path))
		own := output
		if output != "" {
			own = filepath.Join(output, name)
		}
		results, err := f.evaluateRun(ctx, path, opt, own, stdout, stderr)
		if err != nil {
			return fmt.Errorf("run %s: %w", name, err)
		}
		all = append(all, results)
		fmt.Fprintln(stdout)
	}
	return summarise(stdout, output, all)
}

// findRuns returns the model of each run s* under a folder.
func findRuns(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir) // sorted
	if err != nil {
		return nil, ascood.Errorf(ascood.Invalid, "--results: %w", err)
	}
	var runs []string
	for _, entry := range entries {
		folder := filepath.Join(dir, entry.Name())
		info, err := os.Stat(folder) // of what a link leads to
		if err != nil || !info.IsDir() || !strings.HasPrefix(entry.Name(), "s") {
			continue
		}
		path, err := runFile(folder)
		if err != nil {
			return nil, err
		}
		runs = append(runs, path)
	}
	if len(runs) == 0 {
		return nil, ascood.Errorf(ascood.Invalid, "--results: %s holds no runs s0, s1, …", dir)
	}
	return runs, nil
}

// runFile returns the file that a run is evaluated by.
func runFile(folder string) (string, error) {
	for _, name := range runFiles {
		path := filepath.Join(folder, name)
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	return "", ascood.Errorf(ascood.Invalid, "--results: %s has none of %s", folder, strings.Join(runFiles, ", "))
}

func (f *flags) evaluateRun(ctx context.Context, path string, opt ioodin.Options, output string, stdout, stderr io.Writer) ([]eval.Result, error) {
	n, err := f.openRun(path, opt)
	if err != nil {
		return nil, err
	}
	defer n.Close()
	if err := f.prepare(output); err != nil {
		return nil, err
	}
	e, results, err := f.evaluate(ctx, n, output, stdout, stderr)
	if err != nil {
		return nil, err
	}
	return results, f.write(ctx, output, e, results)
}

// openRun opens an artifact, or exports a checkpoint into memory; of a bare state
// dict the preset says what it is.
func (f *flags) openRun(path string, opt ioodin.Options) (*eval.Network, error) {
	if filepath.Base(path) == artifactFile {
		return eval.OpenNetwork(path, opt)
	}
	c, err := checkpoint.Load(path)
	if err != nil {
		return nil, err
	}
	score, err := artifact.DefaultScore(artifact.MethodIODIN)
	if err != nil {
		return nil, err
	}
	options := export.Options{Name: path, Score: score}
	if c.Meta.Arch == "" && f.preset != "" {
		p, err := presets.Load(f.preset)
		if err != nil {
			return nil, err
		}
		pre, err := preprocess.Preset(p.Preprocess)
		if err != nil {
			return nil, err
		}
		options.Arch, options.Preprocess = p.Arch, &pre
	}
	m, d, err := export.FromCheckpoint(c, options)
	if err != nil {
		return nil, err
	}
	return eval.NewNetwork(m, d, opt)
}

// summarise prints each method's table over all runs, and writes it to the output
// folder, if there is one.
func summarise(stdout io.Writer, output string, runs [][]eval.Result) error {
	for i, r := range runs[0] {
		var tables [][]eval.Row
		for _, results := range runs {
			tables = append(tables, results[i].Table)
		}
		lines := eval.SpreadLines(tables)
		fmt.Fprintf(stdout, "%s, mean ± standard deviation of %d runs\n", r.Method, len(runs))
		if err := eval.WriteTable(stdout, lines); err != nil {
			return err
		}
		if output == "" {
			continue
		}
		var table bytes.Buffer
		if err := eval.WriteCSV(&table, lines); err != nil {
			return err
		}
		if err := writeFile(output, r.Method+".csv", table.Bytes()); err != nil {
			return err
		}
	}
	return nil
}
