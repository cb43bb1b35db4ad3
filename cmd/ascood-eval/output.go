package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
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

// Files of a method in the output folder are its name and one of these.
const (
	tableSuffix      = ".csv"
	settingsSuffix   = ".json"
	thresholdsSuffix = ".thresholds.csv"
)

// printTables prints a table for each method and, where scores are kept, thresholds.
func printTables(w io.Writer, e *eval.Evaluation, results []eval.Result) error {
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
		fmt.Fprintf(w, "%s on %s, %d ID images\n", name, e.Network.Info().Name, e.ID.Images.Len())
		if err := metrics.WriteTable(w, metrics.Lines(r.Table)); err != nil {
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
	for _, path := range to.files(e) {
		if err := atomicfile.Check(path, f.inputs()...); err != nil {
			return fmt.Errorf("--%s: %w", output, err)
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

// files are those that an evaluation writes into the folders, but for the store.
func (to folders) files(e *eval.Evaluation) []string {
	var paths []string
	for _, c := range e.Choices {
		if to.tables != "" {
			for _, suffix := range []string{tableSuffix, settingsSuffix, thresholdsSuffix} {
				paths = append(paths, filepath.Join(to.tables, c.Name+suffix))
			}
		}
		if to.means != "" {
			paths = append(paths, filepath.Join(to.means, c.Name+tableSuffix))
		}
	}
	return paths
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
		if err := save(output, e, results); err != nil {
			return err
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

// save writes for each method METHOD.csv, METHOD.json and, where scores are kept,
// METHOD.thresholds.csv.
func save(dir string, e *eval.Evaluation, results []eval.Result) error {
	for _, r := range results {
		var table bytes.Buffer
		if err := metrics.WriteCSV(&table, metrics.Lines(r.Table)); err != nil {
			return err
		}
		if err := writeFile(dir, r.Method+tableSuffix, table.Bytes()); err != nil {
			return err
		}
		text, err := json.MarshalIndent(methodSettings{json.RawMessage(r.Settings), r.Notes, r.Trials}, "", "  ")
		if err != nil {
			return err
		}
		if err := writeFile(dir, r.Method+settingsSuffix, append(text, '\n')); err != nil {
			return err
		}
		if err := saveThresholds(dir, e, r); err != nil {
			return err
		}
	}
	return nil
}

func saveThresholds(dir string, e *eval.Evaluation, r eval.Result) error {
	name := r.Method + thresholdsSuffix
	if e.Store == nil { // those of an earlier evaluation do not belong to this table
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return ascood.Errorf(ascood.Invalid, "--output: %w", err)
		}
		return nil
	}
	all, sets, err := e.Thresholds(r)
	if err != nil {
		return err
	}
	var lines bytes.Buffer
	if err := metrics.WriteThresholdsCSV(&lines, all, sets); err != nil {
		return err
	}
	return writeFile(dir, name, lines.Bytes())
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

func writeFile(dir, name string, content []byte) error {
	if err := atomicfile.WriteFile(filepath.Join(dir, name), content); err != nil {
		return ascood.Errorf(ascood.Invalid, "--output: %w", err)
	}
	return nil
}

// methodSettings is what METHOD.json holds.
type methodSettings struct {
	Settings json.RawMessage `json:"settings"`
	Notes    []string        `json:"notes,omitempty"`
	Searched []eval.Trial    `json:"searched,omitempty"`
}
