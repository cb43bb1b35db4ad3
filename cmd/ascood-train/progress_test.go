package main

import (
	"strings"
	"testing"

	"github.com/ascood/ascood/train"
)

func TestProgress(t *testing.T) {
	row := train.Row{
		Epoch: 1, LossID: 1.5, LossOOD: 0.25, LossEMA: 1.75, TrainAccuracy: 0.5, ValAccuracy: 0.625,
		ImagesPerSecond: 543.21, Seconds: 12.5,
	}
	line := "epoch 1/2  loss 1.750 (images 1.500, outliers 0.250)  accuracy train 50.00% val 62.50%  543 images/s  12.5 s\n"
	for _, bar := range []bool{false, true} {
		var out strings.Builder
		p := newProgress(&out, bar)
		p.report(train.Event{Epoch: 1, Epochs: 2, Images: 50, Left: 150, Loss: 1.25, Accuracy: 0.2})
		p.report(train.Event{Epoch: 1, Epochs: 2, Images: 50, Left: 100, Loss: 1.375, Accuracy: 0.45})
		p.report(train.Event{Epoch: 1, Epochs: 2, Left: 100, Row: &row})
		p.end()
		if !strings.Contains(out.String(), line) {
			t.Errorf("bar %v: no line of the epoch in %q", bar, out.String())
		}
		if !bar {
			if out.String() != line {
				t.Errorf("more than a line: %q", out.String())
			}
			continue
		}
		for _, part := range []string{"epoch 1/2  loss 1.250  accuracy 20.0%: 50 of 200 images, ", " left, ", "\r\x1b[Kepoch 1/2  loss 1.750"} {
			if !strings.Contains(out.String(), part) {
				t.Errorf("the bar does not show %q: %q", part, out.String())
			}
		}
	}
}
