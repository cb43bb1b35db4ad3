// Package export writes a trained network as one self-contained ONNX graph: the
// forward pass, its gradient with respect to the image, and the scores built on
// it. Nothing that runs the file needs an autograd engine.
package export

import (
	"strings"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/gradient"
	"github.com/ascood/ascood/models"
	"github.com/ascood/ascood/onnx"
	"github.com/ascood/ascood/preprocess"
)

// Producer and Version mark the files that this package writes.
const (
	Producer = "ascood-export"
	Version  = "1"
)

// Build returns the ONNX model of a network with the input and outputs that
// package artifact names, without metadata. Images are pre.ImageSize pixels wide
// and high; temperature and noise of score become constants of the graph. A size
// that the network cannot take, a missing weight and an operation without an
// ONNX form or a gradient rule are errors that name it.
func Build(g *models.Graph, weights Weights, pre preprocess.Config, score artifact.Score) (*onnx.ModelProto, error) {
	net, weights, err := fold(g, weights)
	if err != nil {
		return nil, err
	}
	shapes, err := net.Shapes(pre.ImageSize, pre.ImageSize)
	if err != nil {
		return nil, ascood.Errorf(ascood.Invalid, "%w", err)
	}
	l := &lowering{
		Builder: onnx.NewBuilder(g.Spec.Arch),
		net:     net, weights: weights, shapes: shapes, inits: map[string]string{},
	}
	if err := l.build(pre, score); err != nil {
		return nil, err
	}
	return l.Model(Producer, Version)
}

// build emits the whole graph; see the package's constants for what each value
// is.
func (l *lowering) build(pre preprocess.Config, score artifact.Score) error {
	size, classes, dim := pre.ImageSize, l.shapes[l.net.Logits][0], l.shapes[l.net.Feature][0]
	mean, std := float32s(pre.Mean), float32s(pre.Std)

	l.Scope("preprocess/")
	pixels := l.Input(artifact.Pixels, "images, RGB", onnx.TensorProto_UINT8, "N", size, size, 3)
	l.Weights(artifact.Temperature, []float32{float32(score.Temperature)})
	l.Weights(artifact.Noise, []float32{float32(score.Noise)})
	image := l.Rename(l.normalise(pixels, mean, std), artifact.Image)

	values, err := l.forward("forward", image)
	if err != nil {
		return err
	}
	for _, stage := range []string{artifact.Layer3, artifact.Layer4} {
		if v := lastOf(l.net, stage); v != models.Image {
			values[v] = l.Rename(values[v], stage)
		}
	}
	logits := l.Rename(values[l.net.Logits], artifact.Logits)
	values[l.net.Logits] = logits
	feature := l.Rename(values[l.net.Feature], artifact.Feature)
	values[l.net.Feature] = feature
	prediction := l.Rename(l.Op("ArgMax", []string{logits}, onnx.Int("axis", 1), onnx.Int("keepdims", 0)), artifact.Prediction)

	l.Scope("gradient/")
	byImage, err := gradient.Of(l.Builder, gradient.CPU, logits, l.gradCrossEntropy(logits, prediction, classes), image)
	if err != nil {
		return err
	}
	byImage = l.Rename(byImage, artifact.Gradient)

	l.Scope("odin/")
	odin, err := l.confidence("odin", l.odinImage(image, byImage, std))
	if err != nil {
		return err
	}
	l.Scope("iodin/")
	moved, index := l.iodinImage(image, byImage, std, size)
	iodin, err := l.confidence("iodin", moved)
	if err != nil {
		return err
	}

	l.Output(logits, "class scores", onnx.TensorProto_FLOAT, "N", classes)
	l.Output(feature, "pooled feature", onnx.TensorProto_FLOAT, "N", dim)
	l.Output(prediction, "most likely class", onnx.TensorProto_INT64, "N")
	l.Output(byImage, "d CE(logits/T, prediction) / d image", onnx.TensorProto_FLOAT, "N", 3, size, size)
	l.Output(l.Rename(index, artifact.Index), "element that i-ODIN moves", onnx.TensorProto_INT64, "N")
	l.Output(l.Rename(odin, artifact.ODIN), "ODIN score", onnx.TensorProto_FLOAT, "N")
	l.Output(l.Rename(iodin, artifact.IODIN), "i-ODIN score", onnx.TensorProto_FLOAT, "N")
	return nil
}

// lastOf returns the output of a stage, given by the name of its module in the
// backbone; models.Image if the network has none such.
func lastOf(g *models.Graph, stage string) models.Value {
	last := models.Image
	for i, n := range g.Nodes {
		if strings.HasPrefix(strings.TrimPrefix(n.Name, "backbone."), stage+".") {
			last = models.Value(i + 1)
		}
	}
	return last
}

func float32s(v [3]float64) []float32 {
	return []float32{float32(v[0]), float32(v[1]), float32(v[2])}
}
