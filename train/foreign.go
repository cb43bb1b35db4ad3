package train

import (
	"fmt"
	"slices"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/checkpoint"
	"github.com/ascood/ascood/importer"
	"github.com/ascood/ascood/models"
	"github.com/ascood/ascood/onnx"
	"github.com/ascood/ascood/weights"
)

// adopt returns the network of an ONNX file, with its weights. The last layer is a new one
// if the file's is for another number of classes.
func (r *run) adopt() (*models.Network, checkpoint.StateDict, error) {
	c := r.config
	net, err := importNetwork(c, r.options.ONNX)
	if err != nil {
		return nil, nil, ascood.Errorf(ascood.CodeOf(err), "%s %s: %w", ascood.Field("onnx"), c.ONNX, err)
	}
	for _, note := range net.Notes {
		r.options.Log.Info("network", "file", c.ONNX, "note", note)
	}
	spec := c.spec(len(r.images.classes))
	adopted, err := models.Adopt(net.Model.Graph, models.Values{Feature: net.Feature, Linear: net.Linear, Taps: net.Taps}, spec.Classes, spec.Head)
	if err != nil {
		return nil, nil, ascood.Errorf(ascood.CodeOf(err), "%s %s: %w", ascood.Field("onnx"), c.ONNX, err)
	}
	state := initial(adopted.Network, c.scales(), c.Seed)
	var fresh []string
	for _, p := range adopted.Params {
		t := adopted.Weights[p.Name]
		if t == nil {
			if p.Last {
				fresh = append(fresh, p.Name)
			}
			continue
		}
		values, err := t.Floats()
		if err != nil {
			return nil, nil, err
		}
		state[p.Name] = checkpoint.FromFloat32s(values, p.Shape...)
	}
	r.options.Log.Info("network", "file", c.ONNX, "tensors", len(adopted.Weights), "new", weights.Brief(fresh))
	if normalisationIsGone(adopted.Graph) {
		r.options.Log.Warn("the file has no normalisation: if the network had batch normalisation, the export computed it into the convolutions, where it "+
			"stays as it is; to train with it, export again with training=torch.onnx.TrainingMode.PRESERVE, do_constant_folding=False", "file", c.ONNX)
	}
	return adopted.Network, state, nil
}

func importNetwork(c Config, run importer.Run) (*importer.Network, error) {
	if run == nil {
		return nil, ascood.Errorf(ascood.Internal, "there is nothing to run it with")
	}
	taps, err := c.taps()
	if err != nil {
		return nil, err
	}
	m, err := importer.Read(c.ONNX)
	if err != nil {
		return nil, err
	}
	return importer.Import(m, importer.Options{
		Run: run, Size: c.Preprocess.ImageSize, Mean: c.Preprocess.Mean, Std: c.Preprocess.Std,
		Layout: c.InputLayout, Channels: c.Channels, Logits: c.Logits, Feature: c.Feature, Taps: taps,
		Taken: append(artifact.Names(), models.Sigma), Training: true,
	})
}

// normalisationIsGone reports whether a convolutional network has no normalisation of any
// kind: those that have none by design are few and old.
func normalisationIsGone(g *onnx.GraphProto) bool {
	has := func(ops ...string) bool {
		return slices.ContainsFunc(g.Node, func(n *onnx.NodeProto) bool {
			return slices.Contains(ops, n.OpType) && n.Name[:min(len(n.Name), len(zscore))] != zscore
		})
	}
	return has("Conv") && !has("BatchNormalization", "LayerNormalization", "Sqrt")
}

// zscore begins the names of the nodes of the ASCOOD head.
const zscore = onnx.Prefix + "zscore/"

// bytes is the graph as checkpoints keep it, nil for a network of ours.
func (n *network) bytes() ([]byte, error) {
	if n.Spec.Arch != models.ArchONNX {
		return nil, nil
	}
	return onnx.Marshal(onnx.File(n.Graph))
}

// graph returns the network that the run is of.
func (s *saved) graph() (*models.Network, error) {
	n, err := models.Parse(s.network)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.path, err)
	}
	return n, nil
}
