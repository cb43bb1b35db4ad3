package scoring

import (
	"math"
	"slices"
	"testing"

	"github.com/ascood/ascood/artifact"
)

// TestScoreBuckets: whatever the scores of a calibration, buckets are such as a histogram
// takes, one ends at the threshold, and one at the median.
func TestScoreBuckets(t *testing.T) {
	for name, tt := range map[string]struct {
		threshold float64
		quantiles []float64
		n         int
		median    float64
	}{
		"narrow":        {0.1001, []float64{0.1, 0.1001, 0.1002, 0.1003, 0.1004}, 25, 0.1002},
		"negative":      {-20, []float64{-30, -20, -12, -11, -10}, 25, -12},
		"one sample":    {7, []float64{7}, 1, 7},
		"all the same":  {1, []float64{1, 1, 1}, 1, 1},
		"most the same": {1, []float64{0.5, 1, 1, 1, 1}, 25, 1},
		"beyond digits": {1, []float64{1, 1, math.Nextafter(1, 2)}, 0, 1},
	} {
		ends := scoreBuckets(&artifact.Calibration{Threshold: tt.threshold, Quantiles: tt.quantiles})
		if tt.n > 0 && len(ends) != tt.n || !slices.IsSorted(ends) || len(slices.Compact(slices.Clone(ends))) != len(ends) {
			t.Errorf("%s: %v", name, ends)
		}
		if !slices.Contains(ends, tt.threshold) || !slices.ContainsFunc(ends, func(e float64) bool { return math.Abs(e-tt.median) < 1e-12 }) {
			t.Errorf("%s: %v lacks the threshold or the median", name, ends)
		}
	}
}
