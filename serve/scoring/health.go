package scoring

import (
	"sync"
	"time"

	"github.com/ascood/ascood"
)

// A model is unwell after that many runs in a row that failed. It is tried with the test
// image at intervals then, since load balancers may send nothing else, and is well again
// after one that does not.
const (
	failuresInARow = 3
	retryInterval  = time.Second
)

// health is how the last runs of a model went.
type health struct {
	mu     sync.Mutex
	failed int   // runs in a row
	last   error // of the last of them
}

// note takes down how a run went.
func (h *health) note(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.failed++
	if h.last = err; err == nil {
		h.failed = 0
	}
}

func (h *health) unwell() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.failed >= failuresInARow
}

// failing fires after a while if the model is unwell.
func (h *health) failing(after time.Duration) <-chan time.Time {
	if !h.unwell() {
		return nil
	}
	return time.After(after)
}

// Ready returns why images should be sent elsewhere, nil if they need not: the last runs
// of a model failed, or its device is lost.
func (m *Models) Ready() error {
	if m.lost.Err() != nil {
		return ascood.Errorf(ascood.Unavailable, "shutting down: %w", ascood.ErrDeviceLost)
	}
	for _, s := range m.List() {
		if s.Serving != nil {
			if err := s.Serving.ready(); err != nil {
				return err
			}
		}
	}
	return nil
}

// ModelReady is Ready for one model.
func (m *Models) ModelReady(name string) error {
	v, err := m.Acquire(name)
	if err != nil {
		return err
	}
	defer v.Release()
	return v.ready()
}

func (v *Version) ready() error {
	if !v.batcher.health.unwell() {
		return nil
	}
	return ascood.Errorf(ascood.Unavailable, "the last %d runs of model %s failed, or more; it is tried again every %v", failuresInARow, v.name, retryInterval)
}
