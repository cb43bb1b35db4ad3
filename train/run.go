package train

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/gotorch"
	"github.com/ascood/ascood/models"
	"github.com/ascood/ascood/preprocess"
)

// Options say where and how a run takes place, not what comes out of it.
type Options struct {
	Output   string       // folder for BestFile, LastFile and MetricsFile
	Device   string       // "cpu", "cuda", "cuda:N", or "auto" for CUDA where it can be had
	Threads  int          // that libtorch may use; 0 is one a processor
	Workers  int          // goroutines that load images; 0 is one a processor
	Log      *slog.Logger // nil logs nothing
	Progress io.Writer    // gets a line an epoch; nil shows nothing
	Bar      bool         // Progress is a terminal, and shows a bar as well
}

// The files of a run, in its output folder.
const (
	BestFile    = "best.safetensors" // after the epoch with the best validation accuracy; the later one of equals
	LastFile    = "last.safetensors" // after the last epoch, or where the run was interrupted
	MetricsFile = "metrics.csv"      // a Row an epoch
)

// Run trains a network from the start. It returns an error before any work is
// done if the configuration, the data, the device or the output folder will not
// do, or if the folder holds a run already. When ctx ends, the step at hand is
// finished and the state saved; the error then wraps context.Canceled and says
// how to go on.
func Run(ctx context.Context, c Config, o Options) error {
	if err := c.Validate(); err != nil {
		return err
	}
	if err := claim(o.Output); err != nil {
		return err
	}
	return start(ctx, c, o, nil)
}

// Resume continues the run in o.Output with its own configuration, and ends as
// if it had never stopped. A finished run is left as it is.
func Resume(ctx context.Context, o Options) error {
	saved, err := load(o.Output)
	if err != nil {
		return err
	}
	return start(ctx, saved.config, o, saved)
}

// run is a training in progress.
type run struct {
	config  Config
	options Options
	images  *images
	input   input
	learner *learner
	load    preprocess.LoadOptions
	at      position
	metrics *metrics
	shown   *progress
}

func start(ctx context.Context, c Config, o Options, saved *saved) error {
	// OpenMP keeps a team of threads for every thread that calls it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	scope := gotorch.NewScope()
	defer scope.Close()
	r, err := prepare(scope, c, o.withDefaults(), saved)
	if err != nil {
		return err
	}
	return r.train(ctx)
}

// withDefaults replaces what is nil or 0 by what that stands for.
func (o Options) withDefaults() Options {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Progress == nil {
		o.Progress = io.Discard
	}
	if o.Threads == 0 {
		o.Threads = runtime.NumCPU()
	}
	return o
}

// prepare opens all that a run needs; the network belongs to scope.
func prepare(scope *gotorch.Scope, c Config, o Options, saved *saved) (*run, error) {
	r := &run{config: c, options: o}
	var err error
	if r.images, err = openImages(c); err != nil {
		return nil, err
	}
	augment, err := c.Preprocess.Augmentation(c.Augment)
	if err != nil {
		return nil, err
	}
	r.load = preprocess.LoadOptions{Config: c.Preprocess, Augment: augment, BatchSize: c.BatchSize, Workers: o.Workers, Seed: c.Seed}
	device, err := openDevice(o.Device, o.Log)
	if err != nil {
		return nil, err
	}
	if err := gotorch.SetNumThreads(o.Threads); err != nil {
		return nil, ascood.Errorf(ascood.Invalid, "--threads: %w", err)
	}
	if err := r.prepareLearner(scope, device, saved); err != nil {
		return nil, err
	}
	if r.metrics, err = openMetrics(filepath.Join(o.Output, MetricsFile), r.at.Epochs); err != nil {
		return nil, err
	}
	r.input = newInput(scope, c.Preprocess, device)
	return r, scope.Err()
}

func (r *run) prepareLearner(scope *gotorch.Scope, device gotorch.Device, saved *saved) error {
	graph, err := models.New(r.config.spec(len(r.images.classes)))
	if err != nil {
		return err
	}
	size := r.config.Preprocess.ImageSize
	if _, err := graph.Shapes(size, size); err != nil {
		return ascood.Errorf(ascood.Invalid, "%w", err)
	}
	state := initial(graph, r.config.Sigma, r.config.Seed)
	if saved != nil {
		if err := saved.check(r.images); err != nil {
			return err
		}
		state, r.at = saved.model, saved.at
	}
	net, err := newNetwork(scope, graph, state, device, channelsLast)
	if err != nil {
		return err
	}
	r.options.Log.Info("network", "arch", graph.Spec.Arch, "width", graph.Spec.Width, "head", graph.Spec.Head,
		"classes", graph.Spec.Classes, "parameters", net.size(), "device", device, "threads", r.options.Threads)
	r.options.Log.Info("images", "train", r.images.train.Len(), "val", r.images.val.Len(), "size", size)
	if r.learner, err = newLearner(r.config, net, size, r.config.Epochs*r.stepsPerEpoch()); err != nil {
		return err
	}
	if saved != nil {
		return saved.restoreMomentum(r.learner)
	}
	return nil
}

// stepsPerEpoch counts the last batch, which may be smaller, as the references do.
func (r *run) stepsPerEpoch() int {
	return (r.images.train.Len() + r.config.BatchSize - 1) / r.config.BatchSize
}

// train makes the epochs that are left.
func (r *run) train(ctx context.Context) error {
	images := r.images.train.Len()
	done := r.at.Epochs*images + r.at.Tally.Images
	r.shown = newProgress(r.options.Progress, r.options.Bar, r.config.Epochs, r.config.Epochs*images-done)
	defer r.shown.stop()
	for r.at.Epochs < r.config.Epochs {
		err := r.epoch(ctx)
		if ctx.Err() != nil && (err == nil && r.at.Epochs < r.config.Epochs || errors.Is(err, context.Cause(ctx))) {
			return r.interrupted()
		}
		if err != nil {
			return err
		}
	}
	r.options.Log.Info("finished", "epochs", r.at.Epochs, "best_val_accuracy", r.at.Best, "checkpoint", filepath.Join(r.options.Output, BestFile))
	return nil
}

// epoch trains on what is left of an epoch, validates and saves. It returns
// context.Cause(ctx) between two steps when ctx has ended.
func (r *run) epoch(ctx context.Context) error {
	r.load.Epoch = r.at.Epochs + 1
	order := random(r.config.Seed, forOrder, r.load.Epoch).Perm(r.images.train.Len())
	started := time.Now()
	for batch, err := range preprocess.Batches(ctx, r.images.train, order[r.at.Tally.Images:], r.load) {
		if err != nil {
			return err
		}
		if err := r.step(batch); err != nil {
			return err
		}
		now := time.Now()
		r.at.Tally.Seconds += now.Sub(started).Seconds()
		started = now
		r.shown.step(len(batch.Labels), r.load.Epoch, r.at.Tally)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	accuracy, err := r.validate(ctx)
	if err != nil {
		return err
	}
	return r.finishEpoch(accuracy, time.Since(started).Seconds())
}

// step makes one optimiser step, in a scope of its own so that memory stays flat.
func (r *run) step(b preprocess.Batch) error {
	s := gotorch.NewScope()
	defer s.Close()
	at := when{epoch: r.load.Epoch, step: r.at.Epochs*r.stepsPerEpoch() + r.at.Steps}
	x, y := r.input.images(s, b.Pixels, len(b.Labels)), r.input.labels(s, b.Labels)
	out, err := r.learner.step(s, x, y, at)
	if err != nil {
		return fmt.Errorf("epoch %d, step %d: %w", at.epoch, r.at.Steps+1, err)
	}
	if !finite(out.lossID) || !finite(out.lossOOD) {
		return r.diverged(at, out)
	}
	r.at.Steps++
	r.at.Tally.add(out, len(b.Labels), r.config.W)
	return nil
}

// validate returns the share of the validation images that are classified
// correctly.
func (r *run) validate(ctx context.Context) (float64, error) {
	load := r.load
	load.Augment = nil
	correct := 0.0
	for b, err := range preprocess.Batches(ctx, r.images.val, sequence(r.images.val.Len()), load) {
		if err != nil {
			return 0, err
		}
		s := gotorch.NewScope(gotorch.NoGrad)
		x, y := r.input.images(s, b.Pixels, len(b.Labels)), r.input.labels(s, b.Labels)
		correct += hits(r.learner.net.forward(x, inference), y).Item()
		s.Close()
		if err := s.Err(); err != nil {
			return 0, fmt.Errorf("validation: %w", err)
		}
	}
	return correct / float64(r.images.val.Len()), nil
}

func sequence(n int) []int {
	s := make([]int, n)
	for i := range s {
		s[i] = i
	}
	return s
}

// finishEpoch writes down an epoch's end.
func (r *run) finishEpoch(accuracy, validation float64) error {
	t := r.at.Tally
	lr, _ := r.learner.rates(r.at.Epochs*r.stepsPerEpoch() + r.at.Steps - 1)
	row := Row{
		Epoch: r.load.Epoch, LR: lr, Alpha: r.learner.alpha(r.load.Epoch),
		LossID: t.LossID / float64(t.Images), LossOOD: t.LossOOD / float64(t.Images), LossEMA: t.LossEMA,
		TrainAccuracy: t.accuracy(), ValAccuracy: accuracy,
		ImagesPerSecond: float64(t.Images) / t.Seconds, Seconds: t.Seconds + validation,
	}
	r.at = position{Epochs: r.load.Epoch, Accuracy: accuracy, Best: max(r.at.Best, accuracy)}
	if err := r.metrics.append(row); err != nil {
		return err
	}
	if accuracy == r.at.Best {
		if err := r.save(BestFile); err != nil {
			return err
		}
	}
	if err := r.save(LastFile); err != nil {
		return err
	}
	r.shown.epoch(row)
	return nil
}

// interrupted saves the state.
func (r *run) interrupted() error {
	if err := r.save(LastFile); err != nil {
		return err
	}
	return &interruption{fmt.Sprintf("interrupted in epoch %d after %d of %d steps; to go on: ascood-train --resume --output %s",
		r.at.Epochs+1, r.at.Steps, r.stepsPerEpoch(), r.options.Output)}
}

// interruption is the error of a run that was stopped and can be resumed.
type interruption struct{ message string }

func (i *interruption) Error() string { return i.message }
func (i *interruption) Unwrap() error { return context.Canceled }

// diverged explains a loss that is not finite. The files keep the last epoch.
func (r *run) diverged(at when, out outcome) error {
	lr, _ := r.learner.rates(at.step)
	cause := fmt.Sprintf("the learning rate (%.3g) is likely too high: lower --lr", lr)
	if r.learner.outliers != nil {
		cause += fmt.Sprintf("; or the outliers are too strong (alpha %.3g): lower --alpha-max or --w", r.learner.alpha(at.epoch))
	}
	return ascood.Errorf(ascood.Invalid, "the loss is not finite in epoch %d, step %d of %d (images %g, outliers %g): %s",
		at.epoch, r.at.Steps+1, r.stepsPerEpoch(), out.lossID, out.lossOOD, cause)
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// claim makes sure that a run can be written to dir, and that none is there.
func claim(dir string) error {
	if dir == "" {
		return ascood.Errorf(ascood.Invalid, "--output is missing: the folder for %s, %s and %s", BestFile, LastFile, MetricsFile)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return ascood.Errorf(ascood.Invalid, "--output: %w", err)
	}
	for _, name := range []string{LastFile, BestFile, MetricsFile} {
		if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
			return ascood.Errorf(ascood.Invalid, "%s already holds a run (%s): continue it with --resume, or choose another --output", dir, name)
		}
	}
	f, err := os.CreateTemp(dir, ".ascood-*")
	if err != nil {
		return ascood.Errorf(ascood.Invalid, "--output cannot be written to: %w", err)
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}
