package export

import (
	"slices"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/onnx"
)

// fold returns a canonical graph in which each BatchNormalization that follows a
// convolution, whose output has no other use and is none of the values to keep, is
// computed into that. One that follows anything else stays: DenseNet and MaxViT have such.
func fold(g *onnx.GraphProto, keep ...string) (*onnx.GraphProto, error) {
	f := &folding{constants: onnx.Constants(g), uses: map[string]int{}, convs: map[string]*onnx.NodeProto{}}
	for _, name := range append(keep, g.Output[0].Name) {
		f.uses[name]++
	}
	for _, n := range g.Node {
		for _, in := range n.Input {
			f.uses[in]++
		}
	}
	folded := onnx.WithOutputs(g, g.Output)
	folded.Node = nil
	for _, n := range g.Node {
		conv := f.convs[n.Operand(0)]
		if n.OpType != "BatchNormalization" || conv == nil || f.uses[n.Operand(0)] != 1 {
			if n.OpType == "Conv" { // which a normalisation may change
				n = &onnx.NodeProto{Name: n.Name, OpType: n.OpType, Input: n.Input, Output: slices.Clone(n.Output), Attribute: n.Attribute}
				f.convs[n.Output[0]] = n
			}
			folded.Node = append(folded.Node, n)
			continue
		}
		if err := f.into(conv, n); err != nil {
			return nil, ascood.Errorf(ascood.Invalid, "%s: %w", n.Name, err)
		}
	}
	used, made := map[string]bool{}, onnx.Makers(folded)
	for _, n := range folded.Node {
		for _, in := range n.Input {
			used[in] = true
		}
	}
	folded.Initializer = slices.DeleteFunc(slices.Concat(g.Initializer, f.added), func(t *onnx.TensorProto) bool { return !used[t.Name] })
	folded.ValueInfo = slices.DeleteFunc(slices.Clone(g.ValueInfo), func(v *onnx.ValueInfoProto) bool { return made[v.Name] == nil })
	return folded, nil
}

type folding struct {
	constants map[string]*onnx.TensorProto
	uses      map[string]int
	convs     map[string]*onnx.NodeProto // by what they compute
	added     []*onnx.TensorProto
}

// into scales a convolution, and shifts it, by what the normalisation bn does to its
// output.
func (f *folding) into(conv, bn *onnx.NodeProto) error {
	constant := func(name string) *onnx.TensorProto { return f.constants[name] }
	scale, bias, err := onnx.Affine(bn, constant)
	if err != nil {
		return err
	}
	weight := constant(conv.Operand(1))
	kernel, err := weight.Float32s()
	if err != nil {
		return err
	}
	per := len(kernel) / len(scale)
	for i, v := range kernel {
		kernel[i] = float32(float64(v) * scale[i/per])
	}
	if before := constant(conv.Operand(2)); before != nil {
		values, err := before.Float32s()
		if err != nil {
			return err
		}
		for c, v := range values {
			bias[c] += float64(v) * scale[c]
		}
	}
	single := make([]float32, len(bias))
	for c, v := range bias {
		single[c] = float32(v)
	}
	folded := []*onnx.TensorProto{
		onnx.NewFloats(conv.Name+".weight", kernel, weight.Dims...),
		onnx.NewFloats(conv.Name+".bias", single, int64(len(single))),
	}
	f.added = append(f.added, folded...)
	conv.Input = []string{conv.Input[0], folded[0].Name, folded[1].Name}
	conv.Output[0] = bn.Output[0]
	return nil
}
