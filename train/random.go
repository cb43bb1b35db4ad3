package train

import "math/rand/v2"

// purpose separates the random streams of a run.
type purpose uint64

const (
	forWeights  purpose = iota // n = 0
	forSubset                  // n = 0 for training images, 1 for validation images
	forOrder                   // n = epoch
	forOutliers                // n = step since the start of the run
	forDraws                   // likewise: numbers that a method draws
	forOwn                     // n = 0: what a method's own tensors begin with
	forExposure                // n = pass over the outliers of Config.Outliers: their order
)

// random returns the n-th stream for a purpose. Every draw of a run is a
// function of the seed and of where the run is, so that there is no state of a
// generator to save for resuming.
func random(seed uint64, p purpose, n int) *rand.Rand {
	return rand.New(rand.NewPCG(seed, uint64(p)<<48|uint64(n)))
}
