package export

import (
	"github.com/ascood/ascood"
	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/checkpoint"
	"github.com/ascood/ascood/gradient"
	"github.com/ascood/ascood/onnx"
	"github.com/ascood/ascood/preprocess"
)

// ArchONNX is the architecture of a network that came as a graph.
const ArchONNX = "onnx"

// FromNetwork returns the artifact of a network in the canonical form (onnx.Check),
// uncalibrated. feature names the value that its last linear layer takes, "" if it has
// no such layer; names are the class names that lie beside it. All operators that cannot
// be differentiated are in one error.
func FromNetwork(m *onnx.ModelProto, feature string, names checkpoint.ClassList, opt Options) (*onnx.ModelProto, *artifact.Metadata, error) {
	if opt.Preprocess == nil {
		return nil, nil, ascood.Errorf(ascood.Invalid, "the file does not say how images become its input: give %w", preprocess.Missing())
	}
	if err := opt.Preprocess.Validate(); err != nil {
		return nil, nil, err
	}
	if err := gradient.Refusal(gradient.Unsupported(m.Graph)); err != nil {
		return nil, nil, err
	}
	logits, err := m.Graph.Output[0].Shape()
	if err != nil {
		return nil, nil, err
	}
	classes, notes, err := chooseClasses(nil, names, opt, logits[1].Size)
	if err != nil {
		return nil, nil, err
	}
	opt.Source.Taken = append(opt.Source.Taken, notes...)
	model, err := composeNetwork(m.Graph, feature, len(classes), opt)
	if err != nil {
		return nil, nil, err
	}
	if model, err = keep(model, opt); err != nil {
		return nil, nil, err
	}
	return model, &artifact.Metadata{
		Name: opt.Name, Arch: ArchONNX, Head: headOf(feature), Classes: classes, Preprocess: *opt.Preprocess, Score: opt.Score, Source: opt.Source,
	}, nil
}

// headOf is what the metadata says of the last layer.
func headOf(feature string) string {
	if feature == "" {
		return "none"
	}
	return "linear"
}

func composeNetwork(g *onnx.GraphProto, feature string, classes int, opt Options) (*onnx.ModelProto, error) {
	b := onnx.NewBuilder(ArchONNX)
	pass := func(scope, image string) (values, error) {
		b.Scope(scope + "/")
		names := b.Inline(g, map[string]string{g.Input[0].Name: image})
		return values{logits: names[g.Output[0].Name], classes: classes, feature: names[feature]}, nil
	}
	batch := any(onnx.Batch)
	if shape, err := g.Input[0].Shape(); err == nil && !shape[0].Batch {
		batch = shape[0].Size
	}
	if err := newComposer(b, batch, *opt.Preprocess, pass).compose(opt.Score); err != nil {
		return nil, err
	}
	return b.Model(Producer, Version)
}
