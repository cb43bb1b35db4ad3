package posthoc

import (
	"gonum.org/v1/gonum/floats"

	"github.com/ascood/ascood"
)

// meanFeature returns the mean feature of a bank's images.
func meanFeature(b Bank) ([]float64, error) {
	var mean []float64
	for block, err := range b.Blocks() {
		if err != nil {
			return nil, err
		}
		if mean == nil {
			mean = make([]float64, block.Feature.Cols)
		}
		for i := range block.Len() {
			for k, v := range block.Feature.Row(i) {
				mean[k] += float64(v)
			}
		}
	}
	floats.Scale(1/float64(b.Len()), mean)
	return mean, nil
}

// classMeans returns the mean feature of each class by label over the images that
// are counted, nil for a class that none of these has.
func classMeans(b Bank, classes int, counted func(s *Set, i int) bool) ([][]float64, error) {
	means, counts := make([][]float64, classes), make([]float64, classes)
	for block, err := range b.Blocks() {
		if err != nil {
			return nil, err
		}
		for i, label := range block.Labels {
			if label < 0 || label >= classes {
				return nil, ascood.Errorf(ascood.Invalid, "a training image has label %d; the classes are 0 to %d", label, classes-1)
			}
			if !counted(block, i) {
				continue
			}
			if means[label] == nil {
				means[label] = make([]float64, block.Feature.Cols)
			}
			counts[label]++
			for k, v := range block.Feature.Row(i) {
				means[label][k] += float64(v)
			}
		}
	}
	for c, mean := range means {
		floats.Scale(1/counts[c], mean)
	}
	return means, nil
}

// missing lists the classes without a mean.
func missing(means [][]float64) []int {
	var classes []int
	for c, mean := range means {
		if mean == nil {
			classes = append(classes, c)
		}
	}
	return classes
}
