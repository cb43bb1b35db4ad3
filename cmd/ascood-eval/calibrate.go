package main

import (
	"context"
	"fmt"
	"io"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/eval"
	"github.com/ascood/ascood/internal/cli"
	"github.com/ascood/ascood/ioodin"
	"github.com/ascood/ascood/preprocess"
)

// calibrate writes a new calibration into an artifact: where the scores of the
// in-distribution images lie, and the threshold that keeps the share tpr of them.
func (f *flags) calibrate(ctx context.Context, opt ioodin.Options, stdout, stderr io.Writer) error {
	model, meta, err := artifact.Load(f.recalibrate)
	if err != nil {
		return err
	}
	d, err := preprocess.Open(f.id, f.root)
	if err != nil {
		return ascood.Errorf(ascood.Invalid, "--id: %w", err)
	}
	m, err := ioodin.New(model, meta, opt)
	if err != nil {
		return err
	}
	defer m.Close()
	add, finish := cli.Progress(stderr, d.Len(), "calibrate")
	c, err := m.Calibrate(ctx, d, f.id, f.tpr, add)
	finish()
	if err != nil {
		return err
	}
	meta.Calibration = c
	if err := artifact.Save(f.recalibrate, model, meta); err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%s: %s keeps %v%% of %d images at a threshold of %v\n", f.recalibrate, c.Score, 100*c.TPR, c.Samples, c.Threshold)
	if need, ok := eval.Supported(c.TPR, c.Samples); !ok {
		fmt.Fprintf(stderr, "%d images leave the threshold for a TPR of %v uncertain: better are at least %d\n", c.Samples, c.TPR, need)
	}
	return nil
}
