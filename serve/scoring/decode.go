package scoring

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
	maxPixels int
	share     int // of maxPixels for one core
	pixels    *semaphore.Weighted
}

// BytesPerPixel is the most memory that decoding an image takes (TestMemoryPerPixel),
// but for a few MiB that do not depend on its size.
const BytesPerPixel = 30

func newDecoder(maxPixels int) *decoder {
	return &decoder{
		maxPixels: maxPixels,
		share:     max(1, maxPixels/runtime.GOMAXPROCS(0)),
		pixels:    semaphore.NewWeighted(int64(maxPixels)),
	}
}

// crop decodes a file and cuts a network's input out of it.
func (d *decoder) crop(ctx context.Context, c preprocess.Config, file []byte, t *Times) ([]uint8, error) {
	start := time.Now()
	cost := d.cost(file)
	err := d.pixels.Acquire(ctx, cost)
	begun := time.Now()
	span(ctx, "queue", start, begun, err)
	if err != nil {
		return nil, err
	}
	defer d.pixels.Release(cost)
	img, err := c.Decode(ctx, file, d.maxPixels)
	var crop []uint8
	if err == nil {
		crop = c.Crop(img)
	}
	ended := time.Now()
	span(ctx, "decode", begun, ended, err)
	t.Waiting += begun.Sub(start)
	t.Decoding = ended.Sub(begun)
	return crop, err
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
