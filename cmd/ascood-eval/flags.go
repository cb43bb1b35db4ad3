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
	search                   bool
}

func (f *flags) check() error {
	if err := cli.Require(f.fs, "model", "id"); err != nil {
		return err
	}
	switch {
	case len(f.near)+len(f.far) == 0:
		return cli.Usagef("no OOD images: give --near or --far")
	case f.batch < 1:
		return cli.Usagef("--batch-size %d: must be at least 1", f.batch)
	case f.bank < 0:
		return cli.Usagef("--bank %d: must be at least 1, or 0 for all training images", f.bank)
	}
	return nil
}

// evaluation opens everything that the flags name.
func (f *flags) evaluation(n *eval.Network) (*eval.Evaluation, error) {
	e := &eval.Evaluation{Network: n, BatchSize: f.batch}
	var err error
	if e.Choices, err = f.choices(n.Info().Score); err != nil {
		return nil, err
	}
	if e.ID.Images, err = f.open("id", f.id); err != nil {
		return nil, err
	}
	e.ID.Name = "id"
	if e.Near, err = f.openSets("near", f.near); err != nil {
		return nil, err
	}
	if e.Far, err = f.openSets("far", f.far); err != nil {
		return nil, err
	}
	if e.Train, err = f.open("id-train", f.train); err != nil {
		return nil, err
	}
	if f.bank > 0 && e.Train != nil {
		e.Train = sample(e.Train, f.bank)
	}
	if e.ValidID, err = f.open("id-val", f.validID); err != nil {
		return nil, err
	}
	e.ValidOOD, err = f.open("ood-val", f.validOOD)
	return e, err
}

// open opens the dataset that a flag names; nil if it names none.
func (f *flags) open(flag, path string) (preprocess.Dataset, error) {
	if path == "" {
		return nil, nil
	}
	d, err := preprocess.Open(path, f.root)
	if err == nil && d.Len() == 0 {
		err = ascood.Errorf(ascood.Invalid, "%s holds no images", path)
	}
	if err != nil {
		return nil, ascood.Errorf(ascood.Invalid, "--%s: %w", flag, err)
	}
	return d, nil
}

// openSets opens what a flag names as name=path.
func (f *flags) openSets(flag string, specs []string) ([]eval.Set, error) {
	var sets []eval.Set
	for _, spec := range specs {
		name, path, ok := strings.Cut(spec, "=")
		if !ok || path == "" || name == "" || name != filepath.Base(name) {
			return nil, cli.Usagef("--%s %s: want name=images", flag, spec)
		}
		d, err := f.open(flag+" "+name, path)
		if err != nil {
			return nil, err
		}
		sets = append(sets, eval.Set{Name: name, Images: d})
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
