package scoring

import "github.com/ascood/ascood"

// Limits bound the work that is done at once, for all models together.
type Limits struct {
	MaxPixels int // of one image, and of all images being decoded at once
	MaxBatch  int // images that share one run of the network
}

// workers is how many batches to run at once. On the CPU one batch uses every
// core already; on a GPU the next batch is gathered and copied while one is computed.
func workers(d ascood.Device) int {
	if d.IsCUDA() {
		return 2
	}
	return 1
}
