package main

import (
	"context"
	"fmt"
	"io"

	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/checkpoint"
	"github.com/ascood/ascood/eval"
	"github.com/ascood/ascood/eval/report"
	"github.com/ascood/ascood/export"
	"github.com/ascood/ascood/internal/cli"
	"github.com/ascood/ascood/ioodin"
	"github.com/ascood/ascood/metrics"
	"github.com/ascood/ascood/onnx"
	"github.com/ascood/ascood/runs"
)

// evaluateRuns evaluates each training run under --results, and prints and saves
// what they have in common. None is begun before all are known to be possible.
// Only one at a time is in memory.
func (f *flags) evaluateRuns(ctx context.Context, opt ioodin.Options, stdout, stderr io.Writer) error {
	paths, err := runs.Find(f.results)
	if err != nil {
		return fmt.Errorf("--results: %w", err)
	}
	if err := f.checkRuns(paths, opt, stderr); err != nil {
		return err
	}
	var all [][]eval.Result
	var published *comparison
	for _, path := range paths {
		fmt.Fprintf(stdout, "%s\n", path)
		err := f.withRun(path, opt, io.Discard, stderr, func(e *eval.Evaluation) error {
			results, err := f.evaluate(ctx, e, f.folders(runs.Name(path)), stdout, stderr)
			all = append(all, results)
			if err == nil && published == nil {
				published, err = f.comparison(e)
			}
			return err
		})
		if err != nil {
			return err
		}
		fmt.Fprintln(stdout)
	}
	return f.summarise(stdout, all, published)
}

// checkRuns finds out whether each run can be evaluated, and by the same scores. It
// says on stderr where a model may be out of date.
func (f *flags) checkRuns(paths []string, opt ioodin.Options, stderr io.Writer) error {
	var first artifact.Score
	for i, path := range paths {
		if newer := runs.Newer(path); newer != "" {
			fmt.Fprintf(stderr, "Warning: %s is evaluated, but %s is newer: export it again, or remove one.\n", path, newer)
		}
		err := f.withRun(path, opt, stderr, stderr, func(e *eval.Evaluation) error {
			own := f.decides(e.Network.Info())
			if i == 0 {
				first = own
			}
			if own != first {
				return cli.Usagef("the score is %v, that of run %s is %v: say with --postprocessor what to evaluate", own, runs.Name(paths[0]), first)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// decides is the score that a run is to be evaluated by, the zero Score if flags say which.
func (f *flags) decides(run artifact.Metadata) artifact.Score {
	if p, ok := f.byTraining(run); ok {
		return p.Score
	}
	switch {
	case f.fs.Changed("postprocessor"):
		return artifact.Score{}
	case f.byArtifact():
		return run.Score
	}
	return artifact.Score{Name: artifact.ScoreName(f.experiment.Postprocessor)}
}

// withRun opens what the evaluation of a run needs, and closes it when do has ended.
func (f *flags) withRun(path string, opt ioodin.Options, notes, progress io.Writer, do func(*eval.Evaluation) error) error {
	err := func() error {
		f.exported = !runs.IsArtifact(path)
		model, meta, err := f.loadRun(path)
		if err != nil {
			return err
		}
		if !runs.IsArtifact(path) {
			for _, note := range meta.Source.Taken {
				fmt.Fprintf(notes, "%s: %s\n", path, note)
			}
		}
		n, err := f.network(model, meta, opt)
		if err != nil {
			return err
		}
		defer n.Close()
		e, err := f.begin(n, f.folders(runs.Name(path)), notes, progress)
		if err != nil {
			return err
		}
		return do(e)
	}()
	if err != nil {
		return fmt.Errorf("run %s: %w", runs.Name(path), err)
	}
	return nil
}

// loadRun loads an artifact, or exports a checkpoint into memory; of a bare state
// dict the preset says what it is.
func (f *flags) loadRun(path string) (*onnx.ModelProto, *artifact.Metadata, error) {
	if runs.IsArtifact(path) {
		return artifact.Load(path)
	}
	c, err := checkpoint.Open(path)
	if err != nil {
		return nil, nil, err
	}
	score, err := artifact.DefaultScore(artifact.ScoreIODIN)
	if err != nil {
		return nil, nil, err
	}
	options := export.Options{Name: path, StateDict: f.stateDict, Score: score, Source: artifact.Source{Training: c.Meta.Training}}
	if c.Meta.Arch == "" {
		if f.experiment == nil {
			return nil, nil, cli.Usagef("%s does not say how images become its input: give --preset, or export each run with ascood-export --preprocess", path)
		}
		pre, err := f.experiment.Images()
		if err != nil {
			return nil, nil, err
		}
		options.Arch, options.Preprocess = f.experiment.Arch, &pre
	}
	return export.FromFile(c, options)
}

// summarise prints each method's table over all runs, with the published numbers if
// these are asked for, and writes it to the output folder, if there is one.
func (f *flags) summarise(stdout io.Writer, runs [][]eval.Result, published *comparison) error {
	output := f.folders("").means
	for i, r := range runs[0] {
		var tables [][]metrics.Row
		for _, results := range runs {
			tables = append(tables, results[i].Table)
		}
		lines := metrics.SpreadLines(tables, f.skipBroken)
		fmt.Fprintf(stdout, "%s, mean ± standard deviation of %s\n", r.Method, count(len(runs), "run"))
		if err := published.write(stdout, r.Method, lines); err != nil {
			return err
		}
		if output == "" {
			continue
		}
		if err := report.SaveMean(output, r.Method, lines); err != nil {
			return fmt.Errorf("--output: %w", err)
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
