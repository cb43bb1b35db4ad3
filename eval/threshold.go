package eval

import (
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"slices"
	"sort"
	"strconv"
	"text/tabwriter"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/artifact"
)

// TPRs are the shares of in-distribution images to keep that thresholds are given
// for.
var TPRs = []float64{0.90, 0.95, 0.99}

// confidence of all intervals.
const confidence = artifact.Confidence

// Interval is an estimate with the bounds between which the truth lies with 95%
// confidence.
type Interval struct{ Value, Low, High float64 }

// Threshold is the score from which an image counts as in-distribution.
type Threshold struct {
	TPR    float64    // share of the in-distribution images that it keeps
	Score  Interval   // a Low of -Inf means that there are too few images to tell
	Caught []Interval // of each OOD set, the share below Score.Value
}

// Thresholds returns for each of TPRs the largest threshold that keeps so much of
// the in-distribution scores, and what it catches of each OOD set. The interval
// of the threshold is that of the order statistics, whatever the distribution;
// those of the shares are Wilson's, with the threshold taken as given.
func Thresholds(id []float64, ood ...[]float64) ([]Threshold, error) {
	if len(id) == 0 {
		return nil, ascood.Errorf(ascood.Invalid, "there are no in-distribution scores")
	}
	sorted := slices.Sorted(slices.Values(id))
	var all []Threshold
	for _, tpr := range TPRs {
		t := Threshold{TPR: tpr, Score: quantile(sorted, 1-tpr)}
		for _, scores := range ood {
			caught := 0
			for _, s := range scores {
				if s < t.Score.Value {
					caught++
				}
			}
			t.Caught = append(t.Caught, wilson(caught, len(scores)))
		}
		all = append(all, t)
	}
	return all, nil
}

// quantile returns the largest of the sorted values with at most the share q
// below it. The number of values below the true quantile is binomial, which gives
// the ranks between which it lies.
func quantile(sorted []float64, q float64) Interval {
	n := len(sorted)
	// A product such as 0.05·100 falls just short of a whole number.
	v := Interval{Value: sorted[int(q*float64(n)+1e-9)], Low: math.Inf(-1), High: math.Inf(1)}
	below := distuv.Binomial{N: float64(n), P: q}
	tail := (1 - confidence) / 2
	low := sort.Search(n, func(k int) bool { return below.CDF(float64(k)) > tail })
	high := sort.Search(n, func(k int) bool { return below.CDF(float64(k)) >= 1-tail })
	if low > 0 {
		v.Low = sorted[low-1]
	}
	if high < n {
		v.High = sorted[high]
	}
	return v
}

// wilson is Wilson's score interval for a share of k in n.
func wilson(k, n int) Interval {
	z := distuv.UnitNormal.Quantile(1 - (1-confidence)/2)
	p, N := float64(k)/float64(n), float64(n)
	middle := (p + z*z/(2*N)) / (1 + z*z/N)
	half := z / (1 + z*z/N) * math.Sqrt(p*(1-p)/N+z*z/(4*N*N))
	i := Interval{p, max(0, middle-half), min(1, middle+half)}
	// Exactly so, but for rounding.
	if k == 0 {
		i.Low = 0
	}
	if k == n {
		i.High = 1
	}
	return i
}

// Thresholds returns the thresholds of a result, with the names of the OOD sets.
func (e *Evaluation) Thresholds(r Result) ([]Threshold, []string, error) {
	var sets []string
	var ood [][]float64
	for k, s := range e.Sets()[1:] {
		sets, ood = append(sets, s.Name), append(ood, r.Scores[k+1].Values)
	}
	all, err := Thresholds(r.Scores[0].Values, ood...)
	return all, sets, err
}

// WriteThresholds prints thresholds, aligned for reading, with a warning where
// there are too few in-distribution images, of which there are n.
func WriteThresholds(w io.Writer, all []Threshold, sets []string, n int) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(t, "TPR\tthreshold\t95% interval\t")
	for _, s := range sets {
		fmt.Fprintf(t, "caught of %s\t", s)
	}
	fmt.Fprintln(t)
	for _, h := range all {
		fmt.Fprintf(t, "%.0f%%\t%.6g\t%.6g to %.6g\t", 100*h.TPR, h.Score.Value, h.Score.Low, h.Score.High)
		for _, c := range h.Caught {
			fmt.Fprintf(t, "%.1f%% (%.1f to %.1f)\t", 100*c.Value, 100*c.Low, 100*c.High)
		}
		fmt.Fprintln(t)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, h := range all {
		if warning := artifact.TooFew(n, h.TPR); warning != "" {
			fmt.Fprintf(w, "%s.\n", warning)
		}
	}
	return nil
}

// WriteThresholdsCSV writes a line for each threshold and OOD set.
func WriteThresholdsCSV(w io.Writer, all []Threshold, sets []string) error {
	c := csv.NewWriter(w)
	c.Write([]string{"tpr", "threshold", "threshold_low", "threshold_high", "set", "caught", "caught_low", "caught_high"})
	for _, h := range all {
		for k, set := range sets {
			record := []string{number(h.TPR), number(h.Score.Value), number(h.Score.Low), number(h.Score.High), set}
			c.Write(append(record, number(h.Caught[k].Value), number(h.Caught[k].Low), number(h.Caught[k].High)))
		}
	}
	c.Flush()
	return c.Error()
}

// number is a value in the digits that give it back.
func number(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
