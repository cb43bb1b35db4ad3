package train

import "github.com/ascood/ascood/gotorch"

// outcome is what a step was like before it changed the weights.
type outcome struct {
	lossID  float64 // Loss.ID
	lossOOD float64 // Loss.OOD, 0 without
	weight  float64 // Loss.Weight
	correct int     // images classified correctly
}

// fetchOutcome sends the numbers of an outcome on their way from the device.
func fetchOutcome(l Loss, correct gotorch.Tensor) gotorch.Tensor {
	if l.OOD == (gotorch.Tensor{}) {
		l.OOD = gotorch.ZerosLike(l.ID)
	}
	weight := gotorch.ZerosLike(l.ID).To(gotorch.Float64).AddScalar(l.Weight)
	return gotorch.Stack([]gotorch.Tensor{l.ID.To(gotorch.Float64), l.OOD.To(gotorch.Float64), weight, correct.To(gotorch.Float64)}, 0).Fetch()
}

// readOutcome waits for what fetchOutcome returned.
func readOutcome(numbers gotorch.Tensor) (outcome, error) {
	n := gotorch.ToSlice[float64](numbers)
	if err := numbers.Err(); err != nil {
		return outcome{}, err
	}
	return outcome{n[0], n[1], n[2], int(n[3])}, nil
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
