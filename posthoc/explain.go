package posthoc

import (
	"github.com/ascood/ascood"
	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/gradient"
	"github.com/ascood/ascood/onnx"
)

// Explain returns an artifact's graph with the gradient of the score that it decides by as
// the output artifact.ScoreGradient. What runs the score alone does not compute it. The
// graph stays as it is if artifact.Gradient is of the score already; if the score has no
// gradient, such as one that changes in steps, that is an error with code Unsupported.
func Explain(m *onnx.ModelProto, d *artifact.Metadata) (*onnx.ModelProto, error) {
	if _, of := d.Explains(d.Score, artifact.OutputsOf(m)); of == artifact.ExplainsScore {
		return m, nil
	}
	b := onnx.Extend(m.Graph)
	image, err := b.Shape(artifact.Image)
	if err != nil {
		return nil, err
	}
	b.Scope(artifact.ScoreGradient + "/")
	one := &onnx.AttributeProto{Name: "value", Type: onnx.AttributeProto_TENSOR, T: onnx.NewDoubles("", []float64{1}, 1)}
	ones := b.Op("ConstantOfShape", []string{b.Op("Shape", []string{artifact.OwnScore})}, one)
	g, err := gradient.Of(b, targets[d.Target], artifact.OwnScore, ones, artifact.Image)
	if err == nil && b.Maker(g) == nil {
		err = ascood.Errorf(ascood.Unsupported, "its gradient is zero")
	}
	if err != nil {
		return nil, err
	}
	images := any(image[0].Size)
	if image[0].Batch {
		images = onnx.Batch
	}
	b.Output(b.Rename(g, artifact.ScoreGradient), "d score / d image", onnx.TensorProto_FLOAT, images, 3, image[2].Size, image[3].Size)
	explained, err := b.Model(m.ProducerName, m.ProducerVersion)
	if err != nil {
		return nil, err
	}
	return onnx.WithGraph(m, explained.Graph), nil
}

// targets are those of package gradient.
var targets = map[artifact.Target]gradient.Target{"": gradient.CPU, artifact.CPU: gradient.CPU, artifact.CUDA: gradient.CUDA}
