package main

import (
	"fmt"
	"io"

	"github.com/ascood/ascood/internal/cli"
	"github.com/ascood/ascood/train"
)

// progress shows a line an epoch and, on a terminal, one below with loss, accuracy,
// images/s and the time left to the end of the run.
type progress struct {
	w      io.Writer
	status *cli.Status // nil if w is no terminal
	done   int         // images
}

func newProgress(w io.Writer, terminal bool) *progress {
	p := &progress{w: w}
	if terminal {
		p.status = cli.NewStatus(w, true)
	}
	return p
}

// report shows an event.
func (p *progress) report(e train.Event) {
	p.done += e.Images
	switch {
	case e.Row != nil:
		p.end()
		p.epoch(*e.Row, e.Epochs)
	case p.status != nil:
		p.status.Show(p.done, p.done+e.Left, fmt.Sprintf("epoch %d/%d  loss %.3f  accuracy %.1f%%", e.Epoch, e.Epochs, e.Loss, 100*e.Accuracy))
	}
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
	if p.status != nil {
		p.status.Clear()
	}
}
