package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/pflag"

	"github.com/ascood/ascood/presets"
	"github.com/ascood/ascood/train"
)

// actions are flags that say what to do, not how.
var actions = []string{"resume", "print-config", "check-data", checkDevice, "json", "version"}

// show shows the configuration that is in effect as flags, each after where its
// value comes from.
func (f *flags) show(w io.Writer) {
	if p := f.base.preset; p != nil {
		describe(w, p, f.config.Method)
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	defer table.Flush()
	line := func(name, value string) { fmt.Fprintf(table, "  %s\t--%s %s\n", f.origin(name), name, value) }
	for _, s := range f.config.Hyperparameters() {
		fmt.Fprintf(table, "  %s\t--set %s\n", f.originOfSet(s), s)
	}
	f.VisitAll(func(p *pflag.Flag) {
		if value := p.Value.String(); value != "" && !f.silent(p) {
			line(p.Name, value)
		}
	})
	if c := f.config.Preprocess; c.ImageSize != 0 {
		line("pre-size", fmt.Sprint(c.PreSize))
		line("image-size", fmt.Sprint(c.ImageSize))
		line("mean", list(c.Mean))
		line("std", list(c.Std))
		line("resize", c.Resize.String())
		line("interpolation", c.Interpolation.String())
		line("gray16", c.Gray16.String())
		line("exif-orientation", c.Orientation.String())
		line("truncated", c.Truncated.String())
	}
}

// describe says what a preset is.
func describe(w io.Writer, p *presets.Preset, method string) {
	fmt.Fprintf(w, "preset %s: %s\n", p.Name, p.Title)
	if p.Note != "" {
		fmt.Fprintf(w, "note: %s\n", p.Note)
	}
	if _, compared := p.ByMethod[method]; !compared && !slices.Contains(p.Methods, method) {
		fmt.Fprintf(w, "note: it is published with --method %s, not %s\n", strings.Join(p.Methods, " or "), method)
	}
}

// silent reports whether a flag has no meaning for the run, or is shown
// otherwise.
func (f *flags) silent(p *pflag.Flag) bool {
	return f.config.Method != train.MethodASCOOD && strings.HasPrefix(p.Usage, onlyASCOOD) ||
		len(f.seeds) > 0 && p.Name == "seed" || p.Name == "set" ||
		slices.Contains(preprocessing, p.Name) || slices.Contains(actions, p.Name)
}

func list(v [3]float64) string { return fmt.Sprintf("%g,%g,%g", v[0], v[1], v[2]) }

// originOfSet says where a hyperparameter's value comes from, given as name=value.
func (f *flags) originOfSet(s string) string {
	name, _, _ := strings.Cut(s, "=")
	is := func(given string) bool { return strings.HasPrefix(given, name+"=") }
	switch {
	case slices.ContainsFunc(f.set, is):
		return "flag"
	case f.resume:
		return "the run"
	case f.base.preset != nil && f.base.config.Set.Has(name):
		return "preset " + f.config.Preset
	}
	return "default"
}

// origin says where a flag's value comes from.
func (f *flags) origin(name string) string {
	part := slices.Contains(preprocessing, name)
	switch {
	case f.Changed(name), part && f.Changed("preprocess"):
		return "flag"
	case f.resume && !slices.Contains(elsewhere, name):
		return "the run"
	case slices.Contains(f.base.set, name), part && f.base.preset != nil, name == "output":
		return "preset " + f.config.Preset
	}
	return "default"
}
