package export

import (
	"fmt"
	"math"
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

// into scales a convolution by what the normalisation bn does to its output:
// y = (conv + b - mean)·scale/√(var + ε) + bias. In double precision, so that the fold
// costs no accuracy beyond the final rounding.
func (f *folding) into(conv, bn *onnx.NodeProto) error {
	var of [4][]float32 // scale, bias, mean, variance
	for i := range of {
		var err error
		if of[i], err = f.values(bn.Operand(i + 1)); err != nil {
			return err
		}
	}
	old, err := f.values(conv.Operand(1))
	if err != nil {
		return err
	}
	channels := len(of[0])
	before := make([]float32, channels)
	if name := conv.Operand(2); name != "" {
		if before, err = f.values(name); err != nil {
			return err
		}
	}
	epsilon := bn.DecimalAttr("epsilon", 1e-5)
	kernel, bias := make([]float32, len(old)), make([]float32, channels)
	per := len(old) / channels
	for c := range channels {
		scale := float64(of[0][c]) / math.Sqrt(float64(of[3][c])+epsilon)
		for k := c * per; k < (c+1)*per; k++ {
			kernel[k] = float32(float64(old[k]) * scale)
		}
		bias[c] = float32((float64(before[c])-float64(of[2][c]))*scale + float64(of[1][c]))
	}
	weight := onnx.NewFloats(conv.Name+".weight", kernel, f.constants[conv.Operand(1)].Dims...)
	shift := onnx.NewFloats(conv.Name+".bias", bias, int64(channels))
	f.added = append(f.added, weight, shift)
	conv.Input = []string{conv.Input[0], weight.Name, shift.Name}
	conv.Output[0] = bn.Output[0]
	return nil
}

// values are those of an initializer.
func (f *folding) values(name string) ([]float32, error) {
	t := f.constants[name]
	if t == nil {
		return nil, fmt.Errorf("%q is no initializer", name)
	}
	return t.Float32s()
}
