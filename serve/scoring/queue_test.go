package scoring

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ascood/ascood"
)

func TestQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &queue{most: 4}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		three, err := q.enter(ctx, 3)
		if err != nil {
			t.Fatal(err)
		}
		var busy *BusyError
		if _, err := q.enter(ctx, 2); !errors.As(err, &busy) || ascood.CodeOf(err) != ascood.Busy || busy.Reason != "queue" || busy.After != 0 {
			t.Errorf("two more: %v", err)
		}
		one, err := q.enter(ctx, 1)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(6 * time.Second)
		three.Leave(true)
		// Three images took 6 s: 2 s each.
		if _, err := q.enter(ctx, 4); !errors.As(err, &busy) || busy.Reason != "queue" || busy.After != 2*time.Second {
			t.Errorf("four more: %v", err)
		}
		// 4 s are left, and one is in work.
		if _, err := q.enter(ctx, 2); !errors.As(err, &busy) || busy.Reason != "deadline" || busy.After != 2*time.Second {
			t.Errorf("two that would be late: %v", err)
		}
		two, err := q.enter(ctx, 1)
		if err != nil {
			t.Errorf("one in time: %v", err)
		}
		two.Leave(false)
		one.Leave(false)
		// Nobody waits: whatever took long once need not take long now.
		if _, err := q.enter(ctx, 3); err != nil {
			t.Errorf("into the empty queue: %v", err)
		}
	})
}

// What took long once is forgotten.
func TestQueueForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &queue{most: 1}
		took := func(d time.Duration) {
			p, err := q.enter(t.Context(), 1)
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(d)
			p.Leave(true)
		}
		took(time.Hour)
		for range 300 {
			took(time.Second)
		}
		if got := q.expected(1); got < time.Second || got > 2*time.Second {
			t.Errorf("expects %v", got)
		}
	})
}
