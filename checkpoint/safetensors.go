package checkpoint

import (
	"fmt"
	"io"
	"strings"

	"github.com/nlpodyssey/safetensors"

	"github.com/ascood/ascood"
)

// readSafetensors parses the content of a file. The tensors share its memory.
func readSafetensors(content []byte) (*File, error) {
	headerLen, header, err := safetensors.ReadMetadata(content)
	if err != nil {
		return nil, ascood.Errorf(ascood.Invalid, "not a sound safetensors file: %w", err)
	}
	data := content[8+headerLen:]
	model, training := StateDict{}, StateDict{}
	for name, info := range header.Tensors() {
		t := &Tensor{
			DType: DType(info.DType.String()),
			Shape: make([]int, len(info.Shape)),
			Data:  data[info.DataOffsets[0]:info.DataOffsets[1]:info.DataOffsets[1]],
		}
		for i, d := range info.Shape {
			t.Shape[i] = int(d)
		}
		if err := t.validate(); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if rest, ok := strings.CutPrefix(name, trainingPrefix); ok {
			training[rest] = t
		} else {
			model[name] = t
		}
	}
	f := &File{States: []*State{stateOf(model)}, Training: training}
	if err := f.Meta.decode(header.Metadata()); err != nil {
		return nil, err
	}
	if len(model) == 0 {
		return nil, ascood.Errorf(ascood.Invalid, "no tensors of a model")
	}
	return f, nil
}

func writeSafetensors(w io.Writer, state StateDict, metadata map[string]string) error {
	views := make(map[string]view, len(state))
	for name, t := range state {
		if err := t.validate(); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		dtype, err := safetensors.ParseDType(string(t.DType))
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		views[name] = view{t, dtype}
	}
	return safetensors.SerializeToWriter(views, metadata, w)
}

// view is a Tensor as the library wants it.
type view struct {
	tensor *Tensor
	dtype  safetensors.DType
}

func (v view) DType() safetensors.DType { return v.dtype }
func (v view) Data() []byte             { return v.tensor.Data }
func (v view) DataLen() uint64          { return uint64(len(v.tensor.Data)) }

func (v view) Shape() []uint64 {
	shape := make([]uint64, len(v.tensor.Shape))
	for i, d := range v.tensor.Shape {
		shape[i] = uint64(d)
	}
	return shape
}
