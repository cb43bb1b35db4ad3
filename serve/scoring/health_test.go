package scoring

import (
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ascood/ascood"
)

// A model whose runs fail is not ready, until one succeeds: a client's, or one with the
// test image when no client comes any more.
func TestReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelf(t)
		var broken atomic.Bool
		var runs atomic.Int64
		m := &fakeModel{before: func(int) error {
			if runs.Add(1); broken.Load() {
				return errors.New("no memory")
			}
			return nil
		}}
		models, err := Open(t.Context(), Source{Model: s.put("a.onnx", ""), Open: func(string, bool) (Model, error) { return m, nil }}, limits, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer models.Close()
		v, err := models.Acquire("")
		if err != nil {
			t.Fatal(err)
		}
		defer v.Release()
		ready := func(want bool) {
			t.Helper()
			if err := models.Ready(); (err == nil) != want || err != nil && ascood.CodeOf(err) != ascood.Unavailable {
				t.Errorf("ready: %v", err)
			}
		}
		ask := func(fails bool) {
			t.Helper()
			if _, err := v.Score(t.Context(), Image{Crop: v.batcher.test}, false); (err != nil) != fails {
				t.Errorf("asked: %v", err)
			}
		}
		ready(true)
		broken.Store(true)
		for n := range failuresInARow {
			ready(true)
			if ask(true); n == 1 {
				broken.Store(false)
				ask(false) // what failed before does not count any more
				broken.Store(true)
				ask(true)
				ask(true)
			}
		}
		ready(false)
		time.Sleep(10*retryInterval + time.Millisecond)
		ready(false)
		broken.Store(false)
		before := runs.Load()
		time.Sleep(10 * retryInterval)
		if ready(true); runs.Load() != before+1 {
			t.Errorf("tried %d times after it was well", runs.Load()-before)
		}
		broken.Store(true)
		for range failuresInARow {
			ask(true)
		}
		ready(false)
		broken.Store(false)
		ask(false)
		ready(true)
	})
}
