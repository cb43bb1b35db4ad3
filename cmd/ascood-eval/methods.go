package main

import (
	"fmt"
	"maps"
	"slices"
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
	text.WriteString("Several with + between them, such as iodin+knn, are one by p-values among the images of --id-val.\n")
	return text.String()
}

// byArtifact reports whether it is the artifact that says what to evaluate.
func (f *flags) byArtifact() bool {
	return !f.fs.Changed("postprocessor") && (f.experiment == nil || f.experiment.Postprocessor == "")
}

// byTraining returns the score that the network's method of training is published with, if
// that says what to evaluate: in a published experiment, and for a checkpoint, which has no
// score of its own.
func (f *flags) byTraining(info artifact.Metadata) (artifact.Published, bool) {
	p, err := artifact.PublishedScore(info.Source.Training)
	decides := err == nil && p.Score.Name != "" && !f.fs.Changed("postprocessor")
	return p, decides && (f.experiment != nil || f.exported)
}

// choices returns the methods asked for; without any, the one that the training or else the
// preset is published with or, failing that, the artifact's own score with its settings.
func (f *flags) choices(info artifact.Metadata) ([]eval.Choice, error) {
	var names []string
	for _, name := range f.methods {
		names = append(names, strings.TrimSpace(name))
	}
	settings, err := posthoc.Assignments(f.settings)
	if err != nil {
		return nil, cli.Usagef("--set %w", err)
	}
	published, byTraining := f.byTraining(info)
	switch {
	case byTraining:
		name := string(published.Score.Name)
		if names = []string{name}; published.Score.Settings != "" && settings[name] == "" {
			settings[name] = published.Score.Settings
		}
	case f.byArtifact():
		return f.ownChoice(info.Score, settings)
	case !f.fs.Changed("postprocessor"):
		names = []string{f.experiment.Postprocessor}
	}
	if len(names) == 0 {
		return nil, cli.Usagef("--postprocessor names no method; known are %s", strings.Join(posthoc.Names(), ", "))
	}
	var choices []eval.Choice
	used := map[string]bool{} // of the settings
	for i, name := range names {
		if slices.Contains(names[:i], name) {
			return nil, cli.Usagef("--postprocessor names %s twice", name)
		}
		c, err := f.choice(name, settings)
		if err != nil {
			return nil, err
		}
		for _, part := range strings.Split(name, "+") {
			used[part] = true
		}
		choices = append(choices, c)
	}
	if f.fs.Changed("combine") && !slices.ContainsFunc(names, func(name string) bool { return strings.Contains(name, "+") }) {
		return nil, cli.Usagef("--combine is for several methods as one, such as iodin+knn")
	}
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		if !used[name] {
			return nil, cli.Usagef("--set %s: it is not among the methods evaluated, %s", name, strings.Join(names, ", "))
		}
	}
	return choices, nil
}

// choice returns a method, or several with "+" between their names, with the settings that
// are given, by method.
func (f *flags) choice(name string, settings map[string]string) (eval.Choice, error) {
	m, err := posthoc.New(name)
	if err != nil {
		return eval.Choice{}, cli.Usagef("--postprocessor: %w", err)
	}
	c := eval.Choice{Entry: eval.Entry{Name: name, Method: m}}
	parts := map[string]posthoc.Method{name: m}
	if combined, ok := m.(*posthoc.Combined); ok {
		if err := combined.By(posthoc.Rule(f.combine)); err != nil {
			return c, cli.Usagef("--combine: %w", err)
		}
		clear(parts)
		for i, part := range combined.Parts {
			parts[combined.Names[i]] = part
		}
	}
	for _, part := range slices.Sorted(maps.Keys(parts)) {
		given, fixed := settings[part]
		if fixed {
			if err := posthoc.Configure(parts[part], given); err != nil {
				return c, cli.Usagef("--set %s: %w", part, err)
			}
			c.Fixed = append(c.Fixed, part)
		}
		c.Search = c.Search || f.search && !fixed && posthoc.Sweep(part) != nil
	}
	return c, nil
}

// ownChoice returns the artifact's own score.
func (f *flags) ownChoice(own artifact.Score, settings map[string]string) ([]eval.Choice, error) {
	name, m, err := posthoc.Of(own)
	if err != nil {
		return nil, err
	}
	if given, ok := settings[name]; ok {
		if err := posthoc.Configure(m, given); err != nil {
			return nil, cli.Usagef("--set %s: %w", name, err)
		}
	}
	delete(settings, name)
	for _, other := range slices.Sorted(maps.Keys(settings)) {
		return nil, cli.Usagef("--set %s: it is not among the methods evaluated, %s", other, name)
	}
	return []eval.Choice{{Entry: eval.Entry{Name: name, Method: m}}}, nil
}
