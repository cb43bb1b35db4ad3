package export

import (
	"fmt"
	"reflect"

	"github.com/ascood/ascood/models"
	"github.com/ascood/ascood/onnx"
)

// lowering emits one network, any number of times, into one graph.
type lowering struct {
	*onnx.Builder
	net     *models.Graph // without batch normalisation
	weights Weights
	shapes  [][]int           // of every value of net, without the batch dimension
	inits   map[string]string // state-dict name → initializer, shared by all passes
}

// pass is one evaluation of the network: the name of every value.
type pass []string

// lowerings emits each operation's forward computation: one entry an operation.
var lowerings = map[string]func(l *lowering, n models.Node, in []string) string{
	"Conv2d": func(l *lowering, n models.Node, in []string) string {
		c := n.Op.(models.Conv2d)
		inputs := append(in, l.param(n, "weight"))
		if c.Bias {
			inputs = append(inputs, l.param(n, "bias"))
		}
		return l.Op("Conv", inputs, window(c.Kernel, c.Stride, c.Padding)...)
	},
	"ReLU": func(l *lowering, n models.Node, in []string) string {
		return l.Op("Relu", in)
	},
	"MaxPool2d": func(l *lowering, n models.Node, in []string) string {
		p := n.Op.(models.MaxPool2d)
		return l.Op("MaxPool", in, window(p.Kernel, p.Stride, p.Padding)...)
	},
	"Add": func(l *lowering, n models.Node, in []string) string {
		return l.Op("Add", in)
	},
	"GlobalAvgPool": func(l *lowering, n models.Node, in []string) string {
		return l.Op("Flatten", []string{l.Op("GlobalAveragePool", in)})
	},
	"Flatten": func(l *lowering, n models.Node, in []string) string {
		return l.Op("Flatten", in)
	},
	"ZScore": func(l *lowering, n models.Node, in []string) string {
		return l.Op("Mul", []string{l.standardise(n, in[0]), l.param(n, "sigma")})
	},
	"Linear": func(l *lowering, n models.Node, in []string) string {
		return l.Op("Gemm", []string{in[0], l.param(n, "weight"), l.param(n, "bias")}, onnx.Int("transB", 1))
	},
}

// forward evaluates the network on the value image.
func (l *lowering) forward(scope, image string) (pass, error) {
	values := pass{image}
	for _, n := range l.net.Nodes {
		lower, ok := lowerings[opName(n.Op)]
		if !ok {
			return nil, fmt.Errorf("operation %s (%s) cannot be written as ONNX", opName(n.Op), n.Name)
		}
		l.Scope(scope + "/" + n.Name + "/")
		values = append(values, lower(l, n, values.of(n.Inputs)))
	}
	l.Scope(scope + "/")
	return values, nil
}

func (p pass) of(values []models.Value) []string {
	names := make([]string, len(values))
	for i, v := range values {
		names[i] = p[v]
	}
	return names
}

// param returns the initializer of a node's parameter, adding it at first use.
func (l *lowering) param(n models.Node, name string) string {
	full := n.Param(name)
	if init, ok := l.inits[full]; ok {
		return init
	}
	for _, p := range n.Op.Params() {
		if p.Name == name {
			l.inits[full] = l.Weights(full, l.weights[full], p.Shape...)
		}
	}
	return l.inits[full]
}

// standardise is (x - mean)/(std + eps) of each row of [N,D], with the unbiased std.
func (l *lowering) standardise(n models.Node, x string) string {
	dim := l.shapes[n.Inputs[0]][0]
	centred := l.Op("Sub", []string{x, l.meanOverFeature(x)})
	square := l.Op("Mul", []string{centred, centred})
	variance := l.Op("Mul", []string{l.meanOverFeature(square), l.Scalar(float32(dim) / float32(dim-1))})
	std := l.Op("Sqrt", []string{variance})
	eps := l.Scalar(float32(n.Op.(models.ZScore).Eps))
	rate := l.Op("Reciprocal", []string{l.Op("Add", []string{std, eps})})
	return l.Op("Mul", []string{centred, rate})
}

// meanOverFeature averages [N,D] to [N,1].
func (l *lowering) meanOverFeature(x string) string {
	return l.Op("ReduceMean", []string{x}, onnx.Ints("axes", 1))
}

// window is the attributes of an operator that slides a square window.
func window(kernel, stride, padding int) []onnx.Attr {
	return []onnx.Attr{
		onnx.Ints("kernel_shape", kernel, kernel),
		onnx.Ints("strides", stride, stride),
		onnx.Ints("pads", padding, padding, padding, padding),
	}
}

// opName is the name under which an operation stands in the tables.
func opName(op models.Op) string { return reflect.TypeOf(op).Name() }
