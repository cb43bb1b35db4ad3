package eval

import (
	"context"

	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/dataset"
	"github.com/ascood/ascood/ioodin"
	"github.com/ascood/ascood/posthoc"
)

// Portrait is an image as the network sees it, with its saliency.
type Portrait struct {
	Index    int       // in the dataset
	Size     int       // S
	Pixels   []uint8   // [S,S,3], RGB
	Gradient []float32 // [3,S,S] of what Saliency says: the score, or the cross-entropy with the predicted class at the artifact's temperature
}

// Saliency returns the value of the graph that shows on what the score of a method depends,
// and whether it is that score's gradient: the artifact's own score has one.
func (n *Network) Saliency(m posthoc.Method) (value string, ofScore bool) {
	if posthoc.IsShipped(m) && n.has(artifact.ScoreGradient) {
		return artifact.ScoreGradient, true
	}
	return artifact.Gradient, false
}

// Portraits returns those of the images of a dataset at the given indices, with the value
// that Saliency has chosen.
func (n *Network) Portraits(ctx context.Context, d dataset.Dataset, indices []int, saliency string) ([]Portrait, error) {
	g, err := n.graph("", []string{saliency})
	if err != nil {
		return nil, err
	}
	load := dataset.LoadOptions{Config: n.meta.Preprocess, BatchSize: n.batchSize()}
	each := n.meta.Preprocess.CropLen()
	temperature, _ := n.meta.Score.Perturbation()
	var all []Portrait
	for b, err := range dataset.Batches(ctx, d, indices, load) {
		if err != nil {
			return nil, err
		}
		out, err := g.Run(ctx, ioodin.Inputs{Pixels: b.Pixels, Temperature: temperature})
		if err != nil {
			return nil, err
		}
		for i, index := range b.Indices {
			all = append(all, Portrait{
				Index: index, Size: n.meta.Preprocess.ImageSize,
				Pixels:   append([]uint8(nil), b.Pixels[i*each:(i+1)*each]...),
				Gradient: out[saliency].Data[i*each : (i+1)*each],
			})
		}
	}
	return all, nil
}
