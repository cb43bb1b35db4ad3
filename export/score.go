package export

import (
	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/onnx"
)

// normalise turns pixels, uint8 [N,S,S,3], into the network's input, float32
// [N,3,S,S]: (v/255 - mean)/std, operation by operation as PyTorch has it.
func (l *lowering) normalise(pixels string, mean, std []float32) string {
	x := l.Op("Cast", []string{pixels}, onnx.Int("to", int(onnx.TensorProto_FLOAT)))
	x = l.Op("Transpose", []string{x}, onnx.Ints("perm", 0, 3, 1, 2))
	x = l.Op("Div", []string{x, l.Scalar(255)})
	x = l.Op("Sub", []string{x, l.perChannel(mean)})
	return l.Op("Div", []string{x, l.perChannel(std)})
}

// gradCrossEntropy is the gradient of CE(logits/T, prediction) with respect to
// the logits, (softmax(logits/T) - onehot(prediction))/T, for each image alone.
func (l *lowering) gradCrossEntropy(logits, prediction string, classes int) string {
	p := l.softmax(logits)
	onehot := l.Op("OneHot", []string{prediction, l.Int64s(classes), l.Const([]int{2}, 0, 1)})
	return l.Op("Div", []string{l.Op("Sub", []string{p, onehot}), artifact.Temperature})
}

// odinImage moves every element against its gradient's sign (ODIN, Liang et al.
// 2018): x - noise·s/std with s = 1 where the gradient is ≥ 0, else -1.
func (l *lowering) odinImage(image, gradient string, std []float32) string {
	up := l.Op("GreaterOrEqual", []string{gradient, l.Scalar(0)})
	sign := l.Op("Where", []string{up, l.Scalar(1), l.Scalar(-1)})
	step := l.Op("Mul", []string{l.Op("Div", []string{sign, l.perChannel(std)}), artifact.Noise})
	return l.Op("Sub", []string{image, step})
}

// iodinImage moves only the element of the largest absolute gradient, the first
// of equal ones (i-ODIN, Regmi 2024). It returns that element's index too.
func (l *lowering) iodinImage(image, gradient string, std []float32, size int) (moved, index string) {
	flat := l.reshape(gradient, 3*size*size)
	at := l.largest(l.Op("Abs", []string{flat}), 3*size, size)
	up := l.Op("GreaterOrEqual", []string{l.Op("GatherElements", []string{flat, at}, onnx.Int("axis", 1)), l.Scalar(0)})
	against := l.Op("Where", []string{up, l.Scalar(-1), l.Scalar(1)})
	channel := l.Op("Div", []string{at, l.Int64s(size * size)})
	step := l.Op("Div", []string{against, l.Op("Gather", []string{l.Const([]int{3}, std...), channel})})
	step = l.Op("Mul", []string{step, artifact.Noise})

	pixels := l.reshape(image, 3*size*size)
	pixels = l.Op("ScatterElements", []string{pixels, at, step}, onnx.Int("axis", 1), onnx.String("reduction", "add"))
	return l.reshape(pixels, 3, size, size), l.reshape(at)
}

// largest returns the index [N,1] of the largest element of each image of x
// [N,rows·columns], the first of equal ones. It looks for the largest of each row and
// then for the largest of these: ONNX Runtime's CUDA provider has one thread for each
// maximum, which one of 150,528 elements keeps busy for longer than the network.
func (l *lowering) largest(x string, rows, columns int) string {
	x = l.reshape(x, rows, columns)
	column := l.Op("ArgMax", []string{x}, onnx.Int("axis", 2)) // [N,rows,1]
	maxima := l.reshape(l.Op("GatherElements", []string{x, column}, onnx.Int("axis", 2)), rows)
	row := l.Op("ArgMax", []string{maxima}, onnx.Int("axis", 1)) // [N,1]
	column = l.Op("GatherElements", []string{l.reshape(column, rows), row}, onnx.Int("axis", 1))
	return l.Op("Add", []string{l.Op("Mul", []string{row, l.Int64s(columns)}), column})
}

// confidence evaluates the network on a moved image: max softmax(logits/T), [N].
func (l *lowering) confidence(scope, image string) (string, error) {
	values, err := l.forward(scope, image)
	if err != nil {
		return "", err
	}
	p := l.softmax(values[l.net.Logits])
	return l.Op("ReduceMax", []string{p}, onnx.Ints("axes", 1), onnx.Int("keepdims", 0)), nil
}

// softmax is softmax(logits/T).
func (l *lowering) softmax(logits string) string {
	return l.Op("Softmax", []string{l.Op("Div", []string{logits, artifact.Temperature})}, onnx.Int("axis", 1))
}

// reshape gives a batch of values the shape [N, shape…].
func (l *lowering) reshape(x string, shape ...int) string {
	return l.Op("Reshape", []string{x, l.Int64s(append([]int{-1}, shape...)...)})
}

func (l *lowering) perChannel(v []float32) string { return l.Const([]int{1, 3, 1, 1}, v...) }
