package ioodin

import (
	"context"
	"fmt"
	"slices"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/internal/ort"
	"github.com/ascood/ascood/onnx"
)

// Tensor is a value of a graph, row-major.
type Tensor struct {
	Data    []float32
	Shape   []int     // [N,…]
	Doubles []float64 // in place of Data, of a value of double precision
}

// Graph computes chosen values of an artifact, for methods that build scores of
// their own on them. It may be used from several goroutines at once.
type Graph struct {
	session *ort.Session
	from    string // the value that is an input, "" for none
	own     Inputs // the artifact's temperature and noise
	size    int    // of the images
}

// OpenGraph keeps the part of an artifact that computes the named values, which
// may be outputs of floating-point numbers or values inside it. With from not empty, the
// value of that name inside the graph, a map [N,C,H,W], is an input; the images are
// one too only if the values depend on them otherwise. An artifact that lacks one of
// the values is ascood.Unsupported; what artifact.Check finds is an error too.
func OpenGraph(m *onnx.ModelProto, d *artifact.Metadata, from string, values []string, opt Options) (*Graph, error) {
	if err := artifact.Check(m, d); err != nil {
		return nil, fmt.Errorf("model %s: %w", d.Name, err)
	}
	cut := settings(m)
	if from != "" {
		shape, err := onnx.Extend(m.Graph).Shape(from)
		if err != nil {
			return nil, ascood.Errorf(ascood.Unsupported, "model %s (%s): %w", d.Name, d.Arch, err)
		}
		cut = append(cut, onnx.Described(from, onnx.TensorProto_FLOAT, shape))
	}
	part, err := onnx.Extract(expose(m, values), values, cut...)
	if err != nil {
		return nil, ascood.Errorf(ascood.Unsupported, "model %s (%s): %w", d.Name, d.Arch, err)
	}
	session, err := opt.session(part, d.Preprocess.ImageSize)
	if err != nil {
		return nil, err
	}
	return &Graph{session, from, ownSettings(m), d.Preprocess.ImageSize}, nil
}

// ownSettings are the values of the constants that a run may vary.
func ownSettings(m *onnx.ModelProto) Inputs {
	constants := onnx.Constants(m.Graph)
	value := func(name string) float64 {
		if constants[name] == nil {
			return 0
		}
		if v, err := constants[name].Floats(); err == nil && len(v) == 1 {
			return float64(v[0])
		}
		return 0
	}
	return Inputs{Temperature: value(artifact.Temperature), Noise: value(artifact.Noise)}
}

// expose returns m with the named values among its outputs, sharing memory with
// it.
func expose(m *onnx.ModelProto, values []string) *onnx.ModelProto {
	g := m.GetGraph()
	made := onnx.Makers(g)
	outputs := slices.Clone(g.GetOutput())
	for _, name := range values {
		is := func(v *onnx.ValueInfoProto) bool { return v.Name == name }
		if made[name] != nil && !slices.ContainsFunc(outputs, is) {
			outputs = append(outputs, onnx.Shapeless(name, onnx.TensorProto_FLOAT))
		}
	}
	return onnx.WithGraph(m, onnx.WithOutputs(g, outputs))
}

// Inputs are what a Graph computes its values from. What they do not depend on may
// be left out.
type Inputs struct {
	Pixels             []uint8 // [N,S,S,3], as the artifact takes them
	Temperature, Noise float64 // both the artifact's own if Temperature is 0
	Value              Tensor  // in the place of the one that OpenGraph named
}

// values are the inputs by name, for images of size x size pixels; Value goes by
// the name given.
func (in Inputs) values(size int, name string) map[string]ort.Value {
	values := map[string]ort.Value{
		artifact.Temperature: ort.Scalar(float32(in.Temperature)),
		artifact.Noise:       ort.Scalar(float32(in.Noise)),
	}
	if len(in.Pixels) > 0 {
		values[artifact.Pixels] = ort.Value{Shape: []int{len(in.Pixels) / (size * size * 3), size, size, 3}, Data: in.Pixels}
	}
	if name != "" {
		values[name] = ort.Value{Shape: in.Value.Shape, Data: in.Value.Data}
	}
	return values
}

// Run computes the values, by name.
func (g *Graph) Run(ctx context.Context, in Inputs) (map[string]Tensor, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if each := g.size * g.size * 3; g.session.Takes(artifact.Pixels) && (len(in.Pixels) == 0 || len(in.Pixels)%each != 0) {
		return nil, ascood.Errorf(ascood.Invalid, "%d bytes are not a number of images of %dx%dx3", len(in.Pixels), g.size, g.size)
	}
	if in.Temperature == 0 {
		in.Temperature, in.Noise = g.own.Temperature, g.own.Noise
	}
	out, err := g.session.Run(in.values(g.size, g.from))
	if err != nil {
		return nil, err
	}
	tensors := map[string]Tensor{}
	for name, v := range out {
		tensors[name] = Tensor{v.Floats(), v.Shape, v.Doubles()}
	}
	return tensors, nil
}

// Device returns what the graph runs on.
func (g *Graph) Device() ascood.Device { return g.session.Device() }

// Close frees the graph; it must not be used by then.
func (g *Graph) Close() error { return g.session.Close() }
