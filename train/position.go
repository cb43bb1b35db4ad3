package train

// position is where a run is; it is saved with runs.LastFile.
type position struct {
	Epochs   int     `json:"epochs"`   // finished
	Steps    int     `json:"steps"`    // made of the next epoch
	Tally    tally   `json:"tally"`    // of those steps
	Accuracy float64 `json:"accuracy"` // of the last validation
	Best     float64 `json:"best"`     // validation accuracy so far, or the negative of the method's criterion
}

// tally sums up the steps of an epoch.
type tally struct {
	Images  int     `json:"images"`   // taken from the order
	Broken  int     `json:"broken"`   // of these, could not be loaded
	LossID  float64 `json:"loss_id"`  // sum over the others
	LossOOD float64 `json:"loss_ood"` // likewise
	LossEMA float64 `json:"loss_ema"`
	Correct int     `json:"correct"`
	Seconds float64 `json:"seconds"`
}

func (t *tally) add(o outcome, images int) {
	t.Images += images
	t.LossID += o.lossID * float64(images)
	t.LossOOD += o.lossOOD * float64(images)
	t.LossEMA = smooth(t.LossEMA, o.lossID+o.weight*o.lossOOD)
	t.Correct += o.correct
}

// skip counts images that could not be loaded.
func (t *tally) skip(images int) {
	t.Images += images
	t.Broken += images
}

// sound is the number of images that could be loaded.
func (t *tally) sound() float64 { return float64(t.Images - t.Broken) }

func (t *tally) accuracy() float64 { return float64(t.Correct) / max(1, t.sound()) }
