package metrics

import "slices"

// Operation is what a threshold does, in shares: reject ID images, catch OOD images.
type Operation struct{ Rejected, Caught float64 }

// Curve is the ROC curve of sorted scores, at each hundredth of the ID images and of the
// OOD images; (0, 0) is its first point, and (1, 1) its last.
func Curve(id, ood []float64) []Operation {
	thresholds := make([]float64, 0, 202)
	for _, scores := range [][]float64{id, ood} {
		for k := range 101 {
			thresholds = append(thresholds, scores[k*(len(scores)-1)/100])
		}
	}
	slices.Sort(thresholds)
	points := []Operation{{0, 0}}
	for _, t := range slices.Compact(thresholds) {
		points = append(points, Operation{ShareBelow(id, t), ShareBelow(ood, t)})
	}
	return append(points, Operation{1, 1})
}

// ShareBelow is the share of sorted values below t.
func ShareBelow(sorted []float64, t float64) float64 {
	k, _ := slices.BinarySearch(sorted, t)
	return float64(k) / float64(len(sorted))
}
