package models

import "github.com/ascood/ascood/onnx"

// Sigma is the name of the ASCOOD head's scale, a scalar that is not trained.
const Sigma = "sigma"

// zscore is the ASCOOD head (Regmi 2024) on the feature, its scale a parameter of the
// module.
func (m module) zscore(x string) string {
	y, err := ZScore(m.b, x, m.buffer(Sigma, Init{Constant, 1}))
	m.note(err)
	return y
}

// ZScore adds to a graph what the ASCOOD head does to the feature x [N,D]: it
// standardises each row and scales it by sigma, a scalar of the graph:
// sigma·(x - mean)/(std + 1e-6), with the unbiased std over D.
func ZScore(b *onnx.Builder, x, sigma string) (string, error) {
	shape, err := b.Shape(x)
	if err != nil {
		return "", err
	}
	b.Scope(onnx.Prefix + "zscore/")
	centred := b.Op("Sub", []string{x, b.Op("ReduceMean", []string{x}, onnx.Ints("axes", 1))})
	sum := b.Op("ReduceSum", []string{b.Op("Mul", []string{centred, centred}), b.Int64s(1)})
	std := b.Op("Sqrt", []string{b.Op("Div", []string{sum, b.Scalar(float32(shape[1].Size - 1))})})
	rate := b.Op("Reciprocal", []string{b.Op("Add", []string{std, b.Scalar(1e-6)})})
	return b.Op("Mul", []string{b.Op("Mul", []string{centred, rate}), sigma}), nil
}
