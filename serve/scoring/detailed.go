package scoring

import (
	"context"
	"sync"

	"github.com/ascood/ascood"
)

// detailed is a version's model once more, with all outputs of the artifact. Few ask for
// them and they cost time at each run, so it is opened when somebody first does.
type detailed struct {
	models  *Models
	file    file
	metrics *modelMetrics

	mu     sync.Mutex
	closed bool
	model  Model
	shared *batcher
}

// batcher opens the model when it is first called. It must be of the same file: if that
// has changed since, only its reload helps.
func (d *detailed) batcher(ctx context.Context) (*batcher, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.closed:
		return nil, ascood.Errorf(ascood.Unavailable, "shutting down")
	case d.shared != nil:
		return d.shared, nil
	case !d.file.same(look(d.file.name, d.file.path)):
		return nil, ascood.Errorf(ascood.Unavailable, "the file of model %s has changed since it was loaded: its details can be had when it has been reloaded", d.file.name)
	}
	err := Guard(func() (err error) {
		d.model, err = d.models.source.Open(d.file.path, true)
		return err
	})
	if err != nil {
		return nil, ascood.Errorf(ascood.Internal, "open model %s with its details: %w", d.file.name, err)
	}
	d.shared = newBatcher(d.model, true, d.models.limits.batch(d.model), 1, d.metrics, d.models.lose)
	return d.shared, ctx.Err()
}

func (d *detailed) close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	if d.shared == nil {
		return nil
	}
	d.shared.close()
	return d.model.Close()
}
