package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
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
	"github.com/ascood/ascood/presets"
)

// flags is what the command line says.
type flags struct {
	fs                       *pflag.FlagSet
	model, results           string
	id, root, preset         string
	fullSpectrum             bool
	near, far                []string
	methods, settings        []string
	train, validID, validOOD string
	bank, batch, threads     int
	search, save, keep       bool
	output, report, plots    string
	recalibrate              string
	tpr                      float64
	device                   *string
}

func newFlags(stdout io.Writer) *flags {
	fs := cli.NewFlags("ascood-eval", usage, stdout)
	f := &flags{fs: fs}
	fs.StringVar(&f.model, "model", "", "artifact `file` that ascood-export wrote")
	fs.StringVar(&f.results, "results", "", "`folder` of training runs s0, s1, …, each with a model.onnx, a best.safetensors or a best.ckpt,\nin place of --model: tables are mean ± standard deviation over them")
	fs.StringVar(&f.id, "id", "", "labelled in-distribution test `images`")
	fs.StringArrayVar(&f.near, "near", nil, "near-OOD images as `name=images`; may be repeated")
	fs.StringArrayVar(&f.far, "far", nil, "far-OOD images as `name=images`; may be repeated")
	fs.StringVar(&f.root, "data-root", "", "`folder` that the paths of image lists start from (default: the list's own)")
	fs.StringVar(&f.preset, "preset", "", "published experiment whose image lists under --data-root are evaluated, in place of the\nflags that name images: "+strings.Join(presets.Names(), ", "))
	fs.BoolVar(&f.fullSpectrum, "fsood", false, "count the preset's covariate-shifted images as in-distribution")
	fs.StringSliceVar(&f.methods, "postprocessor", nil, "`methods` to evaluate, separated by commas (default: the artifact's own score)")
	fs.StringArrayVar(&f.settings, "set", nil, "hyperparameter of a method as `method.name=value`; may be repeated")
	fs.StringVar(&f.train, "id-train", "", "labelled training `images`, for the methods that learn from them")
	fs.IntVar(&f.bank, "bank", 0, "take only `N` of the training images, at random; 0 is all")
	fs.StringVar(&f.validID, "id-val", "", "labelled in-distribution validation `images`")
	fs.StringVar(&f.validOOD, "ood-val", "", "OOD validation `images`")
	fs.BoolVar(&f.search, "aps", true, "search the settings of methods that have a published sweep, on the validation images")
	fs.StringVar(&f.output, "output", "", "`folder` for METHOD.csv, METHOD.json (its settings) and what --save-score keeps (default with --results:\nood or, with --fsood, fsood in there, if --save-csv or --save-score is given)")
	fs.BoolVar(&f.save, "save-csv", false, "write the tables, as METHOD.csv, into the output folder; --output alone does so, too")
	fs.BoolVar(&f.keep, "save-score", false, "keep each image's score in the output folder's scores/METHOD/SET.csv, and what methods\nlearn from in features/; reuse what is there; give thresholds")
	fs.StringVar(&f.report, "report", "", "web page `file` with tables, curves, thresholds and images, complete in itself")
	fs.StringVar(&f.plots, "plots", "", "`folder` for PNG plots: ROC curves and histograms")
	fs.StringVar(&f.recalibrate, "calibrate", "", "write a new calibration into this artifact `file`, from the --id images, and do nothing else")
	fs.Float64Var(&f.tpr, "tpr", 0.95, "share of the --id images that --calibrate's threshold keeps")
	f.device = cli.AddDevice(fs, "cpu")
	fs.IntVar(&f.threads, "threads", 0, "processor threads to use; 0 is one a core")
	fs.IntVar(&f.batch, "batch-size", 0, "images in the network at once; 0 is what suits their size and the device")
	return f
}

func (f *flags) check() error {
	if f.recalibrate != "" {
		return f.checkCalibrate()
	}
	if err := cli.OnlyWith(f.fs, "calibrate", "tpr"); err != nil {
		return err
	}
	if err := f.checkModel(); err != nil {
		return err
	}
	if f.preset != "" {
		if err := f.checkPreset(); err != nil {
			return err
		}
	} else if err := cli.Require(f.fs, "id"); err != nil {
		return err
	}
	switch {
	case f.preset == "" && f.fullSpectrum:
		return cli.Usagef("--fsood needs --preset, which says what images are covariate-shifted")
	case f.preset == "" && len(f.near)+len(f.far) == 0:
		return cli.Usagef("no OOD images: give --near or --far")
	case f.batch < 0:
		return cli.Usagef("--batch-size %d: must be at least 1, or 0 for what suits", f.batch)
	case f.save && f.folder() == "":
		return cli.Usagef("--save-csv needs --output, the folder to save in")
	case f.keep && f.folder() == "":
		return cli.Usagef("--save-score needs --output, the folder to save in")
	case f.bank < 0:
		return cli.Usagef("--bank %d: must be at least 1, or 0 for all training images", f.bank)
	}
	return nil
}

// checkModel reports whether it is clear what to evaluate.
func (f *flags) checkModel() error {
	switch {
	case f.results == "":
		return cli.Require(f.fs, "model")
	case f.model != "":
		return cli.Usagef("--model or --results, not both")
	case f.report != "" || f.plots != "":
		return cli.Usagef("--report and --plots show one model: give --model in place of --results")
	}
	return nil
}

// folder is where results are written to, "" if nowhere.
func (f *flags) folder() string {
	switch {
	case f.output != "" || f.results == "" || !f.save && !f.keep:
		return f.output
	case f.fullSpectrum:
		return filepath.Join(f.results, "fsood")
	}
	return filepath.Join(f.results, "ood")
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
	if err := artifact.CheckCalibration(math.MaxInt, f.tpr); err != nil {
		return cli.Usagef("--tpr: %w", err)
	}
	return cli.Require(f.fs, "id")
}

// evaluation opens everything that the flags name; output is its folder.
func (f *flags) evaluation(n *eval.Network, output string) (*eval.Evaluation, error) {
	e := &eval.Evaluation{Network: n, BatchSize: f.batch}
	var err error
	if e.Choices, err = f.choices(n.Info().Score); err != nil {
		return nil, err
	}
	if train, _, _ := e.Learns(); f.bank > 0 && !train {
		return nil, cli.Usagef("--bank %d has no meaning: none of the methods learns from training images", f.bank)
	}
	if f.keep {
		e.Store = &eval.Store{Dir: output}
	}
	if f.preset != "" {
		return e, f.openPreset(e)
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
	e.ValidOOD, err = f.open("ood-val", "val_ood", f.validOOD)
	return e, err
}

// open opens the dataset that a flag names, under a name of its own.
func (f *flags) open(flag, name, path string) (eval.Set, error) {
	if path == "" {
		return eval.Set{Name: name}, nil
	}
	s, err := f.openUnder(name, path, f.root, flag == "id-train")
	if err == nil {
		err = preprocess.CheckFiles(s.Images) // not after hours of other sets
	}
	if err != nil {
		return s, ascood.Errorf(ascood.Invalid, "--%s: %w", flag, err)
	}
	return s, nil
}

// openUnder opens a dataset; of training images a sample, if one was asked for.
func (f *flags) openUnder(name, path, root string, train bool) (eval.Set, error) {
	s := eval.Set{Name: name}
	var err error
	if s.Images, err = preprocess.Open(path, root); err != nil {
		return s, err
	}
	if train && f.bank > 0 {
		s.Images = sample(s.Images, f.bank)
	}
	if f.keep {
		s.Digest, err = preprocess.Digest(s.Images)
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
	var names []string
	for _, name := range f.methods {
		names = append(names, strings.TrimSpace(name))
	}
	settings, err := f.parseSettings()
	if err != nil {
		return nil, err
	}
	if !f.fs.Changed("postprocessor") {
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
			Method: eval.Method{Name: name, Method: m},
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
		if !ok || !dotted || !json.Valid([]byte(value)) {
			return nil, cli.Usagef("--set %s: want method.name=value, such as knn.k=50", s)
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
	case s.Method == artifact.MethodMSP && s.Temperature == 1:
		return "msp", map[string]json.RawMessage{}, nil
	case s.Method == artifact.MethodMSP:
		return "temp_scaling", map[string]json.RawMessage{"temperature": number(s.Temperature)}, nil
	}
	return string(s.Method), map[string]json.RawMessage{"temperature": number(s.Temperature), "noise": number(s.Noise)}, s.Validate()
}
