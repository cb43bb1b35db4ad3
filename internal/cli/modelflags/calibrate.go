package modelflags

import (
	"context"
	"fmt"
	"io"

	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/dataset"
	"github.com/ascood/ascood/internal/cli"
	"github.com/ascood/ascood/ioodin"
	"github.com/ascood/ascood/metrics"
	"github.com/ascood/ascood/onnx"
)

// Calibration says on what images an artifact is to be calibrated.
type Calibration struct {
	Flag         string // that names the images
	Images, Root string // as dataset.Open takes them
	TPR          float64
}

// open opens the images, which must all be there and of the model's classes.
func (c Calibration) open(d *artifact.Metadata) (dataset.Dataset, error) {
	data, err := dataset.Open(c.Images, c.Root)
	if err == nil {
		data, err = dataset.Relabel(data, d.Classes)
	}
	if err == nil {
		err = dataset.CheckFiles(data)
	}
	if err == nil {
		err = artifact.CheckCalibration(data.Len(), c.TPR)
	}
	if err != nil {
		return nil, fmt.Errorf("--%s: %w", c.Flag, err)
	}
	return data, nil
}

// Calibrate runs a model on in-distribution images and returns its calibration. It
// says on stderr if the images are few for the TPR.
func (c Calibration) Calibrate(ctx context.Context, m *onnx.ModelProto, d *artifact.Metadata, opt ioodin.Options, stderr io.Writer) (*artifact.Calibration, error) {
	data, err := c.open(d)
	if err != nil {
		return nil, err
	}
	model, err := ioodin.New(m, d, opt)
	if err != nil {
		return nil, err
	}
	defer model.Close()
	add, finish := cli.Progress(stderr, data.Len(), "calibrating")
	result, err := model.Calibrate(ctx, data, c.Images, c.TPR, add)
	finish()
	if err != nil {
		return nil, err
	}
	if warning := metrics.TooFew(result.Samples, c.TPR); warning != "" {
		fmt.Fprintf(stderr, "Warning: %s.\n", warning)
	}
	return result, nil
}
