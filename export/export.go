// Package export writes a trained network as one self-contained ONNX graph: the
// forward pass, its gradient with respect to the image, and the scores built on
// it. Nothing that runs the file needs an autograd engine.
package export

import (
	"strings"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/artifact"
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
	if err := newComposer(l.Builder, onnx.Batch, pre, l.evaluate).compose(score); err != nil {
		return nil, err
	}
	return l.Model(Producer, Version)
}

// evaluate emits the network on an image.
func (l *lowering) evaluate(scope, image string) (values, error) {
	p, err := l.forward(scope, image)
	if err != nil {
		return values{}, err
	}
	v := values{logits: p[l.net.Logits], classes: l.shapes[l.net.Logits][0], feature: p[l.net.Feature]}
	for _, stage := range []string{artifact.Layer3, artifact.Layer4} {
		if last := lastOf(l.net, stage); last != models.Image {
			v.inner = append(v.inner, [2]string{p[last], stage})
		}
	}
	return v, nil
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
