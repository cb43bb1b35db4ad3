package scoring

import (
	"github.com/ascood/ascood"
	"github.com/ascood/ascood/serve/drift"
)

// Limits bound the work that is done at once, for all models together, and what is kept
// of it.
type Limits struct {
	MaxPixels int // of one image, and of all images being decoded at once
	MaxBatch  int // images that share one run of the network; 0 is what suits each model (ioodin.Model.BatchSize)
	MaxQueue  int // images in work, those that wait included; further ones are refused as busy

	Drift drift.Config
}

// batch is how many images of a model may share a run.
func (l Limits) batch(m Model) int {
	if l.MaxBatch > 0 {
		return l.MaxBatch
	}
	return m.BatchSize()
}

// workers is how many batches to run at once. On the CPU one batch uses every
// core already; on a GPU the next batch is gathered and copied while one is computed.
func workers(d ascood.Device) int {
	if d.IsCUDA() {
		return 2
	}
	return 1
}
