package eval

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/dataset"
	"github.com/ascood/ascood/ioodin"
	"github.com/ascood/ascood/onnx"
	"github.com/ascood/ascood/posthoc"
)

// Network is an artifact as the methods see it: a source of logits, features and
// other values of its graph. It is for one goroutine.
type Network struct {
	model  *onnx.ModelProto
	meta   *artifact.Metadata
	digest string // of the graph and the preprocessing
	opt    ioodin.Options
	graphs map[string]*ioodin.Graph // opened so far, by what they compute
}

// OpenNetwork loads an artifact from a file. opt.Score is not used.
func OpenNetwork(path string, opt ioodin.Options) (*Network, error) {
	m, d, err := artifact.Load(path)
	if err != nil {
		return nil, err
	}
	return NewNetwork(m, d, opt)
}

// NewNetwork takes an artifact from memory. opt.Score is not used. What the device
// lacks is an error here, not in the middle of an evaluation.
func NewNetwork(m *onnx.ModelProto, d *artifact.Metadata, opt ioodin.Options) (*Network, error) {
	digest, err := identify(m.Graph, d)
	if err != nil {
		return nil, err
	}
	n := &Network{model: m, meta: d, digest: digest, opt: opt, graphs: map[string]*ioodin.Graph{}}
	g, err := n.graph("", plan(nil)[0].values)
	if err != nil {
		return nil, err
	}
	n.opt.Device = g.Device() // what "auto" has chosen is for all graphs
	return n, nil
}

// Identity is a digest of the network, with its weights and preprocessing: that of all
// artifacts of it, whatever score they have.
func (n *Network) Identity() (string, error) {
	part, err := onnx.Extract(n.model, []string{artifact.Logits})
	if err != nil {
		return "", err
	}
	return identify(part.Graph, n.meta)
}

// identify is a digest of a graph, and of how images become its input.
func identify(g *onnx.GraphProto, d *artifact.Metadata) (string, error) {
	content, err := proto.MarshalOptions{Deterministic: true}.Marshal(g)
	if err != nil {
		return "", fmt.Errorf("model %s: %w", d.Name, err)
	}
	pre, err := json.Marshal(d.Preprocess)
	if err != nil {
		return "", fmt.Errorf("model %s: %w", d.Name, err)
	}
	return digestOf(contentDigest(content), string(pre)), nil
}

// Info returns what the artifact says about itself.
func (n *Network) Info() artifact.Metadata { return *n.meta }

// Close frees the network; it must not be used by then.
func (n *Network) Close() error {
	var first error
	for _, g := range n.graphs {
		if err := g.Close(); first == nil {
			first = err
		}
	}
	return first
}

// graph returns the part of the graph that computes values, from an inner value
// or, with from empty, the images.
func (n *Network) graph(from string, values []string) (*ioodin.Graph, error) {
	key := from + ">" + strings.Join(values, ",")
	if g, ok := n.graphs[key]; ok {
		return g, nil
	}
	g, err := ioodin.OpenGraph(n.model, n.meta, from, values, n.opt)
	if err != nil {
		return nil, err
	}
	n.graphs[key] = g
	return g, nil
}

// Data returns what methods may learn from: the last layer, and what Collect made
// of training and validation images, either nil. ctx ends what methods compute from the
// training images, later on.
func (n *Network) Data(ctx context.Context, train posthoc.Bank, validID *posthoc.Set) (*posthoc.Data, error) {
	weight, bias, err := n.lastLayer()
	if err != nil {
		return nil, err
	}
	if train != nil {
		train = &cancellable{train, ctx}
	}
	return &posthoc.Data{
		Weight: weight, Bias: bias,
		Train: train, ValidID: validID, Network: n.model.Graph, Target: n.meta.Target, Std: n.meta.Preprocess.Std,
		Observed: map[string]posthoc.Bank{},
	}, nil
}

// lastLayer returns weight and bias of the last layer as posthoc.Data has them.
func (n *Network) lastLayer() (posthoc.Matrix, []float32, error) {
	weight, bias, err := artifact.Classifier(n.model)
	if err == nil {
		return posthoc.Matrix{Data: weight, Cols: len(weight) / len(bias)}, bias, nil
	}
	feature, missing := onnx.Extend(n.model.Graph).Shape(artifact.Feature)
	if missing != nil || len(feature) != 2 {
		return posthoc.Matrix{}, nil, err
	}
	return posthoc.Matrix{Cols: feature[1].Size}, make([]float32, len(n.meta.Classes)), nil
}

// cancellable is a bank that ends with a context.
type cancellable struct {
	posthoc.Bank
	ctx context.Context
}

func (b *cancellable) Blocks() iter.Seq2[*posthoc.Set, error] {
	return func(yield func(*posthoc.Set, error) bool) {
		for block, err := range b.Bank.Blocks() {
			if b.ctx.Err() != nil {
				err = context.Cause(b.ctx)
			}
			if !yield(block, err) || err != nil {
				return
			}
		}
	}
}

// has reports whether the graph computes a value.
func (n *Network) has(value string) bool {
	return slices.ContainsFunc(n.model.Graph.Node, func(node *onnx.NodeProto) bool { return slices.Contains(node.Output, value) })
}

// CheckID reports the first image without a label that the network has a class
// for.
func (n *Network) CheckID(d dataset.Dataset) error {
	for i := range d.Len() {
		switch label := d.Label(i); {
		case label == dataset.Unlabelled:
			return ascood.Errorf(ascood.Invalid, "%s has no label: in-distribution images need one", d.Name(i))
		case label < 0 || label >= len(n.meta.Classes):
			return ascood.Errorf(ascood.Invalid, "%s has label %d, but the model has the classes 0 to %d", d.Name(i), label, len(n.meta.Classes)-1)
		}
	}
	return nil
}

// matrix is a tensor [N,K] as a matrix.
func matrix(t ioodin.Tensor) posthoc.Matrix {
	if len(t.Shape) != 2 {
		return posthoc.Matrix{}
	}
	return posthoc.Matrix{Data: t.Data, Cols: t.Shape[1]}
}
