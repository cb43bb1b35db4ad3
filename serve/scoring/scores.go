package scoring

import (
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ascood/ascood/artifact"
)

// newScores is the histogram of a model's scores. Each method has scores of its own size,
// so the buckets follow the calibration.
func newScores(model string, c *artifact.Calibration) prometheus.Histogram {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "ascood_score", Help: "Scores of images; a bucket ends at the threshold, the others are as far apart as the calibration says.",
		Buckets: scoreBuckets(c),
	}, []string{"model"}).WithLabelValues(model).(prometheus.Histogram)
}

// scoreBuckets are the threshold, and a dozen on either side of it, of which the fourth
// above is the calibration's median.
func scoreBuckets(c *artifact.Calibration) []float64 {
	const each, median = 12, 4
	last := len(c.Quantiles) - 1
	width := c.Quantiles[last/2] - c.Threshold
	if width <= 0 { // most images have the same score
		width = c.Quantiles[last] - c.Quantiles[0]
	}
	var ends []float64
	for i := -each; i <= each; i++ {
		ends = append(ends, c.Threshold+float64(i)*width/median)
	}
	return slices.Compact(ends) // which all are one if all scores are
}
