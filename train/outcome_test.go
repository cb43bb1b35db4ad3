package train

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/ascood/ascood/dataset"
	"github.com/ascood/ascood/gotorch"
	"github.com/ascood/ascood/runs"
)

// TestOutcomesAreReadLate: a step's outcome is read when the next one has been
// made, and what it is kept in is freed.
func TestOutcomesAreReadLate(t *testing.T) {
	scope := gotorch.NewScope()
	defer scope.Close()
	o := options(t)
	if err := runs.Create(o.Output); err != nil {
		t.Fatal(err)
	}
	var reported []int
	o.Report = func(e Event) { reported = append(reported, e.Images, e.Left) }
	r, err := prepare(scope, small(t), o.withDefaults(), nil)
	if err != nil {
		t.Fatal(err)
	}
	r.load.Epoch = 1
	before := gotorch.LiveHandles()
	var made int
	for batch, err := range dataset.Batches(t.Context(), r.images.train, sequence(32), r.load) {
		if err != nil {
			t.Fatal(err)
		}
		if err := r.step(batch, dataset.Batch{}); err != nil {
			t.Fatal(err)
		}
		made++
		if r.at.Steps != made || r.at.Tally.Images != 16*(made-1) || r.queued.number != made {
			t.Errorf("after %d steps: %d counted, %d images summed up, step %d waits", made, r.at.Steps, r.at.Tally.Images, r.queued.number)
		}
	}
	for range 2 { // the second time there is nothing to do
		if err := r.settle(); err != nil || r.queued != nil || r.at.Tally.Images != 32 {
			t.Errorf("settled: %v, %d images summed up", err, r.at.Tally.Images)
		}
	}
	if want := []int{16, 3*150 - 16, 16, 3*150 - 32}; made != 2 || !slices.Equal(reported, want) {
		t.Errorf("%d steps were reported as %v, want %v", made, reported, want)
	}
	if now := gotorch.LiveHandles(); now != before {
		t.Errorf("the steps leave %d handles behind", now-before)
	}
}

// TestLateDivergence: a loss that is not finite is that of its own step, also if
// that is an epoch's last or the run is interrupted then, and nothing is saved.
func TestLateDivergence(t *testing.T) {
	c := small(t)
	c.Method, c.LR, c.BatchSize = MethodCE, 1e30, 75
	for name, ctx := range map[string]context.Context{"the epoch ends": t.Context(), "interrupted": endAfter(t, 2)} {
		o := options(t)
		err := Run(ctx, c, o)
		if want := "the loss is not finite in epoch 1, step 2 of 2 "; !strings.HasPrefix(message(err), want) {
			t.Errorf("%s: %v, want %s", name, err, want)
		}
		if held := runs.Holds(o.Output); held != "" {
			t.Errorf("%s: %s was written", name, held)
		}
	}
}
