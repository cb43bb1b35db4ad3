package train

import "math"

// lrMultiplier is the factor on the learning rate lr at a step (from 0) of
// total: a cosine from 1 to minLR/lr.
func lrMultiplier(step, total int, lr float64) float64 {
	m := minLR / lr
	return m + (1-m)*0.5*(1+math.Cos(float64(step)/float64(total)*math.Pi))
}

// alpha is the strength of the outliers in an epoch (from 1) of epochs. It falls
// in equal steps and is lowest in the last.
func alpha(epoch, epochs int, lowest, highest float64) float64 {
	return (highest-lowest)*(1-float64(epoch)/float64(epochs)) + lowest
}

// smooth is the moving average of the loss that the references report; it
// starts from 0 in each epoch.
func smooth(average, loss float64) float64 { return average*0.8 + loss*0.2 }
