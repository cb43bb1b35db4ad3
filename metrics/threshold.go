package metrics

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
)

// TPRs are the shares of in-distribution images to keep that thresholds are given
// for.
var TPRs = []float64{0.90, 0.95, 0.99}

// Confidence of all intervals.
const Confidence = 0.95

// Rank returns which of n rising in-distribution scores, counted from 0, is the
// largest threshold that keeps at least the share tpr of them.
func Rank(n int, tpr float64) int {
	// A product such as 0.05·100 falls just short of a whole number.
	return int((1-tpr)*float64(n) + 1e-9)
}

// TooFew says that n in-distribution images leave the threshold of a TPR without a
// lower bound at Confidence: it may be far below the lowest of their scores. It is
// "" if they are enough.
func TooFew(n int, tpr float64) string {
	need := int(math.Ceil(math.Log((1-Confidence)/2) / math.Log(tpr)))
	if n >= need {
		return ""
	}
	return fmt.Sprintf("%d in-distribution images cannot support a TPR of %.4g%%: at least %d are needed", n, 100*tpr, need)
}

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
		t := Threshold{TPR: tpr, Score: threshold(sorted, tpr)}
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

// threshold returns the largest of the sorted values that keeps the share tpr. The
// number of values below the true quantile is binomial, which gives the ranks
// between which it lies.
func threshold(sorted []float64, tpr float64) Interval {
	n := len(sorted)
	v := Interval{Value: sorted[Rank(n, tpr)], Low: math.Inf(-1), High: math.Inf(1)}
	below := distuv.Binomial{N: float64(n), P: 1 - tpr}
	tail := (1 - Confidence) / 2
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
	z := distuv.UnitNormal.Quantile(1 - (1-Confidence)/2)
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
		if warning := TooFew(n, h.TPR); warning != "" {
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
			record := []string{Number(h.TPR), Number(h.Score.Value), Number(h.Score.Low), Number(h.Score.High), set}
			c.Write(append(record, Number(h.Caught[k].Value), Number(h.Caught[k].Low), Number(h.Caught[k].High)))
		}
	}
	c.Flush()
	return c.Error()
}

// number is a value in the digits that give it back.
func Number(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
