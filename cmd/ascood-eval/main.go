// Command ascood-eval measures how well an exported model's scores tell
// in-distribution images from others.
package main

import (
	"context"
	"io"
	"strings"

	"github.com/ascood/ascood/eval"
	"github.com/ascood/ascood/eval/posthoc"
	"github.com/ascood/ascood/eval/report"
	"github.com/ascood/ascood/internal/cli"
	"github.com/ascood/ascood/ioodin"
)

var usage = `ascood-eval scores in-distribution images and sets of others, and prints how well
each method tells them apart: OpenOOD's FPR@95, AUROC, AUPR and accuracy, in percent.

  ascood-eval --model model.onnx --id test.txt --near cifar100=c100.txt --far mnist=mnist.txt --data-root images
  ascood-eval --model model.onnx --id test.txt --far mnist=mnist.txt --data-root images \
      --postprocessor iodin,knn,vim --id-train train.txt --id-val val.txt --ood-val tin.txt --output results
  ascood-eval --calibrate model.onnx --id val.txt --data-root images --tpr 0.99

Methods: ` + strings.Join(posthoc.Names(), ", ") + `.

Images are a list of "path label" lines, a folder with a folder for each class, or an IDX file; a suffix such
as [:10000] picks a run of them.
`

func main() { cli.Main(run) }

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	fs := cli.NewFlags("ascood-eval", usage, stdout)
	f := flags{fs: fs}
	fs.StringVar(&f.model, "model", "", "artifact `file` that ascood-export wrote")
	fs.StringVar(&f.id, "id", "", "labelled in-distribution test `images`")
	fs.StringArrayVar(&f.near, "near", nil, "near-OOD images as `name=images`; may be repeated")
	fs.StringArrayVar(&f.far, "far", nil, "far-OOD images as `name=images`; may be repeated")
	fs.StringVar(&f.root, "data-root", "", "`folder` that the paths of image lists start from (default: the list's own)")
	fs.StringSliceVar(&f.methods, "postprocessor", nil, "`methods` to evaluate, separated by commas (default: the artifact's own score)")
	fs.StringArrayVar(&f.settings, "set", nil, "hyperparameter of a method as `method.name=value`; may be repeated")
	fs.StringVar(&f.train, "id-train", "", "labelled training `images`, for the methods that learn from them")
	fs.IntVar(&f.bank, "bank", 0, "take only `N` of the training images, at random; 0 is all")
	fs.StringVar(&f.validID, "id-val", "", "labelled in-distribution validation `images`")
	fs.StringVar(&f.validOOD, "ood-val", "", "OOD validation `images`")
	fs.BoolVar(&f.search, "aps", true, "search the settings of methods that have a published sweep, on the validation images")
	fs.StringVar(&f.output, "output", "", "`folder` for METHOD.csv and settings.json")
	fs.BoolVar(&f.keep, "save-score", false, "keep each image's score in the output folder's scores/METHOD/SET.csv, reuse those\nthat are there, and give thresholds")
	fs.StringVar(&f.report, "report", "", "web page `file` with tables, curves, thresholds and images, complete in itself")
	fs.StringVar(&f.plots, "plots", "", "`folder` for PNG plots: ROC curves and histograms")
	fs.StringVar(&f.recalibrate, "calibrate", "", "write a new calibration into this artifact `file`, from the --id images, and do nothing else")
	fs.Float64Var(&f.tpr, "tpr", 0.95, "share of the --id images that --calibrate's threshold keeps")
	device := cli.AddDevice(fs, "cpu")
	threads := fs.Int("threads", 0, "threads to compute with; 0 is one a core")
	fs.IntVar(&f.batch, "batch-size", ioodin.DefaultBatchSize, "images in the network at once")
	if err := cli.Parse(fs, args, false); err != nil {
		return err
	}
	if err := f.check(); err != nil {
		return err
	}
	opt, err := cli.ModelOptions(*device, *threads, cli.Logger(stderr))
	if err != nil {
		return err
	}
	if f.recalibrate != "" {
		return f.calibrate(ctx, opt, stdout, stderr)
	}
	n, err := eval.OpenNetwork(f.model, opt)
	if err != nil {
		return err
	}
	defer n.Close()
	e, err := f.evaluation(n)
	if err != nil {
		return err
	}
	if err := f.prepare(); err != nil {
		return err
	}
	e.Progress = func(what string, images int) (func(int), func()) { return cli.Progress(stderr, images, what) }
	results, err := e.Run(ctx)
	if err != nil {
		return err
	}
	if err := printTables(stdout, e, results); err != nil {
		return err
	}
	if f.output != "" {
		if err := save(f.output, e, results); err != nil {
			return err
		}
	}
	if f.plots != "" {
		if err := report.Plot(f.plots, e, results); err != nil {
			return err
		}
	}
	if f.report == "" {
		return nil
	}
	return writeReport(ctx, f.report, e, results)
}
