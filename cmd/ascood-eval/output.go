package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/dataset"
	"github.com/ascood/ascood/eval"
	"github.com/ascood/ascood/eval/report"
	"github.com/ascood/ascood/internal/atomicfile"
	"github.com/ascood/ascood/metrics"
	"github.com/ascood/ascood/posthoc"
)

// printTables prints a table for each method, with the published numbers if these are
// asked for of a model, and, where scores are kept, thresholds.
func (f *flags) printTables(w io.Writer, e *eval.Evaluation, results []eval.Result) error {
	var published *comparison
	if f.results == "" {
		var err error
		if published, err = f.comparison(e); err != nil {
			return err
		}
	}
	for i, r := range results {
		if i > 0 {
			fmt.Fprintln(w)
		}
		name := r.Method
		if settings := posthoc.Describe(r.Settings); settings != "" {
			name += " (" + settings + ")"
		}
		if n := r.Tried(); n > 0 {
			name += fmt.Sprintf(", the best of %d settings", n)
		}
		skipped := ""
		if e.ID.Skipped > 0 {
			skipped = fmt.Sprintf(", %d skipped", e.ID.Skipped)
		}
		fmt.Fprintf(w, "%s on %s, %d ID images%s\n", name, e.Network.Info().Name, e.ID.Images.Len(), skipped)
		if err := published.write(w, r.Method, metrics.Lines(r.Table, f.skipBroken)); err != nil {
			return err
		}
		for _, note := range r.Notes {
			fmt.Fprintf(w, "Note: %s.\n", note)
		}
		if e.Store == nil {
			continue
		}
		all, sets, err := e.Thresholds(r)
		if err != nil {
			return err
		}
		if err := metrics.WriteThresholds(w, all, sets, e.ID.Images.Len()); err != nil {
			return err
		}
	}
	return nil
}

// prepare finds out whether the results can be written before they are computed.
// What there is of an earlier evaluation stays until they are.
func (f *flags) prepare(to folders, e *eval.Evaluation) error {
	output := "output"
	if f.output == "" {
		output = "results" // whose folder is the default
	}
	for _, folder := range []struct{ flag, path string }{{output, to.tables}, {output, to.store}, {"plots", f.plots}} {
		if folder.path == "" {
			continue
		}
		if err := os.MkdirAll(folder.path, 0o755); err != nil {
			return ascood.Errorf(ascood.Invalid, "--%s: %w", folder.flag, err)
		}
		// Any file that is not there shows whether files can be.
		if err := atomicfile.Check(filepath.Join(folder.path, ".ascood-eval")); err != nil {
			return fmt.Errorf("--%s: %w", folder.flag, err)
		}
	}
	for _, path := range slices.Concat(report.Files(to.tables, e), report.MeanFiles(to.means, e)) {
		if err := atomicfile.Check(path, f.inputs()...); err != nil {
			return fmt.Errorf("--%s: %w", output, err)
		}
	}
	if f.ship != "" {
		if err := atomicfile.Check(f.ship, f.inputs()...); err != nil {
			return fmt.Errorf("--ship: %w", err)
		}
	}
	if f.report == "" {
		return nil
	}
	if err := atomicfile.Check(f.report, f.inputs()...); err != nil {
		return fmt.Errorf("--report: %w", err)
	}
	return nil
}

// inputs are the files that the flags name to be read.
func (f *flags) inputs() []string {
	paths := []string{f.model}
	for _, images := range []string{f.id, f.train, f.validID, f.validOOD} {
		paths = append(paths, dataset.WithoutRange(images))
	}
	for _, spec := range slices.Concat(f.near, f.far) {
		_, images, _ := strings.Cut(spec, "=")
		paths = append(paths, dataset.WithoutRange(images))
	}
	return paths
}

// write writes the files that the flags ask for.
func (f *flags) write(ctx context.Context, output string, e *eval.Evaluation, results []eval.Result) error {
	if output != "" {
		if err := report.Save(output, e, results); err != nil {
			return fmt.Errorf("--output: %w", err)
		}
	}
	if f.plots != "" {
		if err := report.Plot(f.plots, e, results); err != nil {
			return err
		}
	}
	if f.report == "" {
		return nil
	}
	return writeReport(ctx, f.report, e, results)
}

// writeReport writes the evaluation as a web page.
func writeReport(ctx context.Context, path string, e *eval.Evaluation, results []eval.Result) error {
	var page bytes.Buffer
	if err := report.Write(ctx, &page, e, results); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	if err := atomicfile.WriteFile(path, page.Bytes()); err != nil {
		return ascood.Errorf(ascood.Invalid, "--report: %w", err)
	}
	return nil
}
