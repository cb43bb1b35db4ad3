package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/eval"
	"github.com/ascood/ascood/internal/cli"
	"github.com/ascood/ascood/posthoc"
)

// methodsHelp lists the methods, and what images they need.
func methodsHelp() string {
	var train, validID, searched []string
	for _, name := range posthoc.Names() {
		m, err := posthoc.New(name)
		if err != nil {
			continue // it is one of the names
		}
		if m.Needs().Train {
			train = append(train, name)
		}
		if m.Needs().ValidID {
			validID = append(validID, name)
		}
		if posthoc.Sweep(name) != nil {
			searched = append(searched, name)
		}
	}
	var text strings.Builder
	for _, line := range []struct {
		what  string
		names []string
	}{
		{"Methods", posthoc.Names()}, {"Learn from --id-train", train}, {"Learn from --id-val", validID},
		{"Searched on --id-val and --ood-val", searched},
	} {
		fmt.Fprintf(&text, "%s: %s.\n", line.what, strings.Join(line.names, ", "))
	}
	return text.String()
}

// byArtifact reports whether it is the artifact that says what to evaluate.
func (f *flags) byArtifact() bool {
	return !f.fs.Changed("postprocessor") && (f.experiment == nil || f.experiment.Postprocessor == "")
}

// choices returns the methods asked for; without any, the one that the preset is
// published with or, failing that, the artifact's own score with its settings.
func (f *flags) choices(own artifact.Score) ([]eval.Choice, error) {
	var names []string
	for _, name := range f.methods {
		names = append(names, strings.TrimSpace(name))
	}
	settings, err := f.parseSettings()
	if err != nil {
		return nil, err
	}
	if !f.fs.Changed("postprocessor") && !f.byArtifact() {
		names = []string{f.experiment.Postprocessor}
	}
	if f.byArtifact() {
		name, given, err := ownMethod(own)
		if err != nil {
			return nil, err
		}
		names = []string{name}
		maps.Copy(given, settings[name])
		settings[name] = given
	}
	if len(names) == 0 {
		return nil, cli.Usagef("--postprocessor names no method; known are %s", strings.Join(posthoc.Names(), ", "))
	}
	var choices []eval.Choice
	for i, name := range names {
		m, err := posthoc.New(name)
		if err != nil {
			return nil, cli.Usagef("--postprocessor: %w", err)
		}
		if slices.Contains(names[:i], name) {
			return nil, cli.Usagef("--postprocessor names %s twice", name)
		}
		given, fixed := settings[name]
		delete(settings, name)
		if fixed {
			text, err := json.Marshal(given)
			if err != nil {
				return nil, err
			}
			if err := posthoc.Configure(m, string(text)); err != nil {
				return nil, cli.Usagef("--set %s: %w", name, err)
			}
		}
		choices = append(choices, eval.Choice{
			Entry:  eval.Entry{Name: name, Method: m},
			Search: f.search && !fixed && posthoc.Sweep(name) != nil,
		})
	}
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		return nil, cli.Usagef("--set %s: it is not among the methods evaluated, %s", name, strings.Join(names, ", "))
	}
	return choices, nil
}

// parseSettings reads method.name=value flags.
func (f *flags) parseSettings() (map[string]map[string]json.RawMessage, error) {
	all := map[string]map[string]json.RawMessage{}
	for _, s := range f.settings {
		key, value, ok := strings.Cut(s, "=")
		method, name, dotted := strings.Cut(key, ".")
		if !ok || !dotted {
			return nil, cli.Usagef("--set %s: want method.name=value, such as knn.k=50", s)
		}
		// All settings are numbers, or true or false, in JSON's form.
		if _, err := strconv.ParseFloat(value, 64); value != "true" && value != "false" && (err != nil || !json.Valid([]byte(value))) {
			return nil, cli.Usagef("--set %s: %q is not a number, nor true or false", key, value)
		}
		if all[method] == nil {
			all[method] = map[string]json.RawMessage{}
		}
		if all[method][name] != nil {
			return nil, cli.Usagef("--set gives %s.%s twice", method, name)
		}
		all[method][name] = json.RawMessage(value)
	}
	return all, nil
}

// ownMethod returns the method that an artifact's score is, and its settings.
func ownMethod(s artifact.Score) (string, map[string]json.RawMessage, error) {
	number := func(v float64) json.RawMessage { return json.RawMessage(fmt.Sprint(v)) }
	switch {
	case s.Name == artifact.ScoreMSP && s.Temperature == 1:
		return "msp", map[string]json.RawMessage{}, nil
	case s.Name == artifact.ScoreMSP:
		return "temp_scaling", map[string]json.RawMessage{"temperature": number(s.Temperature)}, nil
	}
	return string(s.Name), map[string]json.RawMessage{"temperature": number(s.Temperature), "noise": number(s.Noise)}, s.Validate()
}
