package export

import (
	"github.com/ascood/ascood"
	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/checkpoint"
	"github.com/ascood/ascood/models"
	"github.com/ascood/ascood/onnx"
	"github.com/ascood/ascood/preprocess"
)

// ArchONNX is the architecture of a network that came as a graph.
const ArchONNX = models.ArchONNX

// Network is a network as a graph.
type Network struct {
	Model   *onnx.ModelProto     // in the canonical form (onnx.Check)
	Feature string               // the value that becomes artifact.Feature, "" if there is none
	Linear  bool                 // the last layer is a linear one, which takes the feature
	Inner   [][2]string          // further values, each with the name that it is to have: maps, as artifact.Layer4, and outputs, of artifact.OfHeads
	Names   checkpoint.ClassList // of the classes, that lie beside it
}

// Named is a network whose graph names its feature and maps (onnx.Tap), as those of package
// models do.
func Named(m *onnx.ModelProto) Network {
	n := Network{Model: m}
	makers := onnx.Makers(m.Graph)
	if makers[onnx.Tap(artifact.Feature)] != nil {
		n.Feature = onnx.Tap(artifact.Feature)
		last := makers[m.Graph.Output[0].Name]
		n.Linear = last != nil && last.OpType == "Gemm"
	}
	for _, name := range append(artifact.OfHeads(), artifact.Maps()...) {
		if makers[onnx.Tap(name)] != nil {
			n.Inner = append(n.Inner, [2]string{onnx.Tap(name), name})
		}
	}
	return n
}

// FromNetwork returns the artifact of a network, uncalibrated. All operators that cannot
// be differentiated are in one error.
func FromNetwork(net Network, opt Options) (*onnx.ModelProto, *artifact.Metadata, error) {
	if opt.Preprocess == nil {
		return nil, nil, ascood.Errorf(ascood.Invalid, "the file does not say how images become its input: give %w", preprocess.Missing())
	}
	if err := opt.Preprocess.Validate(); err != nil {
		return nil, nil, err
	}
	logits, err := net.Model.Graph.Output[0].Shape()
	if err != nil {
		return nil, nil, err
	}
	classes, notes, err := chooseClasses(nil, net.Names, opt, logits[1].Size)
	if err != nil {
		return nil, nil, err
	}
	opt.Source.Taken = append(opt.Source.Taken, notes...)
	model, err := Build(net, *opt.Preprocess, opt.Score, opt.target())
	if err != nil {
		return nil, nil, err
	}
	if model, err = Keep(model, opt.Score, opt.Outputs); err != nil {
		return nil, nil, err
	}
	return model, &artifact.Metadata{
		Name: opt.Name, Arch: ArchONNX, Head: headOf(net), Classes: classes, Preprocess: *opt.Preprocess, Score: opt.Score, Target: opt.target(), Source: opt.Source,
	}, nil
}

// headOf is what the metadata says of the last layer.
func headOf(net Network) string {
	if net.Linear {
		return "linear"
	}
	return noHead
}

// noHead is the head of a network that has no last linear layer.
const noHead = "none"
