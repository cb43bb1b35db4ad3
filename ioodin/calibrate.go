package ioodin

import (
	"context"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/preprocess"
)

// Calibrate scores the images of an in-distribution dataset that the training
// has not seen, and returns where the threshold and the quantiles lie. data is
// how the user named the images; done, if not nil, is called with the number of
// images after each batch. An image that cannot be read ends it with an error.
func (m *Model) Calibrate(ctx context.Context, d preprocess.Dataset, data string, tpr float64, done func(n int)) (*artifact.Calibration, error) {
	order := make([]int, d.Len())
	for i := range order {
		order[i] = i
	}
	var scores []float64
	load := preprocess.LoadOptions{Config: m.info.Preprocess, BatchSize: calibrationBatch}
	for batch, err := range preprocess.Batches(ctx, d, order, load) {
		if err != nil {
			return nil, err
		}
		results, err := m.Score(ctx, crops(batch))
		if err != nil {
			return nil, err
		}
		for i, r := range results {
			if label := int(batch.Labels[i]); label >= len(m.info.Classes) {
				return nil, ascood.Errorf(ascood.Invalid, "%s has label %d, but the model has %d classes: calibration needs in-distribution images",
					d.Name(batch.Indices[i]), label, len(m.info.Classes))
			}
			scores = append(scores, r.Score)
		}
		if done != nil {
			done(len(results))
		}
	}
	return artifact.Calibrate(scores, tpr, m.score, data)
}

// calibrationBatch is how many images are scored at once.
const calibrationBatch = 64

// crops divides a batch's memory into its images.
func crops(b preprocess.Batch) [][]uint8 {
	n := len(b.Labels)
	each := len(b.Pixels) / max(n, 1)
	images := make([][]uint8, n)
	for i := range images {
		images[i] = b.Pixels[i*each : (i+1)*each]
	}
	return images
}
