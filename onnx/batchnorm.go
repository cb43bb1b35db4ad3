package onnx

import (
	"fmt"
	"math"
)

// Affine returns what a BatchNormalization in inference does to each channel, given the
// graph's initializers: x·scale + shift, in double precision, so that computing it into
// another operator costs no accuracy beyond the final rounding.
func Affine(n *NodeProto, constant func(name string) *TensorProto) (scale, shift []float64, err error) {
	var of [4][]float32 // scale, bias, mean, variance
	for i := range of {
		t := constant(n.Operand(i + 1))
		if t == nil {
			return nil, nil, fmt.Errorf("%q is no initializer", n.Operand(i+1))
		}
		if of[i], err = t.Float32s(); err != nil {
			return nil, nil, err
		}
		if len(of[i]) != len(of[0]) {
			return nil, nil, fmt.Errorf("%q has %d values, %q %d", t.Name, len(of[i]), n.Operand(1), len(of[0]))
		}
	}
	epsilon := n.DecimalAttr("epsilon", 1e-5)
	for c := range of[0] {
		s := float64(of[0][c]) / math.Sqrt(float64(of[3][c])+epsilon)
		scale = append(scale, s)
		shift = append(shift, float64(of[1][c])-float64(of[2][c])*s)
	}
	return scale, shift, nil
}
