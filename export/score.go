package export

import (
	"math"

	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/onnx"
)

// normalise turns pixels, uint8 [N,S,S,3], into the network's input, float32
// [N,3,S,S]: (v/255 - mean)/std, operation by operation as PyTorch has it.
func (c *composer) normalise(pixels string) string {
	x := c.Op("Cast", []string{pixels}, onnx.Int("to", int(onnx.TensorProto_FLOAT)))
	x = c.Op("Transpose", []string{x}, onnx.Ints("perm", 0, 3, 1, 2))
	x = c.Op("Div", []string{x, c.Scalar(255)})
	x = c.Op("Sub", []string{x, c.perChannel(c.mean)})
	return c.Op("Div", []string{x, c.perChannel(c.std)})
}

// gradCrossEntropy is the gradient of CE(logits/T, prediction) with respect to
// the logits, (softmax(logits/T) - onehot(prediction))/T, for each image alone.
func (c *composer) gradCrossEntropy(logits, prediction string, classes int) string {
	p := c.softmax(logits)
	onehot := c.Op("OneHot", []string{prediction, c.Int64s(classes), c.Const([]int{2}, 0, 1)})
	return c.Op("Div", []string{c.Op("Sub", []string{p, onehot}), artifact.Temperature})
}

// raised returns a gradient [N,classes] times a power of two that brings images with next to none nearer to 1, and the
// power's inverse [N,1]: processors take a hundred times as long for numbers below 2⁻¹²⁶, which the walk back
// would make of a gradient that is small to begin with. It changes no other number.
func (c *composer) raised(gradient string) (product, inverse string) {
	largest := c.Op("ReduceMax", []string{c.Op("Abs", []string{gradient})}, onnx.Ints("axes", 1))
	power, inverse := c.Scalar(1), c.Scalar(1)
	for _, step := range []struct{ below, by int }{{-40, 50}, {-90, 100}} {
		small := c.Op("Less", []string{largest, c.power(step.below)})
		power = c.Op("Where", []string{small, c.power(step.by), power})
		inverse = c.Op("Where", []string{small, c.power(-step.by), inverse})
	}
	return c.Op("Mul", []string{gradient, power}), inverse
}

// power is that power of two.
func (c *composer) power(exponent int) string { return c.Scalar(float32(math.Ldexp(1, exponent))) }

// odinImage moves every element against its gradient's sign (ODIN, Liang et ac.
// 2018): x - noise·s/std with s = 1 where the gradient is ≥ 0, else -1.
func (c *composer) odinImage(image, gradient string) string {
	up := c.Op("GreaterOrEqual", []string{gradient, c.Scalar(0)})
	sign := c.Op("Where", []string{up, c.Scalar(1), c.Scalar(-1)})
	step := c.Op("Mul", []string{c.Op("Div", []string{sign, c.perChannel(c.std)}), artifact.Noise})
	return c.Op("Sub", []string{image, step})
}

// strongest is the element of each image with the largest absolute gradient, the first of
// equal ones.
type strongest struct {
	at       string // its index [N,1]
	place    string // its row and column [N,2]
	gradient string // its gradient [N,1]
	size     string // of the step that moves it, noise/std [N,1]
}

func (c *composer) strongest(gradient string) strongest {
	flat := c.reshape(gradient, 3*c.size*c.size)
	at := c.largest(c.Op("Abs", []string{flat}), 3*c.size, c.size)
	channel := c.Op("Div", []string{at, c.Int64s(c.size * c.size)})
	rate := c.Op("Div", []string{c.Scalar(1), c.Op("Gather", []string{c.Const([]int{3}, c.std...), channel})})
	place := c.Op("Mod", []string{c.Op("Div", []string{at, c.Int64s(c.size, 1)}), c.Int64s(c.size)})
	return strongest{at, place, c.Op("GatherElements", []string{flat, at}, onnx.Int("axis", 1)), c.Op("Mul", []string{rate, artifact.Noise})}
}

// iodinImage moves only that element, against its gradient (i-ODIN, Regmi 2024).
func (c *composer) iodinImage(image string, e strongest) string {
	up := c.Op("GreaterOrEqual", []string{e.gradient, c.Scalar(0)})
	step := c.Op("Mul", []string{c.Op("Where", []string{up, c.Scalar(-1), c.Scalar(1)}), e.size})
	pixels := c.reshape(image, 3*c.size*c.size)
	pixels = c.Op("ScatterElements", []string{pixels, e.at, step}, onnx.Int("axis", 1), onnx.String("reduction", "add"))
	return c.reshape(pixels, 3, c.size, c.size)
}

// iodinFast is log max softmax(logits/T) and what the step adds to it to first order
// (posthoc.IODINFast), [N].
func (c *composer) iodinFast(logits string, e strongest) string {
	p := c.Op("LogSoftmax", []string{c.Op("Div", []string{logits, artifact.Temperature})}, onnx.Int("axis", 1))
	confidence := c.Op("ReduceMax", []string{p}, onnx.Ints("axes", 1))
	rise := c.Op("Mul", []string{c.Op("Abs", []string{e.gradient}), e.size})
	return c.reshape(c.Op("Add", []string{confidence, rise}))
}

// largest returns the index [N,1] of the largest element of each image of x
// [N,rows·columns], the first of equal ones. It looks for the largest of each row and
// then for the largest of these: ONNX Runtime's CUDA provider has one thread for each
// maximum, which one of 150,528 elements keeps busy for longer than the network.
func (c *composer) largest(x string, rows, columns int) string {
	x = c.reshape(x, rows, columns)
	column := c.Op("ArgMax", []string{x}, onnx.Int("axis", 2)) // [N,rows,1]
	maxima := c.reshape(c.Op("GatherElements", []string{x, column}, onnx.Int("axis", 2)), rows)
	row := c.Op("ArgMax", []string{maxima}, onnx.Int("axis", 1)) // [N,1]
	column = c.Op("GatherElements", []string{c.reshape(column, rows), row}, onnx.Int("axis", 1))
	return c.Op("Add", []string{c.Op("Mul", []string{row, c.Int64s(columns)}), column})
}

// confidence is max softmax(logits/T), [N].
func (c *composer) confidence(logits string) string {
	return c.Op("ReduceMax", []string{c.softmax(logits)}, onnx.Ints("axes", 1), onnx.Int("keepdims", 0))
}

// softmax is softmax(logits/T).
func (c *composer) softmax(logits string) string {
	return c.Op("Softmax", []string{c.Op("Div", []string{logits, artifact.Temperature})}, onnx.Int("axis", 1))
}

// reshape gives a batch of values the shape [N, shape…].
func (c *composer) reshape(x string, shape ...int) string {
	return c.Op("Reshape", []string{x, c.Int64s(append([]int{-1}, shape...)...)})
}

func (c *composer) perChannel(v []float32) string { return c.Const([]int{1, 3, 1, 1}, v...) }
