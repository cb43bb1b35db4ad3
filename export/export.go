// Package export writes a trained network as one self-contained ONNX graph: the
// forward pass, its gradient with respect to the image, and the scores built on
// it. Nothing that runs the file needs an autograd engine.
package export

import (
	"github.com/ascood/ascood"
	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/gradient"
	"github.com/ascood/ascood/onnx"
	"github.com/ascood/ascood/posthoc"
	"github.com/ascood/ascood/preprocess"
)

// Producer and Version mark the files that this package writes.
const (
	Producer = "ascood-export"
	Version  = "1"
)

// Build returns the ONNX model of a network with the input and outputs that package
// artifact names, without metadata. Temperature and noise of score become constants of
// the graph; target decides in which operators the gradient is. Images of another size than the network's, and what cannot be
// differentiated, are errors that name it all.
func Build(net Network, pre preprocess.Config, score artifact.Score, target artifact.Target) (*onnx.ModelProto, error) {
	g := net.Model.Graph
	if err := gradient.Refusal(gradient.Unsupported(g)); err != nil {
		return nil, err
	}
	image, err := g.Input[0].Shape()
	if err != nil {
		return nil, err
	}
	if size := image[2].Size; size != pre.ImageSize || image[3].Size != size {
		return nil, ascood.Errorf(ascood.Invalid, "%s %d: the network takes images of %v", ascood.Field("image_size"), pre.ImageSize, image)
	}
	logits, err := g.Output[0].Shape()
	if err != nil {
		return nil, err
	}
	kept := []string{net.Feature}
	for _, v := range net.Inner {
		kept = append(kept, v[0])
	}
	if g, err = fold(g, kept...); err != nil {
		return nil, err
	}
	b := onnx.NewBuilder(g.Name)
	batch := any(onnx.Batch)
	if !image[0].Batch {
		batch = image[0].Size
	}
	p := &passes{Builder: b, net: net, graph: g}
	if target == artifact.CPU { // on a GPU the many small nodes would take what the large ones save
		p.stages = nearby(g)
	}
	if err := newComposer(p, logits[1].Size, batch, pre).compose(score, targets[target]); err != nil {
		return nil, err
	}
	m, err := b.Model(Producer, Version)
	if err != nil || score.Name == "" {
		return m, err
	}
	return posthoc.Explain(m, &artifact.Metadata{Score: score, Target: target})
}
