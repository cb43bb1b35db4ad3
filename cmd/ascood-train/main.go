// Command ascood-train trains an image classifier that knows what it does not
// know.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/ascood/ascood/gotorch"
	"github.com/ascood/ascood/internal/cli"
	"github.com/ascood/ascood/internal/ort"
	"github.com/ascood/ascood/models"
	"github.com/ascood/ascood/train"
)

const usage = `ascood-train trains an image classifier: with ASCOOD, with one of the methods that
it is compared with, or plainly (--method). It writes best.safetensors (best on the validation images),
last.safetensors (the state to resume from), metrics.csv and config.json to
--output.

  ascood-train --preset waterbirds --data-root data --pretrained resnet18-f37072fd.pth --seeds 0,1,2
  ascood-train --train train.txt --val val.txt --data-dir images \
      --arch resnet18_32x32 --preprocess cifar10 --augment classic --output run
  ascood-train --onnx classifier.onnx --train photos/train --val photos/val \
      --preprocess imagenet --augment largescale --lr 0.01 --epochs 20 --output run
  ascood-train --resume --output run

--onnx trains the network of an ONNX file, from its weights; docs/onnx.md says how to
export one that can be trained well.

A preset is a published experiment: network, preprocessing, hyperparameters and
image lists. Any flag overrides it; --print-config shows what would run and where
each value comes from, --check-data whether all images are there.

Images come as a list of "relative/path label" lines, as a folder with a folder
for each class, as CIFAR's binary files (their folder is the training images) or
as an IDX file of the MNIST family; [FROM:TO] after any of them picks a run of
its images. Defaults are the published hyperparameters; each run prints all of
its own.
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

// flagNames are the flags of settings that have other names in train.Config.
var flagNames = cli.FlagNames{}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	f, err := parse(args, stdout)
	if err == nil {
		err = f.run(ctx, stdout, stderr)
	}
	return flagNames.In(newFlags(train.Default(train.OODGradient), stdout).FlagSet, err)
}

func (f *flags) run(ctx context.Context, stdout, stderr io.Writer) error {
	if f.Changed(checkDevice) {
		return f.reportDevice(stdout, stderr)
	}
	if err := cli.OnlyWith(f.FlagSet, checkDevice, "json"); err != nil {
		return err
	}
	if f.checkData {
		return f.reportData(stdout)
	}
	if f.printConfig {
		f.show(stdout)
		return f.check()
	}
	if err := f.check(); err != nil {
		return err
	}
	f.show(stderr)
	if odd := models.OddSize(f.config.Arch, f.config.Preprocess.ImageSize); odd != "" {
		fmt.Fprintf(stderr, "Note: %s.\n", odd)
	}
	shown := newProgress(stderr, cli.IsTerminal(stderr))
	defer shown.end()
	f.options.Log, f.options.Report, f.options.ONNX = cli.Logger(stderr), shown.report, ort.Evaluate
	err := f.train(ctx)
	return advise(err)
}

// advise says how to go on after an error that a run can be resumed from.
func advise(err error) error {
	var output string
	if stopped, ok := errors.AsType[*train.Interruption](err); ok {
		output = stopped.Output
	}
	if lost, ok := errors.AsType[*train.DeviceLost](err); ok && lost.Saved != "" {
		output = lost.Output
	}
	if output == "" {
		return err
	}
	return fmt.Errorf("%w; to go on: ascood-train --resume --output %s", err, output)
}
