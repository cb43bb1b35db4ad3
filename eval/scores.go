package eval

import (
	"context"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/ioodin"
	"github.com/ascood/ascood/preprocess"
)

// Scores are those of a dataset's images, in its order.
type Scores struct {
	Values  []float64
	Correct int // images whose predicted class is their label
}

// Score runs a model over a dataset; done, if not nil, is called with the number
// of images just scored. An image that cannot be read is an error, as is a label
// that the model has no class for.
func Score(ctx context.Context, m *ioodin.Model, d preprocess.Dataset, batchSize int, done func(n int)) (Scores, error) {
	s := Scores{Values: make([]float64, 0, d.Len())}
	classes := len(m.Info().Classes)
	for image, err := range m.Scan(ctx, d, ioodin.ScanOptions{BatchSize: batchSize}) {
		if err != nil {
			return s, err
		}
		label := d.Label(image.Index)
		if label >= classes {
			return s, ascood.Errorf(ascood.Invalid, "%s has label %d, but the model has %d classes", d.Name(image.Index), label, classes)
		}
		if label == image.Prediction {
			s.Correct++
		}
		s.Values = append(s.Values, image.Score)
		if done != nil {
			done(1)
		}
	}
	return s, nil
}
