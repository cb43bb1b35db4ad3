package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/ioodin"
	"github.com/ascood/ascood/onnx"
	"github.com/ascood/ascood/preprocess"
)

// Calibrate runs a model on in-distribution images, named as preprocess.Open takes
// them, and returns its calibration for a TPR. It says on stderr if the images are
// few for that.
func Calibrate(ctx context.Context, m *onnx.ModelProto, d *artifact.Metadata, images, root string, tpr float64, opt ioodin.Options, stderr io.Writer) (*artifact.Calibration, error) {
	data, err := preprocess.Open(images, root)
	if err != nil {
		return nil, err
	}
	if err := preprocess.CheckFiles(data); err != nil {
		return nil, err
	}
	model, err := ioodin.New(m, d, opt)
	if err != nil {
		return nil, err
	}
	defer model.Close()
	add, finish := Progress(stderr, data.Len(), "calibrating")
	c, err := model.Calibrate(ctx, data, images, tpr, add)
	finish()
	if err != nil {
		return nil, err
	}
	if warning := artifact.TooFew(c.Samples, tpr); warning != "" {
		fmt.Fprintf(stderr, "Warning: %s.\n", warning)
	}
	return c, nil
}
