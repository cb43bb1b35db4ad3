package scoring

import (
	"context"
	"testing"
	"time"

	"github.com/ascood/ascood"
)

// Once the batcher is closed nobody waits for it, whether they came before or
// after.
func TestClosedBatcherAnswers(t *testing.T) {
	begun, release := make(chan int, 100), make(chan struct{})
	m := &fakeModel{before: func(n int) error {
		begun <- n
		<-release
		return nil
	}}
	b := newBatcher(m, false, 1, 1, newMetrics().of("fake", info.Calibration), nil)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	answers := make(chan error)
	send := func() {
		_, err := b.score(ctx, make([]uint8, 1), &Times{})
		answers <- err
	}
	go send()
	<-begun
	go send() // waits for the worker that the first one keeps busy
	closed := make(chan struct{})
	go func() {
		b.close()
		close(closed)
	}()
	unavailable := func(when string) {
		if err := <-answers; ascood.CodeOf(err) != ascood.Unavailable {
			t.Errorf("%s: got %v", when, err)
		}
	}
	unavailable("waiting when it closed")
	close(release)
	if err := <-answers; err != nil {
		t.Errorf("in work when it closed: got %v", err)
	}
	<-closed
	go send()
	unavailable("after it closed")
}
