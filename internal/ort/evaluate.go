package ort

import (
	"encoding/binary"
	"fmt"

	runtime "github.com/yalue/onnxruntime_go"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/onnx"
)

// Evaluate loads a graph on the CPU and runs it on each of several sets of inputs, by
// name, of any type that the runtime has. A graph that takes more than a few GB of memory
// is an error. Outputs must have dimensions, and no
// elements of half precision or text, which the binding cannot return.
func Evaluate(m *onnx.ModelProto, inputs ...map[string]*onnx.TensorProto) ([]map[string]*onnx.TensorProto, error) {
	if _, err := loadLibrary(); err != nil {
		return nil, err
	}
	p, err := load(m, ascood.Device{}, Options{bounded: true})
	if err != nil {
		return nil, err
	}
	defer p.close()
	var results []map[string]*onnx.TensorProto
	for _, in := range inputs {
		out, err := p.evaluate(in)
		if err != nil {
			return nil, err
		}
		results = append(results, out)
	}
	return results, nil
}

func (p *program) evaluate(inputs map[string]*onnx.TensorProto) (map[string]*onnx.TensorProto, error) {
	in, out := make([]runtime.Value, len(p.inputs)), make([]runtime.Value, len(p.outputs))
	defer func() { destroy(in); destroy(out) }()
	for i, name := range p.inputs {
		t := inputs[name]
		if t == nil {
			return nil, fmt.Errorf("no value for input %q", name)
		}
		raw, err := t.Raw()
		if err == nil {
			in[i], err = some(runtime.NewCustomDataTensor(t.Dims, raw, runtime.TensorElementDataType(t.DataType)))
		}
		if err != nil {
			return nil, fmt.Errorf("input %s: %w", name, err)
		}
	}
	if err := p.session.Run(in, out); err != nil {
		return nil, runError(p.device, err)
	}
	results := make(map[string]*onnx.TensorProto, len(out))
	for i, v := range out {
		t, err := tensor(p.outputs[i], v)
		if err != nil {
			return nil, fmt.Errorf("output %s: %w", p.outputs[i], err)
		}
		results[t.Name] = t
	}
	return results, nil
}

// tensor returns an output in the file format's form.
func tensor(name string, v runtime.Value) (*onnx.TensorProto, error) {
	var elements any
	switch v := v.(type) {
	case *runtime.Tensor[float32]:
		elements = v.GetData()
	case *runtime.Tensor[float64]:
		elements = v.GetData()
	case *runtime.Tensor[int64]:
		elements = v.GetData()
	case *runtime.Tensor[int32]:
		elements = v.GetData()
	case *runtime.Tensor[int16]:
		elements = v.GetData()
	case *runtime.Tensor[int8]:
		elements = v.GetData()
	case *runtime.Tensor[uint64]:
		elements = v.GetData()
	case *runtime.Tensor[uint32]:
		elements = v.GetData()
	case *runtime.Tensor[uint16]:
		elements = v.GetData()
	case *runtime.Tensor[uint8]:
		elements = v.GetData()
	case *runtime.Tensor[bool]:
		elements = v.GetData()
	default:
		return nil, fmt.Errorf("elements of %T are not handled", v)
	}
	raw, err := binary.Append(nil, binary.LittleEndian, elements)
	return onnx.NewTensor(name, onnx.TensorProto_DataType(v.DataType()), raw, v.GetShape()...), err
}
