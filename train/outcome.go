package train

import "github.com/ascood/ascood/gotorch"

// outcome is what a step was like before it changed the weights.
type outcome struct {
	lossID  float64 // mean cross-entropy of the images
	lossOOD float64 // mean divergence of the outliers' predictions from uniform
	correct int     // images classified correctly
}

// fetchOutcome sends the numbers of an outcome on their way from the device.
func fetchOutcome(lossID, lossOOD, correct gotorch.Tensor) gotorch.Tensor {
	return gotorch.Stack([]gotorch.Tensor{lossID.To(gotorch.Float64), lossOOD.To(gotorch.Float64), correct.To(gotorch.Float64)}, 0).Fetch()
}

// readOutcome waits for what fetchOutcome returned.
func readOutcome(numbers gotorch.Tensor) (outcome, error) {
	n := gotorch.ToSlice[float64](numbers)
	if err := numbers.Err(); err != nil {
		return outcome{}, err
	}
	return outcome{n[0], n[1], int(n[2])}, nil
}

// queued is a step that was made but whose outcome has not been read: a GPU may
// still be computing it.
type queued struct {
	at      when
	number  int            // among the epoch's steps, from 1
	sound   int            // images that it trained on; the step is none if there are none
	broken  int            // images of its batch that could not be loaded
	scope   *gotorch.Scope // of numbers
	numbers gotorch.Tensor // for readOutcome
}

// close frees the numbers.
func (q *queued) close() {
	if q != nil && q.scope != nil {
		q.scope.Close()
	}
}
