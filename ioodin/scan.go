package ioodin

import (
	"context"
	"errors"
	"iter"
	"runtime"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/dataset"
)

// ScanOptions says how a dataset is gone through.
type ScanOptions struct {
	BatchSize int  // images scored at once; 0 is DefaultBatchSize's
	KeepGoing bool // an image that cannot be read is reported and passed over
}

// DefaultBatchSize is how many images of size x size pixels of a dataset to hand over at once. A GPU
// computes all of them; each thread of a CPU takes several pieces, one after the other, so that it seldom waits for the
// others at the end. 0 threads are one a core.
func DefaultBatchSize(d ascood.Device, size, threads int) int {
	if d.IsCUDA() {
		return mostBatch
	}
	const pieces = 4
	return min(pieces*atOnce(size, threads), 2*mostBatch)
}

// atOnce is how many images a CPU computes at once, a piece for each of its threads.
func atOnce(size, threads int) int {
	if threads == 0 {
		threads = runtime.NumCPU()
	}
	return pieceSize(size) * threads
}

const mostBatch = 32

// pieceSize is how many images of size x size pixels a CPU computes at once. What one
// layer leaves for the next must stay in the caches: i-ODIN with ResNet-18 at 224x224
// pixels scores 13.7 images/s one by one and 4.6 in batches of 32 (two cores), while at
// 32x32 the batch hardly matters.
func pieceSize(size int) int {
	const cached = 32 * 32 * 32
	return min(max(cached/(size*size), 1), mostBatch)
}

// Scanned is an image of a dataset with its result, or with the reason why there
// is none.
type Scanned struct {
	Index int // in the dataset
	Result
	Err error // not nil only with KeepGoing
}

// Scan scores the images of a dataset in order. Decoding runs in parallel with
// scoring. The first error ends it.
func (m *Model) Scan(ctx context.Context, d dataset.Dataset, opt ScanOptions) iter.Seq2[Scanned, error] {
	load := dataset.LoadOptions{Config: m.info.Preprocess, BatchSize: opt.BatchSize, KeepGoing: opt.KeepGoing}
	if load.BatchSize == 0 {
		load.BatchSize = DefaultBatchSize(m.Device(), m.info.Preprocess.ImageSize, m.threads)
	}
	order := make([]int, d.Len())
	for i := range order {
		order[i] = i
	}
	return func(yield func(Scanned, error) bool) {
		for batch, err := range dataset.Batches(ctx, d, order, load) {
			if err != nil {
				yield(Scanned{}, err)
				return
			}
			images, err := m.scanBatch(ctx, d, batch)
			if err != nil {
				yield(Scanned{}, err)
				return
			}
			for _, image := range images {
				if !yield(image, nil) {
					return
				}
			}
		}
	}
}

// scanBatch scores the images of a batch that could be read.
func (m *Model) scanBatch(ctx context.Context, d dataset.Dataset, b dataset.Batch) ([]Scanned, error) {
	size := m.info.Preprocess.CropLen()
	images := make([]Scanned, len(b.Indices))
	var crops [][]uint8
	var sound []int // the crops' indices in the dataset
	for i := range images {
		images[i] = Scanned{Index: b.Indices[i], Err: b.Errs[i]}
		if b.Errs[i] == nil {
			crops, sound = append(crops, b.Pixels[i*size:(i+1)*size]), append(sound, b.Indices[i])
		}
	}
	results, err := m.Score(ctx, crops)
	if e, ok := errors.AsType[*ScoreError](err); ok {
		return nil, ascood.Errorf(ascood.Internal, "the score of %s %s", d.Name(sound[e.Index]), notANumber)
	}
	if err != nil {
		return nil, err
	}
	for i := range images {
		if images[i].Err == nil {
			images[i].Result, results = results[0], results[1:]
		}
	}
	return images, nil
}

// CalibrateOptions say how images are calibrated on.
type CalibrateOptions struct {
	SkipBroken bool          // an image that cannot be read is left out; else it is an error
	Each       func(Scanned) // called with each image; may be nil
}

// Calibrate scores the images of an in-distribution dataset that the training
// has not seen, and returns where the threshold and the quantiles lie. data is
// how the user named the images.
func (m *Model) Calibrate(ctx context.Context, d dataset.Dataset, data string, tpr float64, opt CalibrateOptions) (*artifact.Calibration, error) {
	if err := artifact.CheckCalibration(d.Len(), tpr); err != nil {
		return nil, err
	}
	scores := make([]float64, 0, d.Len())
	classes := make([]int, len(m.info.Classes))
	for image, err := range m.Scan(ctx, d, ScanOptions{KeepGoing: opt.SkipBroken}) {
		if err != nil {
			return nil, err
		}
		if opt.Each != nil {
			opt.Each(image)
		}
		if image.Err != nil {
			continue
		}
		if label := d.Label(image.Index); label >= len(m.info.Classes) {
			return nil, ascood.Errorf(ascood.Invalid, "%s has label %d, but the model has %d classes: calibration needs in-distribution images",
				d.Name(image.Index), label, len(m.info.Classes))
		}
		scores = append(scores, image.Score)
		classes[image.Prediction]++
	}
	c, err := artifact.Calibrate(scores, tpr, m.score, data)
	if err != nil {
		return nil, err
	}
	c.Classes = classes
	return c, nil
}
