package train

// Event tells of the progress of a run.
type Event struct {
	Epoch, Epochs int     // the one at hand, from 1, and how many there are to be
	Images        int     // just trained on
	Left          int     // images to train on until the run's end
	Loss          float64 // moving average over the epoch so far, as Row.LossEMA
	Accuracy      float64 // share of the epoch's images so far that were classified correctly
	Row           *Row    // what the epoch came to, at its end; nil before
}
