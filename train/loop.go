package train

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"path/filepath"
	"time"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/dataset"
	"github.com/ascood/ascood/gotorch"
	"github.com/ascood/ascood/runs"
)

// train makes the epochs that are left.
func (r *run) train(ctx context.Context) error {
	defer func() { r.queued.close() }()
	if err := r.acquaint(ctx); err != nil {
		if ctx.Err() != nil && errors.Is(err, context.Cause(ctx)) {
			return r.interrupted()
		}
		return err
	}
	for r.at.Epochs < r.config.Epochs {
		err := r.epoch(ctx)
		if ctx.Err() != nil && (err == nil && r.at.Epochs < r.config.Epochs || errors.Is(err, context.Cause(ctx))) {
			return r.interrupted()
		}
		if err != nil {
			return err
		}
	}
	what, best := "best_val_accuracy", r.at.Best
	if _, ok := r.learner.method.(judge); ok {
		what, best = "least_loss", -best
	}
	r.options.Log.Info("finished", "epochs", r.at.Epochs, what, best, "checkpoint", filepath.Join(r.options.Output, runs.BestFile))
	return nil
}

// epoch trains on what is left of an epoch, validates and saves. It returns
// context.Cause(ctx) between two steps when ctx has ended.
func (r *run) epoch(ctx context.Context) error {
	r.load.Epoch = r.at.Epochs + 1
	order := random(r.config.Seed, forOrder, r.load.Epoch).Perm(r.images.train.Len())
	started := time.Now()
	from := r.at.Epochs*r.stepsPerEpoch() + r.at.Steps
	nextOutliers, stop := iter.Pull2(r.others.batches(ctx, from, r.stepsPerEpoch()-r.at.Steps))
	defer stop()
	for batch, err := range dataset.Batches(ctx, r.images.train, order[r.at.Tally.Images:], r.load) {
		if err != nil {
			return err
		}
		outliers, err, _ := nextOutliers()
		if err != nil {
			return err
		}
		if err := r.step(batch, outliers); err != nil {
			return err
		}
		r.at.Tally.Seconds += lap(&started)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	if err := r.settle(); err != nil {
		return err
	}
	r.at.Tally.Seconds += lap(&started)
	val, err := r.validate(ctx)
	if err != nil {
		return err
	}
	val.seconds = time.Since(started).Seconds()
	return r.finishEpoch(val)
}

// lap returns the seconds since a time, which it moves to now.
func lap(since *time.Time) float64 {
	now := time.Now()
	defer func() { *since = now }()
	return now.Sub(*since).Seconds()
}

// withoutBroken reports the images of a batch that could not be loaded, and counts them.
func (r *run) withoutBroken(what string, from dataset.Dataset, b dataset.Batch) (sound dataset.Batch, broken int) {
	for k, err := range b.Errs {
		if err != nil {
			r.options.Log.Warn("broken "+what+" image skipped", "image", from.Name(b.Indices[k]), "error", err)
			broken++
		}
	}
	if broken == 0 {
		return b, 0
	}
	return b.Sound(), broken
}

// step makes one optimiser step, in a scope of its own so that memory stays flat.
// It makes none of a batch without images, but counts it. Then it reads the outcome
// of the step before: a GPU has the next one to compute meanwhile.
func (r *run) step(b, outliers dataset.Batch) error {
	b, broken := r.withoutBroken("training", r.images.train, b)
	next := &queued{
		at:     when{epoch: r.load.Epoch, step: r.at.Epochs*r.stepsPerEpoch() + r.at.Steps},
		number: r.at.Steps + 1, sound: len(b.Labels), broken: broken,
	}
	if next.sound > 0 {
		if err := r.queue(next, b, outliers); err != nil {
			return fmt.Errorf("epoch %d, step %d: %w", next.at.epoch, next.number, err)
		}
	}
	r.at.Steps++
	err := r.settle()
	r.queued = next
	return err
}

// queue makes the step.
func (r *run) queue(q *queued, b, outliers dataset.Batch) error {
	s := gotorch.NewScope()
	defer s.Close()
	x, y := r.input.images(s, b.Pixels, q.sound), r.input.labels(s, b.Labels)
	step := r.learner.at(s, x, y, q.at)
	for _, view := range b.Further {
		step.Views = append(step.Views, r.input.images(s, view, q.sound))
	}
	if r.others.images != nil {
		outliers, _ = r.withoutBroken("outlier", r.images.outliers, outliers)
		if len(outliers.Labels) == 0 {
			return ascood.Errorf(ascood.Invalid, "none of the step's outliers can be loaded")
		}
		step.Others = r.input.images(s, outliers.Pixels, len(outliers.Labels))
	}
	numbers, err := r.learner.step(step)
	if err != nil {
		return err
	}
	q.scope = gotorch.NewScope(gotorch.NoGrad)
	q.numbers = q.scope.Keep(numbers)
	return nil
}

// settle reads the outcome that is still to be read, if there is one, and enters it
// into the run's position.
func (r *run) settle() error {
	q := r.queued
	if q == nil {
		return nil
	}
	r.queued = nil
	defer q.close()
	r.at.Tally.skip(q.broken)
	if q.sound > 0 {
		out, err := readOutcome(q.numbers)
		if err != nil {
			return fmt.Errorf("epoch %d, step %d: %w", q.at.epoch, q.number, err)
		}
		if !finite(out.lossID) || !finite(out.lossOOD) {
			return r.diverged(q, out)
		}
		r.at.Tally.add(out, q.sound)
	}
	r.report(q.sound+q.broken, nil)
	return nil
}

// validation is what the validation images say.
type validation struct {
	accuracy float64 // share of those that could be loaded that are classified correctly
	broken   int     // images that could not be loaded
	seconds  float64
}

// validate classifies the validation images.
func (r *run) validate(ctx context.Context) (v validation, err error) {
	correct := 0.0
	v.broken, err = r.look(ctx, func(s *gotorch.Scope, x, y gotorch.Tensor) bool {
		correct += hits(r.learner.net.forward(x, inference), y).Item()
		return true
	})
	v.accuracy = correct / float64(r.images.val.Len()-v.broken)
	return v, err
}

// look goes through the validation images in batches, each in a scope of its own, until do
// returns false, and returns how many could not be loaded.
func (r *run) look(ctx context.Context, do func(s *gotorch.Scope, x, y gotorch.Tensor) bool) (broken int, err error) {
	load, images := r.load, r.images.val
	load.Augment, load.Further = nil, 0
	for b, err := range dataset.Batches(ctx, images, sequence(images.Len()), load) {
		if err != nil {
			return broken, err
		}
		b, lost := r.withoutBroken("validation", images, b)
		if broken += lost; len(b.Labels) == 0 {
			continue
		}
		s := gotorch.NewScope(gotorch.NoGrad)
		on := do(s, r.input.images(s, b.Pixels, len(b.Labels)), r.input.labels(s, b.Labels))
		s.Close()
		if err := s.Err(); err != nil {
			return broken, fmt.Errorf("validation: %w", err)
		}
		if !on {
			break
		}
	}
	if broken == images.Len() {
		return broken, ascood.Errorf(ascood.Invalid, "none of the %d validation images can be loaded", broken)
	}
	return broken, nil
}

// acquaint lets the method look at the validation images before the first step.
func (r *run) acquaint(ctx context.Context) error {
	m, ok := r.learner.method.(beginner)
	if !ok || r.at != (position{}) {
		return nil
	}
	s := gotorch.NewScope(gotorch.NoGrad)
	defer s.Close()
	var err error
	m.begin(&Step{Scope: s, learner: r.learner}, func(yield func(x, y gotorch.Tensor) bool) {
		_, err = r.look(ctx, func(_ *gotorch.Scope, x, y gotorch.Tensor) bool { return yield(x, y) })
	})
	if err != nil {
		return err
	}
	return s.Err()
}

func sequence(n int) []int {
	s := make([]int, n)
	for i := range s {
		s[i] = i
	}
	return s
}

// finishEpoch writes down an epoch's end.
func (r *run) finishEpoch(val validation) error {
	t := r.at.Tally
	if t.sound() == 0 {
		return ascood.Errorf(ascood.Invalid, "none of the %d training images can be loaded", t.Images)
	}
	lr := r.learner.rate(when{epoch: r.load.Epoch, step: r.at.Epochs*r.stepsPerEpoch() + r.at.Steps - 1})
	row := Row{
		Epoch: r.load.Epoch, LR: lr, Alpha: r.learner.alpha(r.load.Epoch),
		LossID: t.LossID / t.sound(), LossOOD: t.LossOOD / t.sound(), LossEMA: t.LossEMA,
		TrainAccuracy: t.accuracy(), ValAccuracy: val.accuracy,
		ImagesPerSecond: t.sound() / t.Seconds, Seconds: t.Seconds + val.seconds, Broken: t.Broken, ValBroken: val.broken,
	}
	merit := r.merit(row)
	best := r.at.Epochs == 0 || merit >= r.at.Best
	if !best {
		merit = r.at.Best
	}
	r.at = position{Epochs: r.load.Epoch, Accuracy: val.accuracy, Best: merit}
	if err := r.metrics.add(row); err != nil {
		return err
	}
	if best {
		if err := r.save(runs.BestFile); err != nil {
			return err
		}
	}
	if err := r.save(runs.LastFile); err != nil {
		return err
	}
	r.report(0, &row)
	return nil
}

// merit is what an epoch is compared with others by: the more, the better.
func (r *run) merit(row Row) float64 {
	if m, ok := r.learner.method.(judge); ok {
		return -m.criterion(row)
	}
	return row.ValAccuracy
}

// report tells of a step on so many images, or of an epoch's end.
func (r *run) report(images int, row *Row) {
	total := r.images.train.Len()
	r.options.Report(Event{
		Epoch: r.load.Epoch, Epochs: r.config.Epochs,
		Images: images, Left: (r.config.Epochs-r.at.Epochs)*total - r.at.Tally.Images,
		Loss: r.at.Tally.LossEMA, Accuracy: r.at.Tally.accuracy(), Row: row,
	})
}

// interrupted saves the state.
func (r *run) interrupted() error {
	if err := r.settle(); err != nil {
		return err
	}
	if err := r.save(runs.LastFile); err != nil {
		return err
	}
	return &Interruption{Epoch: r.at.Epochs + 1, Steps: r.at.Steps, Of: r.stepsPerEpoch(), Output: r.options.Output}
}

// Interruption is the error of a run that was stopped and can be resumed. It wraps
// context.Canceled.
type Interruption struct {
	Epoch     int    // in which it was stopped, from 1
	Steps, Of int    // made of the epoch's
	Output    string // the run's folder
}

func (i *Interruption) Error() string {
	return fmt.Sprintf("interrupted in epoch %d after %d of %d steps", i.Epoch, i.Steps, i.Of)
}

func (i *Interruption) Unwrap() error { return context.Canceled }

// diverged explains a loss that is not finite. The files keep the last epoch.
func (r *run) diverged(q *queued, out outcome) error {
	lr := r.learner.rate(q.at)
	cause := ascood.Errorf(ascood.Invalid, "the learning rate (%.3g) is likely too high: lower %s", lr, ascood.Field("lr"))
	if _, ok := r.learner.method.(strong); ok {
		cause = ascood.Errorf(ascood.Invalid, "%w; or the outliers are too strong (alpha %.3g): lower %s or %s",
			cause, r.learner.alpha(q.at.epoch), ascood.Field("alpha_max"), ascood.Field("w"))
	}
	return ascood.Errorf(ascood.Invalid, "the loss is not finite in epoch %d, step %d of %d (images %g, outliers %g): %w",
		q.at.epoch, q.number, r.stepsPerEpoch(), out.lossID, out.lossOOD, cause)
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
