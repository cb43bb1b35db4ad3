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
	Flag         string          // that names the images
	Images, Root string          // as dataset.Open takes them
	Data         dataset.Dataset // opened already, in place of Root; Images is then how the user named them
	TPR          float64
	SkipBroken   bool // images that cannot be loaded are left out
}

// open opens the images, which must be of the model's classes, and all there unless
// some may be left out.
func (c Calibration) open(d *artifact.Metadata) (dataset.Dataset, error) {
	data, err := c.Data, error(nil)
	if data == nil {
		data, err = dataset.OpenFor(d.Classes, c.Images, c.Root)
	}
	if err == nil {
		data, err = dataset.Relabel(data, d.Classes)
	}
	if err == nil && !c.SkipBroken {
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
// says on stderr if the images are few for the TPR, which are left out, and, of
// labelled ones, how many the network classifies as they are labelled.
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
	NoteNumberedFolders(stderr, data)
	add, finish := cli.Progress(stderr, data.Len(), "calibrating")
	var seen Accuracy
	var broken []error
	result, err := model.Calibrate(ctx, data, c.Images, c.TPR, ioodin.CalibrateOptions{SkipBroken: c.SkipBroken, Each: func(s ioodin.Scanned) {
		if add(1); s.Err != nil {
			broken = append(broken, s.Err)
			return
		}
		seen.Add(data.Label(s.Index), s.Prediction)
	}})
	finish()
	if err != nil {
		return nil, err
	}
	WarnSkipped(stderr, c.Images, data.Len(), broken)
	seen.Tell(stderr, len(d.Classes))
	if warning := metrics.TooFew(result.Samples, c.TPR); warning != "" {
		fmt.Fprintf(stderr, "Warning: %s.\n", warning)
	}
	return result, nil
}
