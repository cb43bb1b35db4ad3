package gradient

import "github.com/ascood/ascood/onnx"

var normalisations = map[string]rule{
	"BatchNormalization": {vjp: []vjp{batchNormGradient, nil, nil, nil, nil}, takes: takesBatchNorm, variants: "in inference"},
	"LayerNormalization": {vjp: []vjp{layerNormGradient, nil, nil}, variants: "over the last axes, from `axis` on; scale and bias off the image's way"},
	"LpNormalization":    {vjp: []vjp{lpNormGradient}, takes: takesLpNorm, variants: "`p` 2"},
	"Softmax":            unary("over one axis", softmaxGradient),
	"LogSoftmax":         unary("over one axis", logSoftmaxGradient),
}

func takesBatchNorm(n *node) {
	if n.IntAttr("training_mode", 0) != 0 {
		n.refuse("is in training mode, in which the images of a batch change each other's results; export the network for inference")
	}
}

// batchNormGradient is dy·scale/√(variance + ε), constant for each channel.
func batchNormGradient(n *node) string {
	deviation := n.op("Sqrt", n.add(n.Operand(4), n.number(float64(n.FloatAttr("epsilon", 1e-5)))))
	factor := n.div(n.Operand(1), deviation)
	s := onnx.Static(n.shape(n.x())[1].Size)
	for range n.mapAxes() {
		s = append(s, onnx.Dim{Size: 1})
	}
	return n.mul(n.dy, n.reshape(factor, s))
}

// layerNormGradient: with z = (x - mean)·r, r = 1/√(variance + ε) and g = dy·scale it
// is r·(g - mean(g) - z·mean(g·z)).
func layerNormGradient(n *node) string {
	s := n.shape(n.x())
	first, err := s.Axis(n.IntAttr("axis", -1))
	if n.note(err); n.err != nil {
		return ""
	}
	var axes []int
	for i := first; i < len(s); i++ {
		axes = append(axes, i)
	}
	centred := n.sub(n.x(), n.mean(n.x(), axes...))
	variance := n.mean(n.mul(centred, centred), axes...)
	r := n.op("Reciprocal", n.op("Sqrt", n.add(variance, n.number(float64(n.FloatAttr("epsilon", 1e-5))))))
	z := n.mul(centred, r)
	g := n.mul(n.dy, n.Operand(1))
	direct := n.sub(g, n.mean(g, axes...))
	through := n.mul(z, n.mean(n.mul(g, z), axes...))
	return n.mul(n.sub(direct, through), r)
}

func takesLpNorm(n *node) {
	if p := n.IntAttr("p", 2); p != 2 {
		n.refuse("has p %d, want 2", p)
	}
}

// lpNormGradient: of y = x/‖x‖ it is (dy - y·Σ(dy·y))/‖x‖.
func lpNormGradient(n *node) string {
	axis, err := n.shape(n.x()).Axis(n.IntAttr("axis", -1))
	n.note(err)
	norm := n.Op("ReduceL2", []string{n.x()}, onnx.Ints("axes", axis))
	along := n.mul(n.y(), n.sum(n.mul(n.dy, n.y()), axis))
	return n.div(n.sub(n.dy, along), n.op("Max", norm, n.tiny()))
}

// softmaxGradient is dy·y - y·Σ(dy·y).
func softmaxGradient(n *node) string {
	axis, err := n.shape(n.x()).Axis(n.IntAttr("axis", -1))
	n.note(err)
	weighted := n.mul(n.dy, n.y())
	return n.sub(weighted, n.mul(n.y(), n.sum(weighted, axis)))
}

// logSoftmaxGradient is dy - exp(y)·Σdy.
func logSoftmaxGradient(n *node) string {
	axis, err := n.shape(n.x()).Axis(n.IntAttr("axis", -1))
	n.note(err)
	return n.sub(n.dy, n.mul(n.op("Exp", n.y()), n.sum(n.dy, axis)))
}
