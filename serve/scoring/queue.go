package scoring

import (
	"context"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/ascood/ascood"
)

// queue bounds the images that are in work at once, of all models, those that wait
// included, and knows how fast they have come out of late.
type queue struct {
	most int

	mu     sync.Mutex
	images int

	// Over the requests answered, older ones counting less: how long they took, and
	// how many images were in work when they came, their own included.
	seconds, ahead float64
}

// fading is how much a request counts when the next one has been answered.
const fading = 0.95

// Place is room in the queue for the images of one request.
type Place struct {
	queue  *queue
	images int
	ahead  int // in work when it came, its own included
	since  time.Time
}

// BusyError is an ascood.Busy error that says when to try again.
type BusyError struct {
	error
	Reason string        // in one word, for metrics
	After  time.Duration // until what is in work now will be done
}

// NewBusy returns a *BusyError of a message.
func NewBusy(reason string, after time.Duration, message string) *BusyError {
	return &BusyError{ascood.Errorf(ascood.Busy, "%s: try again later", message), reason, after}
}

// Unwrap returns the ascood.Error.
func (e *BusyError) Unwrap() error { return e.error }

// Enter makes room for the images of a request, or returns a *BusyError at once: if
// there is none, or if those ahead will take longer than ctx lasts.
func (m *Models) Enter(ctx context.Context, images int) (*Place, error) {
	return m.queue.enter(ctx, images)
}

// Full returns the error of Enter for one more image, if that would be one, so that an
// upload can be refused before it is read.
func (m *Models) Full(ctx context.Context) error {
	m.queue.mu.Lock()
	defer m.queue.mu.Unlock()
	return m.queue.refuse(ctx, 1)
}

// Wait is how long the images in work now are expected to take.
func (m *Models) Wait() time.Duration {
	m.queue.mu.Lock()
	defer m.queue.mu.Unlock()
	return m.queue.expected(m.queue.images)
}

func (q *queue) enter(ctx context.Context, images int) (*Place, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if err := q.refuse(ctx, images); err != nil {
		return nil, err
	}
	q.images += images
	return &Place{q, images, q.images, time.Now()}, nil
}

func (q *queue) inWork() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.images
}

// refuse says why there is no room for more images. An empty queue takes a request
// whatever it expects: how else would it learn?
func (q *queue) refuse(ctx context.Context, images int) error {
	after := q.expected(q.images)
	if q.images+images > q.most {
		return NewBusy("queue", after, fmt.Sprintf("%d images are in work, of %d that may be", q.images, q.most))
	}
	deadline, limited := ctx.Deadline()
	if whole := q.expected(q.images + images); q.images > 0 && limited && whole > time.Until(deadline) {
		return NewBusy("deadline", after, fmt.Sprintf("%d images are in work, which will take longer than this request may", q.images))
	}
	return nil
}

// expected is how long it takes until that many images are done.
func (q *queue) expected(images int) time.Duration {
	if q.ahead == 0 {
		return 0
	}
	return time.Duration(math.Ceil(float64(images) * q.seconds / q.ahead * float64(time.Second)))
}

// Leave frees the place; answered says that all of its images were seen to.
func (p *Place) Leave(answered bool) {
	q := p.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	q.images -= p.images
	if answered {
		q.seconds = fading*q.seconds + time.Since(p.since).Seconds()
		q.ahead = fading*q.ahead + float64(p.ahead)
	}
}
