package features

import (
	"encoding/binary"
	"encoding/json"

	"github.com/nlpodyssey/safetensors"

	"github.com/ascood/ascood"
)

// Tensors of a file, in the order in which they lie in it, and the key of its
// metadata that says what it was computed from.
const (
	featureTensor = "feature" // F32 [N,D]
	logitsTensor  = "logits"  // F32 [N,C]
	labelTensor   = "label"   // I64 [N]
	inputsKey     = "ascood.inputs"
)

// layout says where the tensors of N images lie in a file.
type layout struct {
	images, dim, classes int // N, D, C
	data                 int // where the tensors begin
}

// Places of image i's row in each tensor, and with i = N the tensor's end.
func (l layout) feature(i int) int { return l.data + 4*i*l.dim }
func (l layout) logits(i int) int  { return l.feature(l.images) + 4*i*l.classes }
func (l layout) label(i int) int   { return l.logits(l.images) + 8*i }

// tensor is an entry of the header.
type tensor struct {
	DType   string `json:"dtype"`
	Shape   []int  `json:"shape"`
	Offsets [2]int `json:"data_offsets"` // after the header
}

// encode returns the header, and sets where the tensors begin.
func (l *layout) encode(inputs string) ([]byte, error) {
	l.data = 0
	text, err := json.Marshal(map[string]any{
		"__metadata__": map[string]string{inputsKey: inputs},
		featureTensor:  tensor{"F32", []int{l.images, l.dim}, [2]int{l.feature(0), l.feature(l.images)}},
		logitsTensor:   tensor{"F32", []int{l.images, l.classes}, [2]int{l.logits(0), l.logits(l.images)}},
		labelTensor:    tensor{"I64", []int{l.images}, [2]int{l.label(0), l.label(l.images)}},
	})
	if err != nil {
		return nil, err
	}
	for len(text)%8 != 0 { // aligns the tensors
		text = append(text, ' ')
	}
	l.data = lengthSize + len(text)
	return append(binary.LittleEndian.AppendUint64(nil, uint64(len(text))), text...), nil
}

// lengthSize is the bytes before the header, which say how long it is.
const lengthSize = 8

// decode reads the layout off a header's text, with what the file was computed
// from. size is the file's.
func decode(text []byte, size int64) (l layout, inputs string, err error) {
	var header safetensors.Metadata
	if err := json.Unmarshal(text, &header); err != nil {
		return l, "", ascood.Errorf(ascood.Invalid, "not a safetensors file: %w", err)
	}
	tensors := header.Tensors()
	feature, logits := tensors[featureTensor], tensors[logitsTensor]
	if feature == nil || logits == nil || len(feature.Shape) != 2 || len(logits.Shape) != 2 {
		return l, "", ascood.Errorf(ascood.Invalid, "no matrices named %s and %s", featureTensor, logitsTensor)
	}
	l = layout{images: int(feature.Shape[0]), dim: int(feature.Shape[1]), classes: int(logits.Shape[1])}
	inputs = header.Metadata()[inputsKey]
	// It must be what encode makes of the sizes.
	again, err := l.encode(inputs)
	if err != nil {
		return l, "", err
	}
	if string(again[lengthSize:]) != string(text) || int64(l.label(l.images)) != size {
		return l, "", ascood.Errorf(ascood.Invalid, "not a sound file of features")
	}
	return l, inputs, nil
}
