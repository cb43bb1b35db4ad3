package artifact

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"sort"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/metrics"
)

// Calibration places a score among those of in-distribution images that the
// training has not seen.
type Calibration struct {
	Samples   int       `json:"samples"`           // how many images
	TPR       float64   `json:"tpr"`               // share of them that the threshold keeps
	Threshold float64   `json:"threshold"`         // a score below it is out of distribution
	Quantiles []float64 `json:"quantiles"`         // order statistics of their scores, evenly spaced in rank, first and last included
	Score     Score     `json:"score"`             // what was measured; other settings need another calibration
	Data      string    `json:"data"`              // what the images were, as the user named them
	Classes   []int     `json:"classes,omitempty"` // how many of them have each class as the most likely one; none in files of before it was counted
}

// maxQuantiles bounds the metadata's size (100 kB); up to as many samples the
// p-values are exact.
const maxQuantiles = 10_000

// Calibrate finds the largest threshold that keeps at least the share tpr of the
// in-distribution scores. It is an error if there are no scores, if one is not a
// number, or if there are too few for a threshold other than the lowest score.
func Calibrate(scores []float64, tpr float64, score Score, data string) (*Calibration, error) {
	n := len(scores)
	if err := CheckCalibration(n, tpr); err != nil {
		return nil, err
	}
	if slices.ContainsFunc(scores, math.IsNaN) {
		return nil, ascood.Errorf(ascood.Invalid, "a calibration score is not a number: the network's output is broken")
	}
	sorted := slices.Sorted(slices.Values(scores))
	return &Calibration{
		Samples: n, TPR: tpr, Threshold: sorted[metrics.Rank(n, tpr)],
		Quantiles: thin(sorted, maxQuantiles), Score: score, Data: data,
	}, nil
}

// validate reports what Calibrate would not have returned.
func (c *Calibration) validate() error {
	finite := func(v float64) bool { return v-v == 0 }
	switch {
	case c.Samples < 1:
		return fmt.Errorf("samples is %d; want at least 1", c.Samples)
	case !(c.TPR > 0 && c.TPR < 1):
		return fmt.Errorf("tpr is %v; want a number between 0 and 1", c.TPR)
	case !finite(c.Threshold):
		return fmt.Errorf("threshold is %v; want a finite number", c.Threshold)
	case len(c.Quantiles) < 1 || len(c.Quantiles) > c.Samples:
		return fmt.Errorf("quantiles has %d numbers for %d samples; want from 1 to as many", len(c.Quantiles), c.Samples)
	case slices.ContainsFunc(c.Quantiles, func(q float64) bool { return !finite(q) }):
		return errors.New("quantiles has a number that is not finite")
	case !slices.IsSorted(c.Quantiles):
		return errors.New("quantiles are not in ascending order")
	case slices.ContainsFunc(c.Classes, func(n int) bool { return n < 0 || n > c.Samples }):
		return fmt.Errorf("classes has a number of images outside 0 to %d, as many as there are", c.Samples)
	}
	if err := c.Score.Validate(); err != nil {
		return fmt.Errorf("score: %w", err)
	}
	return nil
}

// CheckCalibration reports whether Calibrate can work with n scores and this TPR.
func CheckCalibration(n int, tpr float64) error {
	if !(tpr > 0 && tpr < 1) {
		return ascood.Errorf(ascood.Invalid, "TPR %v: must be between 0 and 1", tpr)
	}
	if least := int(math.Ceil(1/(1-tpr) - 1e-9)); n < least {
		return ascood.Errorf(ascood.Invalid, "%d in-distribution images give no threshold for a TPR of %v: at least %d are needed", n, tpr, least)
	}
	return nil
}

// PValue is the conformal p-value of a score: the share of in-distribution
// images at least this strange, the image itself counted in, so in
// [1/(Samples+1), 1].
func (c *Calibration) PValue(score float64) float64 {
	below := sort.Search(len(c.Quantiles), func(i int) bool { return c.Quantiles[i] > score })
	rank := float64(below) * (float64(c.Samples) / float64(len(c.Quantiles)))
	return (rank + 1) / float64(c.Samples+1)
}

// thin keeps at most n of the sorted values, evenly spaced in rank.
func thin(sorted []float64, n int) []float64 {
	if len(sorted) <= n {
		return sorted
	}
	kept := make([]float64, n)
	for i := range kept {
		kept[i] = sorted[i*(len(sorted)-1)/(n-1)]
	}
	return kept
}
