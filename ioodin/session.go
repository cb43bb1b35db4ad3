package ioodin

import (
	"fmt"
	"strconv"

	ort "github.com/yalue/onnxruntime_go"
	"google.golang.org/protobuf/proto"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/onnx"
)

// session runs a graph in ONNX Runtime on one device. It may be used from
// several goroutines at once.
type session struct {
	ort             *ort.DynamicAdvancedSession
	inputs, outputs []string
}

// newSession loads a graph with all its inputs and outputs; threads of 0 leaves
// the number to ONNX Runtime.
func newSession(m *onnx.ModelProto, device Device, threads int) (*session, error) {
	s := &session{}
	for _, v := range m.Graph.Input {
		s.inputs = append(s.inputs, v.Name)
	}
	for _, v := range m.Graph.Output {
		s.outputs = append(s.outputs, v.Name)
	}
	options, err := sessionOptions(device, threads)
	if err != nil {
		return nil, err
	}
	defer options.Destroy()
	data, err := proto.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encode model: %w", err)
	}
	s.ort, err = ort.NewDynamicAdvancedSessionWithONNXData(data, s.inputs, s.outputs, options)
	if err != nil {
		return nil, ascood.Errorf(ascood.Unavailable, "load model on %s: %w", device, err)
	}
	return s, nil
}

func sessionOptions(device Device, threads int) (*ort.SessionOptions, error) {
	options, err := ort.NewSessionOptions()
	if err != nil {
		return nil, fmt.Errorf("session options: %w", err)
	}
	if err := configure(options, device, threads); err != nil {
		options.Destroy()
		return nil, err
	}
	return options, nil
}

func configure(options *ort.SessionOptions, device Device, threads int) error {
	if err := options.SetIntraOpNumThreads(threads); err != nil {
		return fmt.Errorf("set threads: %w", err)
	}
	// Threads that wait for work must not take the cores from decoding: with
	// other work on the machine, spinning halves the throughput.
	if err := options.AddSessionConfigEntry("session.intra_op.allow_spinning", "0"); err != nil {
		return fmt.Errorf("session options: %w", err)
	}
	if !device.cuda {
		return nil
	}
	cuda, err := ort.NewCUDAProviderOptions()
	if err != nil {
		return ascood.Errorf(ascood.Unavailable, "CUDA provider: %w", err)
	}
	defer cuda.Destroy()
	if err := cuda.Update(map[string]string{"device_id": strconv.Itoa(device.index)}); err != nil {
		return ascood.Errorf(ascood.Unavailable, "CUDA device %d: %w", device.index, err)
	}
	if err := options.AppendExecutionProviderCUDA(cuda); err != nil {
		return ascood.Errorf(ascood.Unavailable, "CUDA provider: %w", err)
	}
	return nil
}

// run evaluates the graph. Inputs are by name; every one of the graph's must be
// there. The outputs' data is copied.
func (s *session) run(inputs map[string]ort.Value) (outputs, error) {
	in := make([]ort.Value, len(s.inputs))
	for i, name := range s.inputs {
		if in[i] = inputs[name]; in[i] == nil {
			return outputs{}, fmt.Errorf("no value for input %q", name)
		}
	}
	out := make([]ort.Value, len(s.outputs))
	if err := s.ort.Run(in, out); err != nil {
		return outputs{}, fmt.Errorf("run model: %w", err)
	}
	result := outputs{floats: map[string][]float32{}, ints: map[string][]int64{}, shapes: map[string][]int64{}}
	for i, v := range out {
		switch t := v.(type) {
		case *ort.Tensor[float32]:
			result.shapes[s.outputs[i]] = t.GetShape()
			result.floats[s.outputs[i]] = append([]float32(nil), t.GetData()...)
		case *ort.Tensor[int64]:
			result.ints[s.outputs[i]] = append([]int64(nil), t.GetData()...)
		}
		v.Destroy()
	}
	return result, nil
}

// evaluate runs the graph on inputs, of which Value goes by the name given.
func (s *session) evaluate(in Inputs, size int, name string) (outputs, error) {
	values := map[string]ort.Value{}
	defer func() {
		for _, v := range values {
			v.Destroy()
		}
	}()
	add := func(name string, v ort.Value, err error) error {
		if err != nil {
			return fmt.Errorf("input %s: %w", name, err)
		}
		values[name] = v
		return nil
	}
	t, err := ort.NewScalar(float32(in.Temperature))
	if err := add(artifact.Temperature, t, err); err != nil {
		return outputs{}, err
	}
	n, err := ort.NewScalar(float32(in.Noise))
	if err := add(artifact.Noise, n, err); err != nil {
		return outputs{}, err
	}
	if len(in.Pixels) > 0 {
		side := int64(size)
		images, err := ort.NewTensor(ort.NewShape(int64(len(in.Pixels))/(side*side*3), side, side, 3), in.Pixels)
		if err := add(artifact.Pixels, images, err); err != nil {
			return outputs{}, err
		}
	}
	if name != "" {
		var shape ort.Shape
		for _, n := range in.Value.Shape {
			shape = append(shape, int64(n))
		}
		v, err := ort.NewTensor(shape, in.Value.Data)
		if err := add(name, v, err); err != nil {
			return outputs{}, err
		}
	}
	return s.run(values)
}

// outputs holds the values of a run by name, row-major.
type outputs struct {
	floats map[string][]float32
	ints   map[string][]int64
	shapes map[string][]int64 // of floats
}

func (s *session) close() error { return s.ort.Destroy() }
