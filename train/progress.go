package train

import (
	"fmt"
	"io"
	"time"

	"github.com/schollz/progressbar/v3"
)

// progress shows a line an epoch and, on a terminal, a bar below with loss,
// accuracy, images/s and the time left to the end of the run.
type progress struct {
	w      io.Writer
	epochs int
	bar    *progressbar.ProgressBar // nil where w is no terminal
}

// throttle is the least time between two pictures of the bar.
const throttle = 200 * time.Millisecond

// newProgress shows a run of the given number of epochs, with so many images
// left to train on.
func newProgress(w io.Writer, bar bool, epochs, images int) *progress {
	p := &progress{w: w, epochs: epochs}
	if bar {
		p.bar = progressbar.NewOptions(images,
			progressbar.OptionSetWriter(w), progressbar.OptionClearOnFinish(),
			progressbar.OptionShowIts(), progressbar.OptionSetItsString("images"),
			progressbar.OptionSetPredictTime(true), progressbar.OptionThrottle(throttle),
			progressbar.OptionSetWidth(20))
	}
	return p
}

// step tells of a step on so many images; sum is the epoch's so far.
func (p *progress) step(images, epoch int, sum tally) {
	if p.bar == nil {
		return
	}
	p.bar.Describe(fmt.Sprintf("epoch %d/%d  loss %.3f  accuracy %.1f%%", epoch, p.epochs, sum.LossEMA, 100*sum.accuracy()))
	p.bar.Add(images) // fails only where more images come than there were to be
}

// epoch prints what an epoch came to.
func (p *progress) epoch(r Row) {
	if p.bar != nil {
		p.bar.Clear()
	}
	broken := ""
	if r.Broken > 0 {
		broken = fmt.Sprintf("  %d broken images skipped", r.Broken)
	}
	fmt.Fprintf(p.w, "epoch %d/%d  loss %.3f (images %.3f, outliers %.3f)  accuracy train %.2f%% val %.2f%%  %.0f images/s  %.1f s%s\n",
		r.Epoch, p.epochs, r.LossEMA, r.LossID, r.LossOOD, 100*r.TrainAccuracy, 100*r.ValAccuracy, r.ImagesPerSecond, r.Seconds, broken)
}

// stop leaves the terminal clean.
func (p *progress) stop() {
	if p.bar != nil {
		p.bar.Clear()
	}
}
