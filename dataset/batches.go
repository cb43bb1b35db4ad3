package dataset

import (
	"context"
	"encoding/binary"
	"image"
	"iter"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/preprocess"
)

// LoadOptions says what Batches makes of the images.
type LoadOptions struct {
	Config    preprocess.Config
	Augment   preprocess.Augment // nil: the deterministic Crop
	BatchSize int                // images; the last batch may have fewer
	Further   int                // further views of each image, augmented anew
	Workers   int                // goroutines that decode; 0: GOMAXPROCS
	Seed      uint64             // of the augmentation, with Epoch and an image's index
	Epoch     int
	KeepGoing bool // an image that cannot be loaded is reported in Batch.Errs and does not end the sequence
}

// Batch is a run of the order that Batches was given.
type Batch struct {
	Indices []int     // [N] into the dataset
	Pixels  []uint8   // [N, ImageSize, ImageSize, 3], RGB
	Labels  []int64   // [N], Unlabelled where there is no class
	Further [][]uint8 // further views of the images, each as Pixels
	Errs    []error   // [N], why an image could not be loaded: its pixels are black; all nil unless KeepGoing
}

// Sound returns the batch without the images that could not be loaded. It shares
// the batch's memory, and changes its pixels and labels.
func (b Batch) Sound() Batch {
	size := len(b.Pixels) / max(1, len(b.Labels))
	sound := Batch{Pixels: b.Pixels[:0], Labels: b.Labels[:0]}
	for _, view := range b.Further {
		sound.Further = append(sound.Further, view[:0])
	}
	for k, err := range b.Errs {
		if err == nil {
			sound.Indices = append(sound.Indices, b.Indices[k])
			sound.Pixels = append(sound.Pixels, b.Pixels[k*size:][:size]...)
			for v, view := range b.Further {
				sound.Further[v] = append(sound.Further[v], view[k*size:][:size]...)
			}
			sound.Labels = append(sound.Labels, b.Labels[k])
			sound.Errs = append(sound.Errs, nil)
		}
	}
	return sound
}

// readAhead is how many batches are in the making while the consumer has one.
const readAhead = 2

// Batches yields the images of d in the given order of indices, transformed, in
// batches. They are made in parallel and ahead of the consumer, yet do not
// depend on scheduling: the randomness of an image is drawn from (Seed, Epoch,
// index) alone.
//
// A batch's memory is reused once the loop body that received it returns. The
// first error ends the sequence: the end of ctx or, unless KeepGoing, an image that
// cannot be loaded. The rest of the order is loaded before that is told, so that the
// error names all such images. All goroutines have ended when the loop has.
func Batches(ctx context.Context, d Dataset, order []int, opt LoadOptions) iter.Seq2[Batch, error] {
	return func(yield func(Batch, error) bool) {
		l, err := newLoader(d, order, opt)
		if err != nil {
			yield(Batch{}, err)
			return
		}
		ctx, cancel := context.WithCancel(ctx)
		defer l.running.Wait()
		defer cancel()
		l.start(ctx)
		for range l.count() {
			s, err := l.next(ctx)
			if err == nil && !opt.KeepGoing && len(s.broken()) > 0 {
				err = l.allBroken(ctx, s)
			}
			if err != nil {
				yield(Batch{}, err)
				return
			}
			if !yield(s.Batch, nil) {
				return
			}
			l.free <- s
		}
	}
}

// loader moves slots from free through pending to the consumer and back.
type loader struct {
	data    Dataset
	order   []int
	opt     LoadOptions
	free    chan *slot // not in use
	pending chan *slot // in order, in the making
	made    int        // batches that next has returned
	jobs    chan job
	running sync.WaitGroup
}

// slot is a batch and the memory behind it.
type slot struct {
	Batch
	left atomic.Int64  // images not yet made
	done chan struct{} // closed when none is left
}

// job is image k of a slot.
type job struct {
	slot *slot
	k    int
}

func newLoader(d Dataset, order []int, opt LoadOptions) (*loader, error) {
	if err := opt.Config.Validate(); err != nil {
		return nil, err
	}
	if opt.BatchSize < 1 {
		return nil, ascood.Errorf(ascood.Invalid, "batch size %d: must be at least 1", opt.BatchSize)
	}
	if opt.Workers < 0 {
		return nil, ascood.Errorf(ascood.Invalid, "%d workers: must be at least 1, or 0 for one a processor", opt.Workers)
	}
	for _, i := range order {
		if i < 0 || i >= d.Len() {
			return nil, ascood.Errorf(ascood.Invalid, "image %d: the dataset has %d", i, d.Len())
		}
	}
	if opt.Workers == 0 {
		opt.Workers = runtime.GOMAXPROCS(0)
	}
	if opt.Augment == nil {
		opt.Augment = func(dst []uint8, img image.Image, _ *rand.Rand) { opt.Config.CropInto(dst, img) }
	}
	return &loader{data: d, order: order, opt: opt}, nil
}

// count is the number of batches.
func (l *loader) count() int { return (len(l.order) + l.opt.BatchSize - 1) / l.opt.BatchSize }

func (l *loader) start(ctx context.Context) {
	slots := min(l.count(), 1+readAhead)
	l.free = make(chan *slot, slots)
	for range slots {
		l.free <- new(slot)
	}
	l.pending = make(chan *slot, slots)
	l.jobs = make(chan job)
	l.running.Go(func() { l.produce(ctx) })
	for range min(l.opt.Workers, len(l.order)) {
		l.running.Go(func() { l.work(ctx) })
	}
}

// produce hands the images of batch after batch to the workers, as far ahead as
// there are free slots.
func (l *loader) produce(ctx context.Context) {
	defer close(l.jobs)
	for order := range slices.Chunk(l.order, l.opt.BatchSize) {
		var s *slot
		select {
		case s = <-l.free:
		case <-ctx.Done():
			return
		}
		s.reset(order, l.opt.Config.CropLen(), l.opt.Further)
		l.pending <- s // has room for every slot
		for k := range order {
			select {
			case l.jobs <- job{s, k}:
			case <-ctx.Done():
				return
			}
		}
	}
}

func (s *slot) reset(order []int, cropLen, further int) {
	n := len(order)
	s.Indices = order
	s.Pixels = slices.Grow(s.Pixels[:0], n*cropLen)[:n*cropLen]
	if s.Further == nil && further > 0 {
		s.Further = make([][]uint8, further)
	}
	for v := range s.Further {
		s.Further[v] = slices.Grow(s.Further[v][:0], n*cropLen)[:n*cropLen]
	}
	s.Labels = slices.Grow(s.Labels[:0], n)[:n]
	s.Errs = slices.Grow(s.Errs[:0], n)[:n]
	s.left.Store(int64(n))
	s.done = make(chan struct{})
}

// work makes images until there are no more jobs.
func (l *loader) work(ctx context.Context) {
	source := rand.NewChaCha8([32]byte{})
	rng := rand.New(source)
	for j := range l.jobs {
		source.Seed(l.seed(j.slot.Indices[j.k]))
		j.slot.Errs[j.k] = l.load(ctx, j.slot, j.k, rng)
		if j.slot.left.Add(-1) == 0 {
			close(j.slot.done)
		}
	}
}

// load loads and transforms image k of a slot.
func (l *loader) load(ctx context.Context, s *slot, k int, rng *rand.Rand) error {
	i := s.Indices[k]
	s.Labels[k] = int64(l.data.Label(i))
	size := l.opt.Config.CropLen()
	views := [][]uint8{s.Pixels[k*size:][:size:size]}
	for _, view := range s.Further {
		views = append(views, view[k*size:][:size:size])
	}
	img, err := l.data.Load(ctx, i, l.opt.Config.Reading)
	for _, pixels := range views {
		switch {
		case err != nil:
			clear(pixels) // of an earlier batch
		case isCrop(l.data, i):
			err = takeCrop(pixels, img, l.data.Name(i), l.opt.Config)
		default:
			l.opt.Augment(pixels, img, rng)
		}
	}
	return err
}

// seed is the state from which the randomness of image i is drawn.
func (l *loader) seed(i int) (seed [32]byte) {
	binary.LittleEndian.PutUint64(seed[0:], l.opt.Seed)
	binary.LittleEndian.PutUint64(seed[8:], uint64(l.opt.Epoch))
	binary.LittleEndian.PutUint64(seed[16:], uint64(i))
	return seed
}

// next returns the next batch of the order when all of it is made.
func (l *loader) next(ctx context.Context) (*slot, error) {
	var s *slot
	select {
	case s = <-l.pending:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	select {
	case <-s.done:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if ctx.Err() != nil { // what the images say
		return nil, context.Cause(ctx)
	}
	l.made++
	return s, nil
}
