package main

import (
	"context"
	"fmt"
	"io"

	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/internal/atomicfile"
	"github.com/ascood/ascood/internal/cli/modelflags"
	"github.com/ascood/ascood/ioodin"
)

// calibrate writes a new calibration into an artifact: where the scores of the
// in-distribution images lie, and the threshold that keeps the share tpr of them.
func (f *flags) calibrate(ctx context.Context, opt ioodin.Options, stdout, stderr io.Writer) error {
	model, meta, err := artifact.Load(f.recalibrate)
	if err != nil {
		return err
	}
	if err := atomicfile.Check(f.recalibrate); err != nil {
		return fmt.Errorf("--calibrate: %w", err)
	}
	c, err := modelflags.Calibration{Flag: "id", Images: f.id, Root: f.root, TPR: f.tpr, SkipBroken: f.skipBroken}.Calibrate(ctx, model, meta, opt, stderr)
	if err != nil {
		return err
	}
	meta.Calibration = c
	if err := artifact.Save(f.recalibrate, model, meta); err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%s: %s keeps %v%% of %d images at a threshold of %v\n", f.recalibrate, c.Score, 100*c.TPR, c.Samples, c.Threshold)
	return nil
}
