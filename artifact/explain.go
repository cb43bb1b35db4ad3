package artifact

import (
	"slices"

	"github.com/ascood/ascood/onnx"
)

// Explained says what the gradient is of that shows on what in an image a verdict depends.
type Explained string

const (
	ExplainsScore      Explained = "score"      // the score that the verdict is taken by
	ExplainsPrediction Explained = "prediction" // the predicted class, for want of the score's
)

// Explains returns which of an artifact's outputs explains verdicts by a score, and what it
// is the gradient of; "" if it has none. Gradient is that of iodin, odin, iodin_fast and msp
// before the image is moved: of their logarithm, but for the sign. ScoreGradient is that of
// the score that the artifact decides by.
func (d *Metadata) Explains(used Score, outputs []string) (output string, of Explained) {
	switch {
	case slices.Contains(outputs, Gradient) && used.Settings == "" && used.Name.perturbs():
		return Gradient, ExplainsScore
	case slices.Contains(outputs, ScoreGradient) && used == d.Score:
		return ScoreGradient, ExplainsScore
	case slices.Contains(outputs, Gradient):
		return Gradient, ExplainsPrediction
	}
	return "", ""
}

// OutputsOf returns the names of an artifact's outputs.
func OutputsOf(m *onnx.ModelProto) []string {
	var names []string
	for _, v := range m.GetGraph().GetOutput() {
		names = append(names, v.Name)
	}
	return names
}
