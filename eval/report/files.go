package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/eval"
	"github.com/ascood/ascood/internal/atomicfile"
	"github.com/ascood/ascood/metrics"
)

// Files of a method are its name and one of these.
const (
	tableSuffix      = ".csv"
	settingsSuffix   = ".json"
	thresholdsSuffix = ".thresholds.csv"
)

// Files are those that Save writes to a folder for an evaluation; none where dir is
// empty.
func Files(dir string, e *eval.Evaluation) []string {
	return files(dir, e, tableSuffix, settingsSuffix, thresholdsSuffix)
}

// MeanFiles are those that SaveMean writes, likewise.
func MeanFiles(dir string, e *eval.Evaluation) []string { return files(dir, e, tableSuffix) }

func files(dir string, e *eval.Evaluation, suffixes ...string) []string {
	if dir == "" {
		return nil
	}
	var paths []string
	for _, c := range e.Choices {
		for _, suffix := range suffixes {
			paths = append(paths, filepath.Join(dir, c.Name+suffix))
		}
	}
	return paths
}

// Save writes to a folder for each method METHOD.csv, the table as OpenOOD writes
// it, METHOD.json, its settings and how they were found, and, where scores are kept,
// METHOD.thresholds.csv.
func Save(dir string, e *eval.Evaluation, results []eval.Result) error {
	network, err := e.Network.Identity()
	if err != nil {
		return err
	}
	for _, r := range results {
		if err := saveTable(dir, r.Method, metrics.Lines(r.Table, e.SkipBroken)); err != nil {
			return err
		}
		text, err := json.MarshalIndent(Settings{json.RawMessage(r.Settings), r.Notes, r.Trials, network}, "", "  ")
		if err != nil {
			return err
		}
		if err := write(dir, r.Method+settingsSuffix, append(text, '\n')); err != nil {
			return err
		}
		if err := saveThresholds(dir, e, r); err != nil {
			return err
		}
	}
	return nil
}

// SaveMean writes a method's table over several runs to a folder, as METHOD.csv.
func SaveMean(dir, method string, lines []metrics.Line) error { return saveTable(dir, method, lines) }

func saveTable(dir, method string, lines []metrics.Line) error {
	var table bytes.Buffer
	if err := metrics.WriteCSV(&table, lines); err != nil {
		return err
	}
	return write(dir, method+tableSuffix, table.Bytes())
}

func saveThresholds(dir string, e *eval.Evaluation, r eval.Result) error {
	name := r.Method + thresholdsSuffix
	if e.Store == nil { // those of an earlier evaluation do not belong to this table
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return ascood.Errorf(ascood.Invalid, "%w", err)
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
	return write(dir, name, lines.Bytes())
}

func write(dir, name string, content []byte) error {
	if err := atomicfile.WriteFile(filepath.Join(dir, name), content); err != nil {
		return ascood.Errorf(ascood.Invalid, "%w", err)
	}
	return nil
}

// Settings is what METHOD.json holds.
type Settings struct {
	Settings json.RawMessage `json:"settings"`
	Notes    []string        `json:"notes,omitempty"`
	Searched []eval.Trial    `json:"searched,omitempty"`
	Network  string          `json:"network"` // that they were found for, as eval.Network.Identity has it
}
