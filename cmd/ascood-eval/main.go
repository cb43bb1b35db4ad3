// Command ascood-eval measures how well an exported model's scores tell
// in-distribution images from others.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"

	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/eval"
	"github.com/ascood/ascood/internal/cli"
	"github.com/ascood/ascood/internal/cli/modelflags"
	"github.com/ascood/ascood/ioodin"
	"github.com/ascood/ascood/onnx"
)

var usage = `ascood-eval scores in-distribution images and sets of others, and prints how well
each method tells them apart: OpenOOD's FPR@95, AUROC, AUPR and accuracy, in percent.

  ascood-eval --model model.onnx --id test.txt --near cifar100=c100.txt --far mnist=mnist.txt --data-root images
  ascood-eval --model model.onnx --id test.txt --far mnist=mnist.txt --data-root images \
      --postprocessor iodin,knn,vim --id-train train.txt --id-val val.txt --ood-val tin.txt --output results
  ascood-eval --model model.onnx --preset cifar10 --data-root OpenOOD/data --postprocessor iodin,scale
  ascood-eval --results results/cifar10_ascood --preset cifar10 --data-root OpenOOD/data --compare
  ascood-eval --model model.onnx --id test.txt --far mnist=mnist.txt --data-root images --id-train train.txt \
      --postprocessor iodin,knn,mds --id-val val.txt --ood-val tin.txt --ship deployed.onnx
  ascood-eval --calibrate model.onnx --id val.txt --data-root images --tpr 0.99

` + methodsHelp() + `
Images are a list of "path label" lines, an IDX file, CIFAR's binary files, a folder of unlabelled images, or one
with a folder for each class, named as the model's classes are or by their numbers; a suffix such as [:10000] picks
a run of them.
`

func main() { cli.Main(run) }

// flagNames are the flags of settings that have other names elsewhere.
var flagNames = cli.FlagNames{}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	f := newFlags(stdout)
	if err := cli.Parse(f.fs, args, false); err != nil {
		return err
	}
	return flagNames.In(f.fs, f.run(ctx, stdout, stderr))
}

func (f *flags) run(ctx context.Context, stdout, stderr io.Writer) error {
	if err := f.check(); err != nil {
		return err
	}
	opt, err := f.compute.Options(cli.Logger(stderr))
	if err != nil {
		return err
	}
	if opt.Threads > 0 { // for all that is not the network
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(opt.Threads))
	}
	if f.recalibrate != "" {
		return f.calibrate(ctx, opt, stdout, stderr)
	}
	if f.results != "" {
		return f.evaluateRuns(ctx, opt, stdout, stderr)
	}
	model, meta, err := artifact.Load(f.model)
	if err != nil {
		return err
	}
	n, err := f.network(model, meta, opt)
	if err != nil {
		return err
	}
	defer n.Close()
	to := f.folders("")
	e, err := f.begin(n, to, stderr, stderr)
	if err != nil {
		return err
	}
	results, err := f.evaluate(ctx, e, to, stdout, stderr)
	if err != nil || f.ship == "" {
		return err
	}
	return f.shipBest(ctx, e, results, opt, stdout, stderr)
}

// network takes an artifact, with its own way to read truncated images or another.
func (f *flags) network(model *onnx.ModelProto, meta *artifact.Metadata, opt ioodin.Options) (*eval.Network, error) {
	switch {
	case f.fs.Changed("truncated"):
		meta.Preprocess.Truncated = f.truncated
	case f.experiment != nil:
		meta.Preprocess.Truncated = f.experiment.Truncated
	}
	return eval.NewNetwork(model, meta, opt)
}

// begin opens what an evaluation needs, and finds out whether it can be made and
// its results written.
func (f *flags) begin(n *eval.Network, to folders, notes, progress io.Writer) (*eval.Evaluation, error) {
	e, err := f.evaluation(n, to.store)
	if err != nil {
		return nil, err
	}
	if err := e.Check(); err != nil {
		return nil, err
	}
	if err := f.checkValidation(e); err != nil {
		return nil, err
	}
	if p, ok := f.byTraining(n.Info()); ok {
		fmt.Fprintf(notes, "Note: evaluated by %s, which training with the method %s is published with; --postprocessor chooses another.\n", p.Score.Name, p.Method)
	}
	f.notePreprocessing(n.Info().Preprocess, notes)
	e.Skipped = func(set string, images int, broken []error) {
		modelflags.WarnSkipped(progress, set, images, broken)
	}
	modelflags.NoteNumberedFolders(notes, e.ID.Images)
	e.Progress = func(what string, images int) (func(int), func()) { return cli.Progress(progress, images, what) }
	return e, f.prepare(to, e)
}

// evaluate runs an evaluation, prints its tables and writes what the flags ask for.
func (f *flags) evaluate(ctx context.Context, e *eval.Evaluation, to folders, stdout, stderr io.Writer) ([]eval.Result, error) {
	results, err := e.Run(ctx)
	if f.keep && errors.Is(err, context.Canceled) {
		err = fmt.Errorf("%w; the same command goes on with what is kept", err)
	}
	if err != nil {
		return nil, err
	}
	if err := f.printTables(stdout, e, results); err != nil {
		return nil, err
	}
	modelflags.Accuracy{Correct: results[0].Correct, Labelled: e.ID.Images.Len()}.Warn(stderr, len(e.Network.Info().Classes))
	return results, f.write(ctx, to.tables, e, results)
}
