package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/eval"
	"github.com/ascood/ascood/eval/posthoc"
)

// report prints a table for each method.
func report(w io.Writer, e *eval.Evaluation, results []eval.Result) error {
	for i, r := range results {
		if i > 0 {
			fmt.Fprintln(w)
		}
		name := r.Method
		if settings := posthoc.Describe(r.Settings); settings != "" {
			name += " (" + settings + ")"
		}
		if n := len(r.Trials); n > 0 {
			name += fmt.Sprintf(", the best of %d settings", n)
		}
		fmt.Fprintf(w, "%s on %s, %d ID images\n", name, e.Network.Info().Name, e.ID.Images.Len())
		if err := eval.WriteTable(w, r.Table); err != nil {
			return err
		}
	}
	return nil
}

// save writes METHOD.csv for each method, and settings.json.
func save(dir string, results []eval.Result) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return ascood.Errorf(ascood.Invalid, "--output: %w", err)
	}
	settings := map[string]methodSettings{}
	for _, r := range results {
		var table bytes.Buffer
		if err := eval.WriteCSV(&table, r.Table); err != nil {
			return err
		}
		if err := write(dir, r.Method+".csv", table.Bytes()); err != nil {
			return err
		}
		settings[r.Method] = describe(r)
	}
	text, err := json.MarshalIndent(settings, "", "  ")
	if err != nil {
		return err
	}
	return write(dir, "settings.json", append(text, '\n'))
}

func write(dir, name string, content []byte) error {
	if err := renameio.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
		return ascood.Errorf(ascood.Invalid, "--output: %w", err)
	}
	return nil
}

// methodSettings is a method in settings.json.
type methodSettings struct {
	Settings json.RawMessage `json:"settings"`
	Searched []trial         `json:"searched,omitempty"`
}

// trial is one of the settings that were searched; Error says why they could not
// be tried.
type trial struct {
	Settings json.RawMessage `json:"settings"`
	AUROC    float64         `json:"auroc,omitempty"`
	Error    string          `json:"error,omitempty"`
}

func describe(r eval.Result) methodSettings {
	m := methodSettings{Settings: json.RawMessage(r.Settings)}
	for _, t := range r.Trials {
		tried := trial{Settings: json.RawMessage(t.Settings), AUROC: t.AUROC}
		if t.Err != nil {
			tried.Error = t.Err.Error()
		}
		m.Searched = append(m.Searched, tried)
	}
	return m
}
