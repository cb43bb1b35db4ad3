package main

import (
	"fmt"
	"io"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/ascood/ascood/internal/cli"
	"github.com/ascood/ascood/train"
)

// progress shows a line an epoch and, on a terminal, a bar below with loss,
// accuracy, images/s and the time left to the end of the run.
type progress struct {
	w        io.Writer
	terminal bool
	bar      *progressbar.ProgressBar // nil until there is something to show
}

// throttle is the least time between two pictures of the bar.
const throttle = 200 * time.Millisecond

func newProgress(w io.Writer) *progress { return &progress{w: w, terminal: cli.IsTerminal(w)} }

// report shows an event.
func (p *progress) report(e train.Event) {
	switch {
	case e.Row != nil:
		p.end()
		p.epoch(*e.Row, e.Epochs)
	case p.terminal:
		p.step(e)
	}
}

func (p *progress) step(e train.Event) {
	if p.bar == nil {
		p.bar = progressbar.NewOptions(e.Left+e.Images,
			progressbar.OptionSetWriter(p.w), progressbar.OptionClearOnFinish(),
			progressbar.OptionShowIts(), progressbar.OptionSetItsString("images"),
			progressbar.OptionSetPredictTime(true), progressbar.OptionThrottle(throttle),
			progressbar.OptionSetWidth(20))
	}
	p.bar.Describe(fmt.Sprintf("epoch %d/%d  loss %.3f  accuracy %.1f%%", e.Epoch, e.Epochs, e.Loss, 100*e.Accuracy))
	p.bar.Add(e.Images) // fails only where more images come than there were to be
}

// epoch prints what an epoch came to.
func (p *progress) epoch(r train.Row, epochs int) {
	broken := ""
	if r.Broken+r.ValBroken > 0 {
		broken = fmt.Sprintf("  broken images skipped: train %d val %d", r.Broken, r.ValBroken)
	}
	fmt.Fprintf(p.w, "epoch %d/%d  loss %.3f (images %.3f, outliers %.3f)  accuracy train %.2f%% val %.2f%%  %.0f images/s  %.1f s%s\n",
		r.Epoch, epochs, r.LossEMA, r.LossID, r.LossOOD, 100*r.TrainAccuracy, 100*r.ValAccuracy, r.ImagesPerSecond, r.Seconds, broken)
}

// end leaves the terminal clean.
func (p *progress) end() {
	if p.bar != nil {
		p.bar.Clear()
	}
}
