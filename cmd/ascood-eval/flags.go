package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/eval"
	"github.com/ascood/ascood/eval/posthoc"
	"github.com/ascood/ascood/internal/cli"
	"github.com/ascood/ascood/preprocess"
)

// flags are those that say what is evaluated.
type flags struct {
	fs                       *pflag.FlagSet
	model, id, root, output  string
	near, far                []string
	methods, settings        []string
	train, validID, validOOD string
	bank, batch              int
	search, keep             bool
	report, plots            string
	recalibrate              string
	tpr                      float64
}

func (f *flags) check() error {
	if f.recalibrate != "" {
		return f.checkCalibrate()
	}
	if err := cli.Require(f.fs, "model", "id"); err != nil {
		return err
	}
	switch {
	case len(f.near)+len(f.far) == 0:
		return cli.Usagef("no OOD images: give --near or --far")
	case f.batch < 1:
		return cli.Usagef("--batch-size %d: must be at least 1", f.batch)
	case f.keep && f.output == "":
		return cli.Usagef("--save-score needs --output, the folder to save in")
	case f.bank < 0:
		return cli.Usagef("--bank %d: must be at least 1, or 0 for all training images", f.bank)
	}
	return nil
}

// checkCalibrate reports flags that have no meaning beside --calibrate.
func (f *flags) checkCalibrate() (err error) {
	with := []string{"calibrate", "id", "tpr", "data-root", "device", "threads"}
	f.fs.Visit(func(given *pflag.Flag) {
		if err == nil && !slices.Contains(with, given.Name) {
			err = cli.Usagef("--%s has no meaning beside --calibrate", given.Name)
		}
	})
	if err != nil {
		return err
	}
	return cli.Require(f.fs, "id")
}

// evaluation opens everything that the flags name.
func (f *flags) evaluation(n *eval.Network) (*eval.Evaluation, error) {
	e := &eval.Evaluation{Network: n, BatchSize: f.batch}
	var err error
	if e.Choices, err = f.choices(n.Info().Score); err != nil {
		return nil, err
	}
	if e.ID, err = f.open("id", "id", f.id); err != nil {
		return nil, err
	}
	if e.Near, err = f.openSets("near", f.near); err != nil {
		return nil, err
	}
	if e.Far, err = f.openSets("far", f.far); err != nil {
		return nil, err
	}
	if e.Train, err = f.open("id-train", "train", f.train); err != nil {
		return nil, err
	}
	if e.ValidID, err = f.open("id-val", "val_id", f.validID); err != nil {
		return nil, err
	}
	if e.ValidOOD, err = f.open("ood-val", "val_ood", f.validOOD); err != nil {
		return nil, err
	}
	if f.keep {
		e.Store = &eval.Store{Dir: filepath.Join(f.output, "scores")}
	}
	return e, nil
}

// open opens the dataset that a flag names, under a name of its own; of training
// images a sample, if one was asked for.
func (f *flags) open(flag, name, path string) (eval.Set, error) {
	s := eval.Set{Name: name}
	if path == "" {
		return s, nil
	}
	d, err := preprocess.Open(path, f.root)
	if err == nil && d.Len() == 0 {
		err = ascood.Errorf(ascood.Invalid, "%s holds no images", path)
	}
	if err != nil {
		return s, ascood.Errorf(ascood.Invalid, "--%s: %w", flag, err)
	}
	if flag == "id-train" && f.bank > 0 {
		d = sample(d, f.bank)
	}
	s.Images = d
	if f.keep {
		s.Digest, err = eval.Digest(path, d)
	}
	return s, err
}

// openSets opens what a flag names as name=path.
func (f *flags) openSets(flag string, specs []string) ([]eval.Set, error) {
	var sets []eval.Set
	for _, spec := range specs {
		name, path, ok := strings.Cut(spec, "=")
		if !ok || path == "" || name == "" || name != filepath.Base(name) {
			return nil, cli.Usagef("--%s %s: want name=images", flag, spec)
		}
		s, err := f.open(flag+" "+name, name, path)
		if err != nil {
			return nil, err
		}
		sets = append(sets, s)
	}
	return sets, nil
}

// sample picks n images, the same ones each time.
func sample(d preprocess.Dataset, n int) preprocess.Dataset {
	if n >= d.Len() {
		return d
	}
	picked := rand.New(rand.NewPCG(1, 1)).Perm(d.Len())[:n]
	slices.Sort(picked)
	return preprocess.Subset(d, picked)
}

// choices returns the methods asked for; without any, the artifact's own score
// with its settings.
func (f *flags) choices(own artifact.Score) ([]eval.Choice, error) {
	names := f.methods
	settings, err := f.parseSettings()
	if err != nil {
		return nil, err
	}
	if names == nil {
		name, given, err := ownMethod(own)
		if err != nil {
			return nil, err
		}
		names = []string{name}
		maps.Copy(given, settings[name])
		settings[name] = given
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
			Method: eval.Method{Name: name, Method: m},
			Search: f.search && !fixed && posthoc.Sweep(name) != nil,
		})
	}
	for name := range settings {
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
		if !ok || !dotted || !json.Valid([]byte(value)) {
			return nil, cli.Usagef("--set %s: want method.name=value, such as knn.k=50", s)
		}
		if all[method] == nil {
			all[method] = map[string]json.RawMessage{}
		}
		all[method][name] = json.RawMessage(value)
	}
	return all, nil
}

// ownMethod returns the method that an artifact's score is, and its settings.
func ownMethod(s artifact.Score) (string, map[string]json.RawMessage, error) {
	number := func(v float64) json.RawMessage { return json.RawMessage(fmt.Sprint(v)) }
	switch {
	case s.Method == artifact.MethodMSP && s.Temperature == 1:
		return "msp", map[string]json.RawMessage{}, nil
	case s.Method == artifact.MethodMSP:
		return "temp_scaling", map[string]json.RawMessage{"temperature": number(s.Temperature)}, nil
	}
	return string(s.Method), map[string]json.RawMessage{"temperature": number(s.Temperature), "noise": number(s.Noise)}, s.Validate()
}
