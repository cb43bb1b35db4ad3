package serve

import (
	"context"
	"runtime"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/ascood/ascood/preprocess"
)

// decoder makes crops of files. However many requests there are, the images it
// holds at once have no more than maxPixels pixels together, and are no more
// than there are cores.
type decoder struct {
	preprocess preprocess.Config
	maxPixels  int
	share      int // of maxPixels for one core
	pixels     *semaphore.Weighted
}

// bytesPerPixel is the most memory that decoding an image takes (TestMemoryPerPixel),
// but for a few MiB that do not depend on its size.
const bytesPerPixel = 30

func newDecoder(c preprocess.Config, maxPixels int) *decoder {
	return &decoder{
		preprocess: c,
		maxPixels:  maxPixels,
		share:      max(1, maxPixels/runtime.GOMAXPROCS(0)),
		pixels:     semaphore.NewWeighted(int64(maxPixels)),
	}
}

// crop decodes a file and cuts the network's input out of it.
func (d *decoder) crop(ctx context.Context, file []byte, t *timing) ([]uint8, error) {
	start := time.Now()
	cost := d.cost(file)
	if err := d.pixels.Acquire(ctx, cost); err != nil {
		return nil, err
	}
	defer d.pixels.Release(cost)
	begun := time.Now()
	t.waiting += begun.Sub(start)
	defer func() { t.decoding = time.Since(begun) }()

	img, err := d.preprocess.Decode(ctx, file, d.maxPixels)
	if err != nil {
		return nil, err
	}
	return d.preprocess.Crop(img), nil
}

// cost is a file's number of pixels by its header, and at least one core's share.
// A file that is not an image, or a too large one, costs the least: it will be
// refused.
func (d *decoder) cost(file []byte) int64 {
	size, err := preprocess.Size(file, d.maxPixels)
	if err != nil {
		return int64(d.share)
	}
	return int64(max(d.share, size.X*size.Y))
}
