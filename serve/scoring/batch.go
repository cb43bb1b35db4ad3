package scoring

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/ioodin"
)

// batcher runs the network on the images that wait for it, several at a time. It
// never waits for a batch to fill: an image that comes alone is scored alone.
type batcher struct {
	model   Model
	details bool // of each image, too
	size    int  // most images of a batch
	metrics *modelMetrics
	lose    context.CancelCauseFunc // is told if the device is lost
	// waiting is unbuffered: senders stand in line, first come first served, and
	// leave the line by giving up.
	waiting chan *job
	stop    context.CancelFunc
	stopped <-chan struct{}
	workers sync.WaitGroup

	health health
	test   []uint8       // crop to try a failing model with
	retry  time.Duration // until it is tried
}

// job is an image on its way through the network.
type job struct {
	ctx  context.Context
	crop []uint8
	done chan outcome // buffered: the worker does not wait for a client that left
}

// outcome is what became of a job.
type outcome struct {
	result ioodin.Result
	extra  map[string]ioodin.Output // by name, where details are asked for
	begun  time.Time                // when its batch was run
	err    error
}

func newBatcher(model Model, details bool, size, workers int, m *modelMetrics, lose context.CancelCauseFunc) *batcher {
	ctx, stop := context.WithCancel(context.Background())
	b := &batcher{model: model, details: details, size: size, metrics: m, lose: lose, waiting: make(chan *job), stop: stop, stopped: ctx.Done(),
		test: testImage(model.Info().Preprocess), retry: retryInterval}
	for range workers {
		b.workers.Go(b.work)
	}
	return b
}

// close ends the workers after the batches in work. Images that still wait are
// answered ascood.Unavailable.
func (b *batcher) close() {
	b.stop()
	b.workers.Wait()
}

// score waits for the result of one crop.
func (b *batcher) score(ctx context.Context, crop []uint8, t *Times) (outcome, error) {
	start := time.Now()
	j := &job{ctx: ctx, crop: crop, done: make(chan outcome, 1)}
	if err := b.send(j); err != nil {
		span(ctx, "queue", start, time.Now(), err)
		return outcome{}, err
	}
	select {
	case o := <-j.done:
		ended := time.Now()
		t.Waiting += o.begun.Sub(start)
		t.Inference = ended.Sub(o.begun)
		span(ctx, "queue", start, o.begun, nil)
		span(ctx, "inference", o.begun, ended, o.err)
		return o, o.err
	case <-ctx.Done():
		span(ctx, "queue", start, time.Now(), ctx.Err()) // or in a run that goes on without it
		return outcome{}, ctx.Err()
	}
}

// send waits for a worker to take the job.
func (b *batcher) send(j *job) error {
	b.metrics.queued.Inc()
	defer b.metrics.queued.Dec()
	select {
	case b.waiting <- j:
		return nil
	case <-j.ctx.Done():
		return j.ctx.Err()
	case <-b.stopped:
		return ascood.Errorf(ascood.Unavailable, "shutting down")
	}
}

// work runs batches until the batcher is closed.
func (b *batcher) work() {
	for {
		select {
		case j := <-b.waiting:
			b.run(b.gather(j))
		case <-b.health.failing(b.retry):
			b.run([]*job{{ctx: context.Background(), crop: b.test, done: make(chan outcome, 1)}})
		case <-b.stopped:
			return
		}
	}
}

// gather joins to the first job those that wait already, less those whose
// clients have left.
func (b *batcher) gather(j *job) []*job {
	batch := make([]*job, 0, b.size)
	for {
		if j.ctx.Err() == nil {
			batch = append(batch, j)
		}
		if len(batch) == b.size {
			return batch
		}
		select {
		case j = <-b.waiting:
		default:
			return batch
		}
	}
}

// run scores a batch and tells each job. If a batch fails, its images are tried
// one by one: one client's image is not another one's failure. A lost device fails at
// any.
func (b *batcher) run(batch []*job) {
	if len(batch) == 0 {
		return
	}
	begun := time.Now()
	results, extra, err := b.infer(batch)
	if err != nil && len(batch) > 1 && !errors.Is(err, ascood.ErrDeviceLost) {
		for _, j := range batch {
			b.run([]*job{j})
		}
		return
	}
	for i, j := range batch {
		o := outcome{begun: begun, err: err}
		if err == nil {
			o.result = results[i]
			if b.details {
				o.extra = extra[i]
			}
		}
		j.done <- o
	}
}

// infer calls the model. No single client's context governs a shared batch.
func (b *batcher) infer(batch []*job) (results []ioodin.Result, extra []map[string]ioodin.Output, err error) {
	b.metrics.batches.Observe(float64(len(batch)))
	crops := make([][]uint8, len(batch))
	for i, j := range batch {
		crops[i] = j.crop
	}
	defer func(begun time.Time) { b.metrics.seconds.Add(time.Since(begun).Seconds()) }(time.Now())
	err = Guard(func() error {
		if b.details {
			results, extra, err = b.model.Details(context.Background(), crops)
		} else {
			results, err = b.model.Score(context.Background(), crops)
		}
		if err == nil && (len(results) != len(crops) || b.details && len(extra) != len(crops)) {
			err = fmt.Errorf("the model gave %d results for %d images", len(results), len(crops))
		}
		return err
	})
	b.health.note(err)
	if errors.Is(err, ascood.ErrDeviceLost) {
		b.lose(err)
		return nil, nil, ascood.Errorf(ascood.Unavailable, "shutting down: %w", ascood.ErrDeviceLost)
	}
	if err != nil {
		// Whatever it is, the client can do nothing about it.
		return nil, nil, ascood.Errorf(ascood.Internal, "run model: %w", err)
	}
	return results, extra, nil
}
