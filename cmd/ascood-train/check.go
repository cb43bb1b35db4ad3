package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/internal/cli"
	"github.com/ascood/ascood/preprocess"
	"github.com/ascood/ascood/presets"
	"github.com/ascood/ascood/train"
)

// check reports what is missing or impossible before anything is done.
func (f *flags) check() error {
	if f.resume {
		return f.config.Validate() // of the run to resume, not of the command line
	}
	if p := f.base.preset; p != nil {
		if err := f.checkPreset(p); err != nil {
			return err
		}
	}
	if missing := f.missing(); len(missing) > 0 {
		return cli.Usagef("missing:\n  %s", strings.Join(missing, "\n  "))
	}
	if err := f.config.Validate(); err != nil {
		return cli.Usagef("%w", err)
	}
	return nil
}

// missing returns the flags without which there is no run, each with what it
// says.
func (f *flags) missing() []string {
	var missing []string
	for _, name := range []string{"train", "val", "arch", "preprocess", "augment", "output"} {
		flag := f.Lookup(name)
		if name == "arch" && f.config.ONNX != "" {
			continue
		}
		if name == "preprocess" && f.config.Preprocess != (preprocess.Config{}) || flag.Value.String() != "" {
			continue
		}
		_, usage := pflag.UnquoteUsage(flag)
		if name == "preprocess" {
			usage += "; or --pre-size, --image-size, --mean and --std"
		}
		missing = append(missing, fmt.Sprintf("--%s: %s", name, usage))
	}
	return missing
}

// checkPreset looks for what a preset leaves to the user, and for its images.
func (f *flags) checkPreset(p *presets.Preset) error {
	var lists []presets.Role
	if !f.Changed("train") {
		lists = append(lists, presets.Train)
	}
	if !f.Changed("val") {
		lists = append(lists, presets.Val)
	}
	if slices.Contains(train.Exposed(), f.config.Method) && !f.Changed("outliers") {
		lists = append(lists, presets.Outliers)
	}
	needed := len(lists) > 0 && len(p.Sets) > 0
	switch {
	case needed && f.dataRoot == "":
		return cli.Usagef("--data-root is missing: the folder of the lists and images of preset %s; with --check-data it is told how it must look", p.Name)
	case p.Pretrained != "" && f.config.ONNX == "" && !f.Changed("pretrained"):
		return cli.Usagef("--pretrained is missing: preset %s starts from the weights of %s; give their file, or none to start from random ones", p.Name, p.Pretrained)
	case needed:
		return p.CheckData(f.dataRoot, lists...).Err()
	}
	return nil
}

// reportData prints what there is of the preset's images. It fails if that is
// not all.
func (f *flags) reportData(w io.Writer) error {
	p := f.base.preset
	if p == nil || f.dataRoot == "" {
		return cli.Usagef("--check-data looks for a preset's images: give --preset and --data-root")
	}
	var roles []presets.Role // nil: all that most methods need
	if slices.Contains(train.Exposed(), f.config.Method) {
		roles = presets.Roles()
	}
	report := p.CheckData(f.dataRoot, roles...)
	fmt.Fprint(w, report)
	if report.Err() != nil {
		return ascood.Errorf(ascood.Invalid, "the data of preset %s is not complete", p.Name)
	}
	return nil
}

const checkDevice = "check-device"

// reportDevice prints how training on a device compares with the CPU's. It fails if
// they are too far apart.
func (f *flags) reportDevice(stdout, stderr io.Writer) error {
	if err := cli.OnlyBeside(f.FlagSet, checkDevice, "json", "threads"); err != nil {
		return err
	}
	f.options.Log = cli.Logger(stderr)
	report, err := train.CheckDevice(f.checked, f.options)
	if err != nil {
		return err
	}
	return report.Print(stdout, f.json)
}
