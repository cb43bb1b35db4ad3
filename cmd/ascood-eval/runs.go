package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/checkpoint"
	"github.com/ascood/ascood/eval"
	"github.com/ascood/ascood/export"
	"github.com/ascood/ascood/internal/cli"
	"github.com/ascood/ascood/ioodin"
	"github.com/ascood/ascood/metrics"
	"github.com/ascood/ascood/onnx"
	"github.com/ascood/ascood/preprocess"
	"github.com/ascood/ascood/presets"
)

// trainingRun is a run under --results.
type trainingRun struct {
	path  string // of its model
	model *onnx.ModelProto
	meta  *artifact.Metadata
}

// name is that of its folder.
func (r trainingRun) name() string { return filepath.Base(filepath.Dir(r.path)) }

// evaluateRuns evaluates each training run under --results, and prints and saves
// what they have in common. None is begun before all are known to be possible.
func (f *flags) evaluateRuns(ctx context.Context, opt ioodin.Options, stdout, stderr io.Writer) error {
	runs, err := f.loadRuns(stderr)
	if err != nil {
		return err
	}
	var evaluations []*eval.Evaluation
	for _, r := range runs {
		n, err := eval.NewNetwork(r.model, r.meta, opt)
		if err != nil {
			return fmt.Errorf("run %s: %w", r.name(), err)
		}
		defer n.Close()
		e, err := f.begin(n, f.folders(r.name()), stderr)
		if err != nil {
			return fmt.Errorf("run %s: %w", r.name(), err)
		}
		evaluations = append(evaluations, e)
	}
	var all [][]eval.Result
	for i, r := range runs {
		fmt.Fprintf(stdout, "%s\n", r.path)
		results, err := f.evaluate(ctx, evaluations[i], f.folders(r.name()), stdout)
		if err != nil {
			return fmt.Errorf("run %s: %w", r.name(), err)
		}
		all = append(all, results)
		fmt.Fprintln(stdout)
	}
	return summarise(stdout, f.folders("").means, all)
}

// loadRuns loads the model of every run, before the first is evaluated. It says on
// stderr where one may be out of date.
func (f *flags) loadRuns(stderr io.Writer) ([]trainingRun, error) {
	paths, err := findRuns(f.results)
	if err != nil {
		return nil, err
	}
	var runs []trainingRun
	for _, path := range paths {
		r := trainingRun{path: path}
		if r.model, r.meta, err = f.loadRun(path); err != nil {
			return nil, fmt.Errorf("run %s: %w", r.name(), err)
		}
		if newer := newerThan(path); newer != "" {
			fmt.Fprintf(stderr, "Warning: %s is evaluated, but %s is newer: export it again, or remove one.\n", path, newer)
		}
		runs = append(runs, r)
	}
	for _, r := range runs {
		if own, first := r.meta.Score, runs[0].meta.Score; f.methods == nil && own != first {
			return nil, cli.Usagef("the score of run %s is %v, that of %s is %v: say with --postprocessor what to evaluate", runs[0].name(), first, r.name(), own)
		}
	}
	return runs, nil
}

// runFiles are the files that a run is evaluated by, the first that its folder
// has: the artifact, if it has been exported, the checkpoint that ascood-train
// leaves, and that of OpenOOD.
var runFiles = []string{artifactFile, "best.safetensors", "best.ckpt"}

const artifactFile = "model.onnx"

// seedFolder matches the folders that are runs in any case. Others that begin
// with s are if they hold a model.
var seedFolder = regexp.MustCompile(`^s\d+$`)

// findRuns returns the model of each run s* under a folder.
func findRuns(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir) // sorted
	if err != nil {
		return nil, ascood.Errorf(ascood.Invalid, "--results: %w", err)
	}
	var runs []string
	for _, entry := range entries {
		if !strings.HasPrefix(entry.Name(), "s") {
			continue
		}
		folder := filepath.Join(dir, entry.Name())
		path := runFile(folder)
		switch {
		case path != "":
			runs = append(runs, path)
		case seedFolder.MatchString(entry.Name()):
			return nil, ascood.Errorf(ascood.Invalid, "--results: %s has none of %s", folder, strings.Join(runFiles, ", "))
		}
	}
	if runFile(dir) != "" {
		return nil, ascood.Errorf(ascood.Invalid, "--results: %s is a run itself: name the folder that it is in", dir)
	}
	if len(runs) == 0 {
		return nil, ascood.Errorf(ascood.Invalid, "--results: %s holds no runs s0, s1, …, each a folder with one of %s", dir, strings.Join(runFiles, ", "))
	}
	return runs, nil
}

// runFile returns the file that a run is evaluated by, "" if there is none.
func runFile(folder string) string {
	for _, name := range runFiles {
		path := filepath.Join(folder, name)
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	return ""
}

// newerThan returns another file of the run that is newer than the one it is
// evaluated by, "" if there is none.
func newerThan(path string) string {
	evaluated, err := os.Stat(path)
	if err != nil {
		return ""
	}
	for _, name := range runFiles {
		other := filepath.Join(filepath.Dir(path), name)
		if info, err := os.Stat(other); err == nil && info.ModTime().After(evaluated.ModTime()) {
			return other
		}
	}
	return ""
}

// loadRun loads an artifact, or exports a checkpoint into memory; of a bare state
// dict the preset says what it is.
func (f *flags) loadRun(path string) (*onnx.ModelProto, *artifact.Metadata, error) {
	if filepath.Base(path) == artifactFile {
		return artifact.Load(path)
	}
	c, err := checkpoint.Load(path)
	if err != nil {
		return nil, nil, err
	}
	score, err := artifact.DefaultScore(artifact.MethodIODIN)
	if err != nil {
		return nil, nil, err
	}
	options := export.Options{Name: path, Score: score}
	if c.Meta.Arch == "" && f.preset != "" {
		p, err := presets.Load(f.preset)
		if err != nil {
			return nil, nil, err
		}
		pre, err := preprocess.Preset(p.Preprocess)
		if err != nil {
			return nil, nil, err
		}
		options.Arch, options.Preprocess = p.Arch, &pre
	}
	return export.FromCheckpoint(c, options)
}

// summarise prints each method's table over all runs, and writes it to the output
// folder, if there is one.
func summarise(stdout io.Writer, output string, runs [][]eval.Result) error {
	for i, r := range runs[0] {
		var tables [][]metrics.Row
		for _, results := range runs {
			tables = append(tables, results[i].Table)
		}
		lines := metrics.SpreadLines(tables)
		fmt.Fprintf(stdout, "%s, mean ± standard deviation of %s\n", r.Method, count(len(runs), "run"))
		if err := metrics.WriteTable(stdout, lines); err != nil {
			return err
		}
		if output == "" {
			continue
		}
		var table bytes.Buffer
		if err := metrics.WriteCSV(&table, lines); err != nil {
			return err
		}
		if err := writeFile(output, r.Method+tableSuffix, table.Bytes()); err != nil {
			return err
		}
	}
	return nil
}

// count is a number of things.
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
