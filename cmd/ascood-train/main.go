// Command ascood-train trains an image classifier that knows what it does not
// know.
package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/ascood/ascood/gotorch"
	"github.com/ascood/ascood/internal/cli"
	"github.com/ascood/ascood/models"
	"github.com/ascood/ascood/train"
)

const usage = `ascood-train trains an image classifier with ASCOOD, or with plain cross-entropy
for comparison. It writes best.safetensors (best on the validation images),
last.safetensors (the state to resume from) and metrics.csv to --output.

  ascood-train --train train.txt --val val.txt --data-dir images \
      --arch resnet18_32x32 --preprocess cifar10 --augment classic --output run
  ascood-train --resume --output run

Images come as a list of "relative/path label" lines, as a folder with a folder
for each class, or as an IDX file of the MNIST family; [FROM:TO] after any of
them picks a run of its images. Defaults are the published hyperparameters; each
run prints all of its own.
`

func main() {
	err := gotorch.ShareCores() // with the goroutines that load images
	cli.Main(func(ctx context.Context, args []string, stdout, stderr io.Writer) error {
		if err != nil {
			return err
		}
		return run(ctx, args, stdout, stderr)
	})
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	f, err := parse(args, stdout)
	if err != nil {
		return err
	}
	f.options.Log = slog.New(slog.NewTextHandler(stderr, nil))
	f.options.Progress, f.options.Bar = stderr, cli.IsTerminal(stderr)
	if err := f.config.Validate(); err != nil {
		return err
	}
	f.print(stderr)
	if f.resume {
		return train.Resume(ctx, f.options)
	}
	return train.Run(ctx, f.config, f.options)
}

// flags are the command line.
type flags struct {
	*pflag.FlagSet
	config  train.Config
	options train.Options
	pre     *cli.PreprocessFlags
	resume  bool
}

// parse reads the command line. What is not said has the published value for
// the kind of outliers or, to resume, the run's own; saying something else than
// the run's own is an error.
func parse(args []string, stdout io.Writer) (*flags, error) {
	f := newFlags(train.Default(train.OODGradient), stdout)
	if err := cli.Parse(f.FlagSet, args, false); err != nil {
		return nil, err
	}
	defaults := train.Default(f.config.OODType)
	if f.resume {
		if err := cli.Require(f.FlagSet, "output"); err != nil {
			return nil, err
		}
		var err error
		if defaults, err = train.ReadConfig(f.options.Output); err != nil {
			return nil, err
		}
	}
	f = newFlags(defaults, stdout)
	if err := cli.Parse(f.FlagSet, args, false); err != nil {
		return nil, err
	}
	return f, f.settle(defaults)
}

func newFlags(defaults train.Config, stdout io.Writer) *flags {
	f := &flags{config: defaults, FlagSet: cli.NewFlags("ascood-train", usage, stdout)}
	f.data()
	f.hyperparameters()
	f.StringVarP(&f.options.Output, "output", "o", "", "`folder` for the run's files")
	f.BoolVar(&f.resume, "resume", false, "continue the run in --output with its own configuration")
	f.StringVar(&f.options.Device, "device", "cpu", "cpu, cuda, cuda:N, or auto for CUDA where it can be had")
	f.IntVar(&f.options.Threads, "threads", 0, "processor threads of the network; 0 is one a core")
	f.IntVar(&f.options.Workers, "workers", 0, "images that are loaded at the same time; 0 is one a core")
	return f
}

// data defines the flags on what to train on.
func (f *flags) data() {
	c := &f.config
	f.StringVar(&c.Train, "train", c.Train, "training images: list, folder or IDX `file`")
	f.StringVar(&c.Val, "val", c.Val, "validation images: list, folder or IDX `file`")
	f.StringVar(&c.DataDir, "data-dir", c.DataDir, "`folder` that the paths of an image list start from (default: the list's own)")
	f.StringVar(&c.Classes, "classes", c.Classes, "`file` with one class name a line (default: the class folders' names, or the labels' numbers)")
	f.IntVar(&c.TrainLimit, "train-limit", c.TrainLimit, "train on so many random images only; 0 is all")
	f.IntVar(&c.ValLimit, "val-limit", c.ValLimit, "validate on so many random images only; 0 is all")
	f.pre = cli.AddPreprocess(f.FlagSet)
	f.StringVar(&c.Augment, "augment", c.Augment, "augmentation of training images: none, classic (flip, shift by up to 4 pixels), largescale (random resized crop, flip)")
}

// onlyASCOOD begins the usage of flags that do nothing with another --method.
const onlyASCOOD = "ascood: "

// hyperparameters defines the flags on how to train.
func (f *flags) hyperparameters() {
	c := &f.config
	f.StringVar(&c.Method, "method", c.Method, "ascood, or ce for the plain classifier")
	f.StringVar(&c.Arch, "arch", c.Arch, "architecture: "+strings.Join(models.Archs(), ", "))
	f.IntVar(&c.Width, "width", c.Width, "channels of the first convolution; 0 is the architecture's own")
	f.Float64Var(&c.Sigma, "sigma", c.Sigma, onlyASCOOD+"scale of the standardised feature")
	f.StringVar(&c.OODType, "ood-type", c.OODType, onlyASCOOD+"type of the outliers: "+strings.Join(train.OODTypes(), ", "))
	f.Float64Var(&c.PInv, "p-inv", c.PInv, onlyASCOOD+"share of the image, its most salient part, that outliers change")
	f.Float64Var(&c.W, "w", c.W, onlyASCOOD+"weight of the outliers' loss")
	f.Float64Var(&c.AlphaMin, "alpha-min", c.AlphaMin, onlyASCOOD+"strength of the outliers in the last epoch (published: 30 for gradient, 0.1 for gaussian)")
	f.Float64Var(&c.AlphaMax, "alpha-max", c.AlphaMax, onlyASCOOD+"strength that the first epoch starts below (published: 300 for gradient, 0.1 for gaussian)")
	f.IntVar(&c.Epochs, "epochs", c.Epochs, "passes over the training images")
	f.IntVar(&c.BatchSize, "batch-size", c.BatchSize, "images a step; the last of an epoch may have fewer")
	f.Float64Var(&c.LR, "lr", c.LR, "learning rate at the start; it falls along a cosine to 1e-6")
	f.Float64Var(&c.FCLRFactor, "fc-lr-factor", c.FCLRFactor, "the last layer's learning rate relative to the others'")
	f.Float64Var(&c.Momentum, "momentum", c.Momentum, "Nesterov momentum")
	f.Float64Var(&c.WeightDecay, "weight-decay", c.WeightDecay, "weight decay, of all parameters")
	f.Uint64Var(&c.Seed, "seed", c.Seed, "decides all that is random")
}

// settle takes over the preprocessing and makes sure that nothing is missing or,
// to resume, that nothing contradicts the run's own configuration.
func (f *flags) settle(own train.Config) error {
	pre, err := f.pre.Config()
	if err != nil {
		return err
	}
	if pre != nil {
		f.config.Preprocess = *pre
	}
	if f.resume {
		return f.contradictions(own)
	}
	return cli.Require(f.FlagSet, "train", "val", "arch", "augment", "output")
}

// Flags that are not part of the configuration, and those that make up one part
// of it together.
var (
	elsewhere     = []string{"output", "resume", "device", "threads", "workers"}
	preprocessing = []string{"preprocess", "pre-size", "image-size", "mean", "std"}
)

// contradictions names the flags that differ from the run's own configuration,
// whose values are the flags' defaults.
func (f *flags) contradictions(own train.Config) error {
	var found []string
	f.Visit(func(p *pflag.Flag) {
		if !slices.Contains(elsewhere, p.Name) && !slices.Contains(preprocessing, p.Name) && p.Value.String() != p.DefValue {
			found = append(found, fmt.Sprintf("--%s %s (the run has %q)", p.Name, p.Value, p.DefValue))
		}
	})
	if f.config.Preprocess != own.Preprocess {
		found = append(found, fmt.Sprintf("preprocessing %+v (the run has %+v)", f.config.Preprocess, own.Preprocess))
	}
	if len(found) > 0 {
		return cli.Usagef("--resume goes on with the run's own configuration, which is contradicted by %s", strings.Join(found, ", "))
	}
	return nil
}

// print shows the configuration that is in effect, as flags.
func (f *flags) print(w io.Writer) {
	f.VisitAll(func(p *pflag.Flag) {
		unused := f.config.Method == train.MethodCE && strings.HasPrefix(p.Usage, onlyASCOOD)
		if !unused && !slices.Contains(preprocessing, p.Name) && p.Name != "resume" && p.Value.String() != "" {
			fmt.Fprintf(w, "  --%s %s\n", p.Name, p.Value)
		}
	})
	if c := f.config.Preprocess; c.ImageSize != 0 {
		fmt.Fprintf(w, "  --pre-size %d --image-size %d --mean %s --std %s\n", c.PreSize, c.ImageSize, list(c.Mean), list(c.Std))
	}
}

func list(v [3]float64) string { return fmt.Sprintf("%g,%g,%g", v[0], v[1], v[2]) }
