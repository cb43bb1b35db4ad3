// Package metrics measures how well scores tell in-distribution images from others,
// in the terms of OpenOOD, and what thresholds are worth. It knows scores alone:
// numbers, where higher means more in-distribution.
package metrics

import (
	"math"
	"slices"

	"github.com/ascood/ascood"
)

// Metrics are OpenOOD's five, each from 0 to 1. OOD is the positive class
// throughout but in AUPRIn.
type Metrics struct {
	FPR95   float64 // share of ID images rejected where 95% of the OOD images are
	AUROC   float64
	AUPRIn  float64 // area under precision and recall of ID
	AUPROut float64 // area under precision and recall of OOD
	ACC     float64 // share of ID images classified correctly
}

// Compute compares the scores of ID images, of which correct are classified
// correctly, with those of OOD images; higher means more in-distribution. Time is
// that of sorting. Empty sets and scores that are not numbers are errors.
//
// The definitions are those of scikit-learn's roc_curve and
// precision_recall_curve, as OpenOOD v1.5 uses them: only distinct scores are
// thresholds, and areas are trapezoidal.
func Compute(id, ood []float64, correct int) (Metrics, error) {
	if len(id) == 0 || len(ood) == 0 {
		return Metrics{}, ascood.Errorf(ascood.Invalid, "%d ID and %d OOD scores: both are needed", len(id), len(ood))
	}
	if slices.ContainsFunc(id, math.IsNaN) || slices.ContainsFunc(ood, math.IsNaN) {
		return Metrics{}, ascood.Errorf(ascood.Invalid, "a score is not a number")
	}
	steps := tally(id, ood)
	nID, nOOD := float64(len(id)), float64(len(ood))
	m := Metrics{ACC: float64(correct) / nID, FPR95: fprAt(0.95, steps, nID, nOOD)}

	// Thresholds rise from the lowest score, at which OOD is detected first.
	var last step
	for _, s := range steps {
		m.AUROC += (s.id - last.id) / nID * (s.ood + last.ood) / 2 / nOOD
		last = s
	}
	m.AUPROut = areaPR(steps, func(s step) (hit, wrong float64) { return s.ood, s.id })
	slices.Reverse(steps)
	m.AUPRIn = areaPR(steps, func(s step) (hit, wrong float64) { return nID - s.idBelow, nOOD - s.oodBelow })
	return m, nil
}

// step counts the images up to and including one distinct score, and those below
// it.
type step struct{ id, ood, idBelow, oodBelow float64 }

// tally returns the steps of rising score.
func tally(id, ood []float64) []step {
	id, ood = slices.Clone(id), slices.Clone(ood)
	slices.Sort(id)
	slices.Sort(ood)
	steps := make([]step, 0, len(id)+len(ood))
	for i, o := 0, 0; i < len(id) || o < len(ood); {
		s := step{idBelow: float64(i), oodBelow: float64(o)}
		score := math.Inf(1)
		if i < len(id) {
			score = id[i]
		}
		if o < len(ood) {
			score = min(score, ood[o])
		}
		for i < len(id) && id[i] == score {
			i++
		}
		for o < len(ood) && ood[o] == score {
			o++
		}
		s.id, s.ood = float64(i), float64(o)
		steps = append(steps, s)
	}
	return steps
}

// fprAt returns the share of ID images at or below the first threshold that
// detects at least the share tpr of the OOD images, as the last one does.
func fprAt(tpr float64, steps []step, nID, nOOD float64) float64 {
	i := 0
	for steps[i].ood/nOOD < tpr || passedOver(steps, i) {
		i++
	}
	return steps[i].id / nID
}

// passedOver reports whether roc_curve leaves out a threshold: one that adds as many
// of each as the next does.
func passedOver(steps []step, i int) bool {
	if i == 0 || i == len(steps)-1 {
		return false
	}
	before, s, after := steps[i-1], steps[i], steps[i+1]
	return before.id+after.id == 2*s.id && before.ood+after.ood == 2*s.ood
}

// areaPR is the area under the curve of precision over recall; counts gives the
// true and false positives at each step, in the order in which they grow.
func areaPR(steps []step, counts func(step) (hit, wrong float64)) float64 {
	total, _ := counts(steps[len(steps)-1])
	area, recall, precision := 0.0, 0.0, 1.0
	for _, s := range steps {
		hit, wrong := counts(s)
		r, p := hit/total, hit/(hit+wrong)
		area += (r - recall) * (p + precision) / 2
		recall, precision = r, p
	}
	return area
}
