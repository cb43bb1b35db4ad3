package train

// position is where a run is; it is saved with LastFile.
type position struct {
	Epochs   int     `json:"epochs"`   // finished
	Steps    int     `json:"steps"`    // made of the next epoch
	Tally    tally   `json:"tally"`    // of those steps
	Accuracy float64 `json:"accuracy"` // of the last validation
	Best     float64 `json:"best"`     // validation accuracy so far
}

// tally sums up the steps of an epoch.
type tally struct {
	Images  int     `json:"images"`
	LossID  float64 `json:"loss_id"`  // sum over the images
	LossOOD float64 `json:"loss_ood"` // likewise
	LossEMA float64 `json:"loss_ema"`
	Correct int     `json:"correct"`
	Seconds float64 `json:"seconds"`
}

func (t *tally) add(o outcome, images int, w float64) {
	t.Images += images
	t.LossID += o.lossID * float64(images)
	t.LossOOD += o.lossOOD * float64(images)
	t.LossEMA = smooth(t.LossEMA, o.lossID+w*o.lossOOD)
	t.Correct += o.correct
}

func (t *tally) accuracy() float64 { return float64(t.Correct) / float64(t.Images) }
