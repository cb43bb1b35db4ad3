package report

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/ascood/ascood/metrics"
)

// Sizes of the charts' coordinates.
const (
	width  = 300
	height = 180
)

// chart draws how one method tells one OOD set apart.
type chart struct {
	Set                string
	AUROC, FPR95       float64
	ROC                string    // points of the polyline: ID rejected to the right, OOD caught upwards
	Operating          [2]string // the point of the threshold on it
	ID, OOD            string    // outlines of the histograms
	Threshold          string    // x of the threshold in the histograms
	Lowest, Highest    string    // scores at the histograms' ends
	CaughtAtThreshold  float64
	RejectsAtThreshold float64
}

// newChart compares the scores of ID and of OOD images at a threshold.
func newChart(id, ood []float64, threshold float64) chart {
	id, ood = slices.Sorted(slices.Values(id)), slices.Sorted(slices.Values(ood))
	c := chart{
		ROC:                roc(id, ood),
		RejectsAtThreshold: metrics.ShareBelow(id, threshold), CaughtAtThreshold: metrics.ShareBelow(ood, threshold),
	}
	c.Operating = [2]string{coordinate(width * c.RejectsAtThreshold), coordinate(height * (1 - c.CaughtAtThreshold))}

	low, high := limits(id, ood, threshold)
	c.Lowest, c.Highest = fmt.Sprintf("%.4g", low), fmt.Sprintf("%.4g", high)
	idBars, oodBars := histogram(id, low, high), histogram(ood, low, high)
	tallest := max(slices.Max(idBars), slices.Max(oodBars))
	c.ID, c.OOD = outline(idBars, tallest), outline(oodBars, tallest)
	c.Threshold = coordinate(width * place(threshold, low, high))
	return c
}

// roc is the curve as the points of a polyline.
func roc(id, ood []float64) string {
	var points []string
	for _, p := range metrics.Curve(id, ood) {
		points = append(points, coordinate(width*p.Rejected)+","+coordinate(height*(1-p.Caught)))
	}
	return strings.Join(points, " ")
}

// limits of a histogram of sorted scores: without the lowest and highest half
// percent, which may be far off, but with the threshold; finite in any case.
func limits(id, ood []float64, threshold float64) (low, high float64) {
	low, high = math.Inf(1), math.Inf(-1)
	for _, scores := range [][]float64{id, ood, {threshold}} {
		if scores = finite(scores); len(scores) > 0 {
			few := len(scores) / 200
			low, high = min(low, scores[few]), max(high, scores[len(scores)-1-few])
		}
	}
	switch {
	case high > low:
		return low, high
	case high == low:
		return low - 0.5, low + 0.5
	}
	return -0.5, 0.5
}

// finite returns sorted scores without the infinite ones.
func finite(sorted []float64) []float64 {
	from, _ := slices.BinarySearch(sorted, -math.MaxFloat64)
	to, _ := slices.BinarySearch(sorted, math.Inf(1))
	return sorted[from:to]
}

// place is where a score lies between the limits, from 0 to 1; the ends take what
// lies beyond.
func place(score, low, high float64) float64 {
	return min(max((score-low)/(high-low), 0), 1)
}

const bins = 50

// histogram returns the share of the scores in each of the bins; the outer ones
// take what lies beyond.
func histogram(scores []float64, low, high float64) []float64 {
	shares := make([]float64, bins)
	for _, s := range scores {
		shares[min(int(bins*place(s, low, high)), bins-1)] += 1 / float64(len(scores))
	}
	return shares
}

// outline is the path around a histogram's bars.
func outline(shares []float64, tallest float64) string {
	var path strings.Builder
	fmt.Fprintf(&path, "M0,%d", height)
	for i, s := range shares {
		fmt.Fprintf(&path, "V%sH%s", coordinate(height*(1-0.95*s/tallest)), coordinate(float64(width*(i+1))/bins))
	}
	fmt.Fprintf(&path, "V%dZ", height)
	return path.String()
}

func coordinate(v float64) string { return fmt.Sprintf("%.1f", v) }
