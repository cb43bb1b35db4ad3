package ort

import (
	"errors"
	"fmt"
	"slices"

	runtime "github.com/yalue/onnxruntime_go"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/onnx"
)

// program is a graph that ONNX Runtime has loaded on a device.
type program struct {
	device          ascood.Device
	session         *runtime.DynamicAdvancedSession
	inputs, outputs []string
	weights         *weights // that the session takes from where they lie; nil for none
}

// load takes a graph to a device.
func load(m *onnx.ModelProto, device ascood.Device, opt Options) (*program, error) {
	p := &program{device: device}
	for _, v := range m.Graph.Input {
		p.inputs = append(p.inputs, v.Name)
	}
	for _, v := range m.Graph.Output {
		p.outputs = append(p.outputs, v.Name)
	}
	options, err := sessionOptions(device, opt)
	if err != nil {
		return nil, err
	}
	defer options.Destroy()
	var data []byte
	if opt.Own && !device.IsCUDA() {
		data, p.weights, err = withKernels(m, p, options)
	} else {
		data, err = encode(m)
	}
	if err != nil {
		return nil, ascood.Errorf(ascood.Unavailable, "load model on %s: %w", device, err)
	}
	p.session, err = runtime.NewDynamicAdvancedSessionWithONNXData(data, p.inputs, p.outputs, options)
	if isLarge(data) || p.weights != nil {
		giveBack()
	}
	if err != nil {
		p.weights.close()
		return nil, ascood.Errorf(ascood.Unavailable, "load model on %s: %w", device, err)
	}
	return p, nil
}

func (p *program) close() error {
	if deviceLost.Load() {
		return nil
	}
	return errors.Join(p.session.Destroy(), p.weights.close())
}

// run evaluates the graph. Each of its inputs must be there by name; others are
// passed over.
func (p *program) run(inputs map[string]Value) (map[string]Value, error) {
	in := make([]runtime.Value, len(p.inputs))
	defer func() { destroy(in) }()
	for i, name := range p.inputs {
		v, ok := inputs[name]
		if !ok {
			return nil, fmt.Errorf("no value for input %q", name)
		}
		var err error
		if in[i], err = v.upload(); err != nil {
			return nil, fmt.Errorf("input %s: %w", name, err)
		}
	}
	out := make([]runtime.Value, len(p.outputs))
	if err := p.session.Run(in, out); err != nil {
		return nil, runError(p.device, err)
	}
	defer destroy(out)
	results := make(map[string]Value, len(out))
	for i, v := range out {
		var err error
		if results[p.outputs[i]], err = download(v); err != nil {
			return nil, fmt.Errorf("output %s: %w", p.outputs[i], err)
		}
	}
	return results, nil
}

func destroy(values []runtime.Value) {
	for _, v := range values {
		if v != nil {
			v.Destroy()
		}
	}
}

// ones returns inputs for a first run of a graph: all elements are one, which no graph
// of ours divides by or overflows from. It is nil for a graph that leaves open how
// large an input is.
func ones(m *onnx.ModelProto) map[string]Value {
	inputs := map[string]Value{}
	for _, v := range m.Graph.Input {
		dims := v.GetType().GetTensorType().GetShape().GetDim()
		shape, n := make([]int, len(dims)), 1
		for i, d := range dims {
			shape[i] = int(d.GetDimValue())
			n *= shape[i]
		}
		if n <= 0 {
			return nil
		}
		value := Value{Shape: shape}
		switch onnx.TensorProto_DataType(v.GetType().GetTensorType().GetElemType()) {
		case onnx.TensorProto_FLOAT:
			value.Data = slices.Repeat([]float32{1}, n)
		case onnx.TensorProto_INT64:
			value.Data = slices.Repeat([]int64{1}, n)
		case onnx.TensorProto_UINT8:
			value.Data = slices.Repeat([]uint8{1}, n)
		}
		inputs[v.Name] = value
	}
	return inputs
}
