package main

import (
	"io"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/eval"
	"github.com/ascood/ascood/internal/cli"
	"github.com/ascood/ascood/internal/cli/modelflags"
	"github.com/ascood/ascood/posthoc"
	"github.com/ascood/ascood/preprocess"
	"github.com/ascood/ascood/presets"
)

// flags is what the command line says.
type flags struct {
	fs                       *pflag.FlagSet
	model, results           string
	stateDict                string
	id, root, preset         string
	experiment               *presets.Preset // that preset names; nil without
	fullSpectrum, farExtra   bool
	csid                     []string
	near, far                []string
	methods, settings        []string
	exported                 bool // the network at hand is a checkpoint, which has no score of its own
	combine                  string
	train, validID, validOOD string
	bank, batch              int
	search, save, keep       bool
	single, skipBroken       bool
	compare                  bool
	truncated                preprocess.Truncated
	output, report, plots    string
	ship                     string
	recalibrate              string
	tpr                      float64
	compute                  *modelflags.Compute
}

func newFlags(stdout io.Writer) *flags {
	fs := cli.NewFlags("ascood-eval", usage, stdout)
	f := &flags{fs: fs}
	fs.StringVar(&f.model, "model", "", "artifact `file` that ascood-export wrote")
	fs.StringVar(&f.results, "results", "", "`folder` of training runs s0, s1, …, each with a model.onnx or else a best.safetensors\n"+
		"or a best.ckpt, in place of --model: tables are mean ± standard deviation over them")
	fs.StringVar(&f.stateDict, "state-dict", "", "`key` of the weights in the checkpoints of --results, where several networks lie in each")
	fs.StringVar(&f.id, "id", "", "labelled in-distribution test `images`")
	fs.StringArrayVar(&f.near, "near", nil, "near-OOD images as `name=images`; may be repeated. Beside --preset they are in no average")
	fs.StringArrayVar(&f.far, "far", nil, "far-OOD images as `name=images`; likewise")
	fs.StringVar(&f.root, "data-root", "", "`folder` that the paths of image lists start from (default: the list's own); with --preset\n"+
		"the folder in OpenOOD's layout that holds benchmark_imglist/")
	fs.StringVar(&f.preset, "preset", "", "published `experiment` whose image lists under --data-root are evaluated, in place of the\n"+
		"flags that name images: "+strings.Join(presets.Names(), ", "))
	fs.BoolVar(&f.farExtra, "far-extra", true, "evaluate the preset's far sets that are in an average of their own, too: iSUN of cifar10 and cifar100")
	fs.BoolVar(&f.fullSpectrum, "fsood", false, "count the preset's covariate-shifted images as in-distribution")
	fs.Var(cli.Names(&f.csid), "csid", "covariate-shifted `sets` for --fsood, separated by commas, such as v2,c,r (default: all)")
	fs.BoolVar(&f.compare, "compare", false, "show the preset's published numbers under each row, where they are at hand")
	fs.BoolVar(&f.skipBroken, "skip-broken", false, "leave out images that are missing or cannot be loaded, and count them")
	fs.TextVar(&f.truncated, "truncated", preprocess.Refuse, "`refuse|fill` JPEG, PNG and GIF files that end early, in place of what the model says and of what the preset\n"+
		"is published with, which is fill: PIL's LOAD_TRUNCATED_IMAGES")
	fs.Lookup("truncated").DefValue = "" // there is none
	fs.Var(cli.Names(&f.methods), "postprocessor", "`methods` to evaluate, separated by commas (default: the one that the training or the preset is published with;\n"+
		"without one the artifact's own score)")
	fs.StringVar(&f.combine, "combine", string(posthoc.Fisher), "how the p-values of several methods as one, such as iodin+knn, become one number: fisher or minimum")
	fs.BoolVar(&f.single, "reference-precision", false, "compute the softmax of msp, temp_scaling, gen and klm in float32, as the published code does:\n"+
		"sure images then tie, and FPR@95 may be 100")
	fs.StringArrayVar(&f.settings, "set", nil, "hyperparameter of a method as `method.name=value`; may be repeated")
	fs.StringVar(&f.train, "id-train", "", "labelled training `images`, for the methods that learn from them")
	fs.IntVar(&f.bank, "bank", 0, "take only `N` of the training images, at random; 0 is all")
	fs.StringVar(&f.validID, "id-val", "", "labelled in-distribution validation `images`")
	fs.StringVar(&f.validOOD, "ood-val", "", "OOD validation `images`")
	fs.BoolVar(&f.search, "aps", true, "search the settings of methods that have a published sweep, on the validation images")
	fs.StringVar(&f.output, "output", "", "`folder` for METHOD.csv, METHOD.json (its settings) and what --save-score keeps (default with\n"+
		"--results: ood/ or fsood/ in there, if --save-csv or --save-score is given; scores in each run)")
	fs.BoolVar(&f.save, "save-csv", false, "write the tables, as METHOD.csv, into the output folder; --output alone does so, too")
	fs.BoolVar(&f.keep, "save-score", false, "keep each image's score in the output folder's scores/METHOD/SET.csv, and what methods\n"+
		"learn from in features/; reuse what is there; give thresholds")
	fs.StringVar(&f.report, "report", "", "web page `file` with tables, curves, thresholds and images, complete in itself")
	fs.StringVar(&f.plots, "plots", "", "`folder` for PNG plots: ROC curves and histograms")
	fs.StringVar(&f.ship, "ship", "", "write an artifact `file` that decides by the method that is best on the validation images, calibrated on\n"+
		"the in-distribution ones")
	fs.StringVar(&f.recalibrate, "calibrate", "", "write a new calibration into this artifact `file`, from the --id images, and do nothing else")
	fs.Float64Var(&f.tpr, "tpr", 0.95, "share of the --id images that --calibrate's threshold keeps, of the --id-val images that --ship's does")
	f.compute = modelflags.AddCompute(fs, "cpu")
	fs.IntVar(&f.batch, "batch-size", 0, "images in the network at once; 0 is what suits their size and the device")
	return f
}

func (f *flags) check() error {
	if f.recalibrate != "" {
		return f.checkCalibrate()
	}
	if f.ship == "" {
		if err := cli.OnlyWith(f.fs, "calibrate", "tpr"); err != nil {
			return err
		}
	}
	if err := f.checkModel(); err != nil {
		return err
	}
	if err := cli.OnlyWith(f.fs, "results", "state-dict"); err != nil {
		return err
	}
	if err := f.checkShip(); err != nil {
		return err
	}
	if f.preset != "" {
		if err := f.checkPreset(); err != nil {
			return err
		}
	} else if err := cli.OnlyWith(f.fs, "preset", "fsood", "far-extra", "compare"); err != nil {
		return err
	} else if err := cli.Require(f.fs, "id"); err != nil {
		return err
	}
	if err := cli.OnlyWith(f.fs, "fsood", "csid"); err != nil {
		return err
	}
	switch {
	case f.preset == "" && len(f.near)+len(f.far) == 0:
		return cli.Usagef("no OOD images: give --near or --far")
	case f.batch < 0:
		return cli.Usagef("--batch-size %d: must be at least 1, or 0 for what suits", f.batch)
	case f.save && f.results == "" && f.output == "":
		return cli.Usagef("--save-csv needs --output, the folder to save in")
	case f.keep && f.results == "" && f.output == "":
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

// folders are where an evaluation's files go, each "" if nowhere.
type folders struct {
	tables string // and settings and thresholds
	store  string // scores and features
	means  string // tables over several runs
}

// folders returns those of the evaluation of --model, or of a run of --results.
// Where --output does not say otherwise, the latter's tables go to ood/ or fsood/
// in there, and both share the run's scores, as with OpenOOD.
func (f *flags) folders(run string) folders {
	var to folders
	switch {
	case f.results == "":
		to = folders{tables: f.output, store: f.output}
	case f.output != "":
		to = folders{tables: filepath.Join(f.output, run), store: filepath.Join(f.output, run), means: f.output}
	case f.save || f.keep:
		task := "ood"
		if f.fullSpectrum {
			task = "fsood"
		}
		to = folders{tables: filepath.Join(f.results, task, run), store: filepath.Join(f.results, run), means: filepath.Join(f.results, task)}
	}
	if !f.keep {
		to.store = ""
	}
	return to
}

// checkCalibrate reports flags that have no meaning beside --calibrate.
func (f *flags) checkCalibrate() (err error) {
	with := []string{"calibrate", "id", "tpr", "data-root", "skip-broken", "device", "threads", "tf32", "gpu-memory"}
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

// evaluation opens everything that the flags name. Scores are kept under store.
func (f *flags) evaluation(n *eval.Network, store string) (*eval.Evaluation, error) {
	e := &eval.Evaluation{Network: n, BatchSize: f.batch, ReferencePrecision: f.single, SkipBroken: f.skipBroken}
	info := n.Info()
	var err error
	if e.Choices, err = f.choices(info); err != nil {
		return nil, err
	}
	if train, _, _ := e.Learns(); f.bank > 0 && !train {
		return nil, cli.Usagef("--bank %d has no meaning: none of the methods learns from training images", f.bank)
	}
	if f.single && !slices.ContainsFunc(e.Choices, func(c eval.Choice) bool { return posthoc.UseReferencePrecision(c.Entry.Method) }) {
		return nil, cli.Usagef("--reference-precision has no meaning: none of the methods scores by the softmax")
	}
	if store != "" {
		e.Store = &eval.Store{Dir: store}
	}
	if f.experiment != nil {
		return e, f.openPreset(e)
	}
	for _, s := range []struct {
		flag string
		source
		to *eval.Set
	}{
		{"id", source{name: "id", path: f.id, classes: info.Classes}, &e.ID},
		{"id-train", source{path: f.train, classes: info.Classes, bank: f.bank}, &e.Train},
		{"id-val", source{path: f.validID, classes: info.Classes}, &e.ValidID},
		{"ood-val", source{path: f.validOOD}, &e.ValidOOD},
	} {
		s.root = f.root
		if *s.to, err = f.openNamed(s.flag, s.source); err != nil {
			return nil, err
		}
	}
	if e.Near, err = f.openSets("near", f.near, f.root); err != nil {
		return nil, err
	}
	e.Far, err = f.openSets("far", f.far, f.root)
	return e, err
}
