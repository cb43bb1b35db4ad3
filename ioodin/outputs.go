package ioodin

import (
	"context"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/internal/ort"
	"github.com/ascood/ascood/onnx"
)

// Signature describes an output of an artifact's graph.
type Signature struct {
	Name  string
	Type  Type
	Shape []int // of one image: without the dimension that counts them
}

// Type is that of an output's elements.
type Type string

const (
	Float32 Type = "float32"
	Float64 Type = "float64"
	Int64   Type = "int64"
)

// types are those that outputs of artifacts have.
var types = map[onnx.TensorProto_DataType]Type{
	onnx.TensorProto_FLOAT: Float32, onnx.TensorProto_DOUBLE: Float64, onnx.TensorProto_INT64: Int64,
}

// signatures describes the outputs of a graph that hold numbers of fixed shape.
func signatures(m *onnx.ModelProto) []Signature {
	var all []Signature
	for _, v := range m.GetGraph().GetOutput() {
		tensor := v.GetType().GetTensorType()
		s := Signature{Name: v.Name, Type: types[onnx.TensorProto_DataType(tensor.GetElemType())], Shape: []int{}}
		dims := tensor.GetShape().GetDim()
		for _, d := range dims[min(1, len(dims)):] {
			s.Shape = append(s.Shape, int(d.GetDimValue()))
		}
		all = append(all, s)
	}
	return all
}

// Output is what the graph says of one image in one of its outputs: the slice of the
// output's type.
type Output struct {
	Floats  []float32
	Doubles []float64
	Ints    []int64
}

// Outputs describes all outputs of the artifact.
func (m *Model) Outputs() []Signature { return m.outputs }

// Details is Score with all outputs of the artifact, by name, for each image. It needs
// Options.Details.
func (m *Model) Details(ctx context.Context, crops [][]uint8) ([]Result, []map[string]Output, error) {
	if !m.details {
		return nil, nil, ascood.Errorf(ascood.Internal, "model %s was opened without its further outputs", m.info.Name)
	}
	if ctx.Err() != nil {
		return nil, nil, context.Cause(ctx)
	}
	if len(crops) == 0 {
		return nil, nil, nil
	}
	out, err := m.run(crops)
	if err != nil {
		return nil, nil, err
	}
	results, err := m.results(out, len(crops))
	if err != nil {
		return nil, nil, err
	}
	return results, m.split(out, len(crops)), nil
}

// split takes a batch of n images apart.
func (m *Model) split(out map[string]ort.Value, n int) []map[string]Output {
	images := make([]map[string]Output, n)
	for i := range images {
		images[i] = make(map[string]Output, len(m.outputs))
		for _, s := range m.outputs {
			v := out[s.Name]
			images[i][s.Name] = Output{row(v.Floats(), i, n), row(v.Doubles(), i, n), row(v.Ints(), i, n)}
		}
	}
	return images
}

// row is the i-th of n equal parts of values, nil of none.
func row[T any](values []T, i, n int) []T {
	if values == nil {
		return nil
	}
	each := len(values) / n
	return values[i*each : (i+1)*each : (i+1)*each]
}
