package rpc

import (
	"math"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/serve/inference"
	"github.com/ascood/ascood/serve/oip"
)

// request reads a message. The data refers to its memory, but for numbers that are not raw.
func request(m *inference.ModelInferRequest) (*oip.Request, error) {
	r := &oip.Request{ID: m.Id}
	for _, o := range m.Outputs {
		if o.Parameters[oip.SharedMemory] != nil {
			return nil, oip.NoSharedMemory("output", o.Name)
		}
		r.Outputs = append(r.Outputs, o.Name)
	}
	raw := m.RawInputContents
	if len(raw) > 0 && len(raw) != len(m.Inputs) {
		return nil, ascood.Errorf(ascood.Invalid, "raw_input_contents has %d elements for %d inputs: want one for each, or none", len(raw), len(m.Inputs))
	}
	for i, in := range m.Inputs {
		t := oip.Tensor{Name: in.Name, Type: in.Datatype, Shape: in.Shape}
		n, err := t.Count()
		switch {
		case err != nil:
		case in.Parameters[oip.SharedMemory] != nil:
			err = oip.NoSharedMemory("input", in.Name)
		case len(raw) == 0:
			err = read(&t, in.Contents, n)
		case in.Contents != nil:
			err = ascood.Errorf(ascood.Invalid, "input %.50q: it has data in contents and in raw_input_contents; want one of them", in.Name)
		default:
			err = t.FromBinary(raw[i], n)
		}
		if err != nil {
			return nil, err
		}
		r.Inputs = append(r.Inputs, t)
	}
	return r, nil
}

// read takes n elements out of the field for the tensor's type.
func read(t *oip.Tensor, c *inference.InferTensorContents, n int) error {
	count := func(field string, has int) error {
		if has == n {
			return nil
		}
		return ascood.Errorf(ascood.Invalid, "input %.50q: %d elements in %s; the shape %v has %d", t.Name, has, field, t.Shape, n)
	}
	switch t.Type {
	case oip.Uint8:
		numbers := c.GetUintContents()
		if err := count("uint_contents", len(numbers)); err != nil {
			return err
		}
		data := make([]uint8, n)
		for i, v := range numbers {
			if v > math.MaxUint8 {
				return ascood.Errorf(ascood.Invalid, "input %.50q: element %d is %d: %s goes to %d", t.Name, i, v, t.Type, math.MaxUint8)
			}
			data[i] = uint8(v)
		}
		t.Data = data
		return nil
	case oip.Bytes:
		t.Data = c.GetBytesContents()
		return count("bytes_contents", len(c.GetBytesContents()))
	}
	return t.WrongType()
}

// response writes a message, with the data in raw_output_contents or in the field of its
// type.
func response(r *oip.Response, raw bool) *inference.ModelInferResponse {
	m := &inference.ModelInferResponse{ModelName: r.Model, ModelVersion: r.Version, Id: r.ID}
	for _, t := range r.Outputs {
		out := &inference.ModelInferResponse_InferOutputTensor{Name: t.Name, Datatype: t.Type, Shape: t.Shape}
		if raw {
			m.RawOutputContents = append(m.RawOutputContents, t.Binary())
		} else {
			out.Contents = contents(t.Data)
		}
		m.Outputs = append(m.Outputs, out)
	}
	return m
}

func contents(data any) *inference.InferTensorContents {
	switch data := data.(type) {
	case []int64:
		return &inference.InferTensorContents{Int64Contents: data}
	case []float32:
		return &inference.InferTensorContents{Fp32Contents: data}
	case []float64:
		return &inference.InferTensorContents{Fp64Contents: data}
	}
	return &inference.InferTensorContents{BytesContents: data.([][]byte)}
}
