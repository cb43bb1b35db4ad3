package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/ascood/ascood/internal/cli"
	"github.com/ascood/ascood/internal/cli/imageflags"
	"github.com/ascood/ascood/presets"
	"github.com/ascood/ascood/train"
)

// base is the configuration that the flags change: that of the run to resume,
// that of a preset, or the defaults.
type base struct {
	config train.Config
	preset *presets.Preset // nil for none
	set    []string        // by the preset, as flags
}

// findBase finds out what the flags change.
func (f *flags) findBase() (base, error) {
	switch {
	case f.resume && len(f.seeds) > 0:
		return base{}, cli.Usagef("--resume continues one run: name its folder with --output, without --seeds")
	case f.resume:
		if err := cli.Require(f.FlagSet, "output"); err != nil {
			return base{}, err
		}
		config, err := train.ReadConfig(f.options.Output)
		return base{config: config}, err
	case f.config.Preset != "":
		return f.fromPreset()
	}
	return base{config: train.Default(f.config.OODType)}, nil
}

// fromPreset returns the published values for the method and the type of
// outliers that the flags choose.
func (f *flags) fromPreset() (base, error) {
	p, err := presets.Load(f.config.Preset)
	if err != nil {
		return base{}, err
	}
	choice := presets.Choice{Root: f.dataRoot}
	if f.Changed("method") {
		choice.Method = f.config.Method
	}
	if f.Changed("ood-type") {
		choice.OODType = f.config.OODType
	}
	if f.Changed("pixels") {
		choice.Pixels = f.config.Pixels
	}
	config := train.Default(oodType(p, choice))
	config.Preset = p.Name
	names, err := p.Configure(&config, choice)
	if f.Changed("outliers") { // whose paths do not start where the preset's do
		config.OutlierDir = ""
	}
	for i, name := range names {
		names[i] = strings.ReplaceAll(name, "_", "-")
	}
	return base{config, p, names}, err
}

func oodType(p *presets.Preset, c presets.Choice) string {
	for _, t := range []string{c.OODType, p.OODType()} {
		if t != "" {
			return t
		}
	}
	return train.OODGradient
}

// Flags that are not part of the configuration, and those that make up one part
// of it together.
var (
	elsewhere     = []string{"data-root", "output", "seeds", "resume", "print-config", "check-data", checkDevice, "json", "device", "threads", "workers"}
	preprocessing = imageflags.Flags()
)

// hyperparameter is the value of one as it is now, and before the flags changed it. Those of
// ASCOOD are flags of their own.
func (f *flags) hyperparameter(name string) (now, before string) {
	if p := f.Lookup(strings.ReplaceAll(name, "_", "-")); f.config.Method == train.MethodASCOOD && p != nil {
		return p.Value.String(), p.DefValue
	}
	value := func(c train.Config) string {
		for _, s := range c.Hyperparameters() {
			if v, ok := strings.CutPrefix(s, name+"="); ok {
				return v
			}
		}
		return ""
	}
	return value(f.config), value(f.base.config)
}

// contradictions names the flags that differ from the run's own configuration,
// whose values are the flags' defaults.
func (f *flags) contradictions() error {
	var found []string
	f.Visit(func(p *pflag.Flag) {
		if !slices.Contains(elsewhere, p.Name) && !slices.Contains(preprocessing, p.Name) && p.Name != "set" && p.Value.String() != p.DefValue {
			found = append(found, fmt.Sprintf("--%s %s (the run has %q)", p.Name, p.Value, p.DefValue))
		}
	})
	for _, s := range f.set {
		name, _, _ := strings.Cut(s, "=")
		if now, before := f.hyperparameter(name); now != before {
			found = append(found, fmt.Sprintf("--set %s (the run has %q)", s, before))
		}
	}
	if own := f.base.config.Preprocess; f.config.Preprocess != own {
		found = append(found, fmt.Sprintf("preprocessing %+v (the run has %+v)", f.config.Preprocess, own))
	}
	if len(found) > 0 {
		return cli.Usagef("--resume goes on with the run's own configuration, which is contradicted by %s", strings.Join(found, ", "))
	}
	return nil
}
