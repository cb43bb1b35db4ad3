package posthoc

import (
	"fmt"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/gradient"
	"github.com/ascood/ascood/onnx"
)

// Part is a graph into which methods write their scores: one that takes what a network
// says of N images, or the artifact itself, which computes that. Scores are computed in
// double precision, comparisons with a bank in float32.
type Part struct {
	*onnx.Builder
	value  func(name string, dims ...any) string // of the artifact, [N,dims…]: float32, but for its own score
	banked func(name string, dims ...any) string // of the bank's images, float32 [R,dims…]; see bank.go
	merges *[]merge                              // of a bank that comes in tiles; nil for one that is there as a whole
	shared map[any]string                        // what several methods take

	resumed bool // it has some of the network in it
}

// Map returns the name of a map inside the network that Needs has named, float32
// [N,C,H,W].
func (p *Part) Map(name string) string {
	return p.value(name, name+" C", name+" H", name+" W")
}

// Logits returns the name of z, float64 [N,C].
func (p *Part) Logits() string { return p.double(p.logits()) }

// Feature returns the name of h, float64 [N,D].
func (p *Part) Feature() string { return p.double(p.feature()) }

func (p *Part) logits() string  { return p.value(artifact.Logits, "C") }
func (p *Part) feature() string { return p.value(artifact.Feature, "D") }

// share emits something once, whoever asks for it.
func (p *Part) share(key any, emit func() string) string {
	if name, ok := p.shared[key]; ok {
		return name
	}
	name := emit()
	p.shared[key] = name
	return name
}

// cast converts to another type of elements.
func (p *Part) cast(x string, to onnx.TensorProto_DataType) string {
	type key struct {
		x  string
		to onnx.TensorProto_DataType
	}
	return p.share(key{x, to}, func() string { return p.Op("Cast", []string{x}, onnx.Int("to", int(to))) })
}

func (p *Part) double(x string) string { return p.cast(x, onnx.TensorProto_DOUBLE) }
func (p *Part) single(x string) string { return p.cast(x, onnx.TensorProto_FLOAT) }

// number is a constant of no dimensions.
func (p *Part) number(v float64) string {
	return p.Double(v)
}

// doubles is what a method has learnt.
func (p *Part) doubles(name string, v []float64, shape ...int) string {
	return p.Doubles("score/"+name, v, shape...)
}

// matrix is a matrix of float32, such as the last layer's weight, in double precision.
func (p *Part) matrix(name string, m Matrix) string {
	return p.share(&m.Data[0], func() string {
		return p.double(p.Weights("score/"+name, m.Data, m.Rows(), m.Cols))
	})
}

// Elementwise operators.

func (p *Part) add(a, b string) string { return p.Op("Add", []string{a, b}) }
func (p *Part) sub(a, b string) string { return p.Op("Sub", []string{a, b}) }
func (p *Part) mul(a, b string) string { return p.Op("Mul", []string{a, b}) }
func (p *Part) div(a, b string) string { return p.Op("Div", []string{a, b}) }
func (p *Part) abs(a string) string    { return p.Op("Abs", []string{a}) }
func (p *Part) exp(a string) string    { return p.Op("Exp", []string{a}) }
func (p *Part) log(a string) string    { return p.Op("Log", []string{a}) }
func (p *Part) sqrt(a string) string   { return p.Op("Sqrt", []string{a}) }
func (p *Part) negated(a string) string {
	return p.Op("Neg", []string{a})
}

func (p *Part) scaled(a string, by float64) string { return p.mul(a, p.number(by)) }

// pow raises numbers that are not negative.
func (p *Part) pow(a string, to float64) string {
	if to == 1 {
		return a
	}
	return p.Op("Pow", []string{a, p.number(to)})
}

// where takes a where the condition holds, else b.
func (p *Part) where(condition, a, b string) string {
	return p.Op("Where", []string{condition, a, b})
}

func (p *Part) equal(a, b string) string   { return p.Op("Equal", []string{a, b}) }
func (p *Part) greater(a, b string) string { return p.Op("Greater", []string{a, b}) }
func (p *Part) atLeast(a, b string) string { return p.Op("Max", []string{a, b}) }
func (p *Part) atMost(a, b string) string  { return p.Op("Min", []string{a, b}) }

// tiny is what lengths are divided by that are 0.
const tiny = 1e-300

// Operators that reduce each image's row of [N,K]: to [N,1], or to [N] as a score has
// it.

func (p *Part) sum(x string) string   { return p.sums(x, true) }
func (p *Part) total(x string) string { return p.sums(x, false) }

func (p *Part) sums(x string, keep bool) string {
	return p.Op("ReduceSum", []string{x, p.Int64s(1)}, onnx.Int("keepdims", one(keep)))
}

func (p *Part) reduce(op, x string, keep bool) string {
	return p.Op(op, []string{x}, onnx.Ints("axes", 1), onnx.Int("keepdims", one(keep)))
}

func one(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

func (p *Part) max(x string) string     { return p.reduce("ReduceMax", x, true) }
func (p *Part) largest(x string) string { return p.reduce("ReduceMax", x, false) }
func (p *Part) least(x string) string   { return p.reduce("ReduceMin", x, false) }

// score makes [N,1] a score, [N].
func (p *Part) score(x string) string { return p.Op("Reshape", []string{x, p.Int64s(-1)}) }

func (p *Part) square(x string) string { return p.mul(x, x) }

// length is the Euclidean length of each row, [N,1].
func (p *Part) length(x string) string { return p.sqrt(p.sum(p.square(x))) }

// top returns the k largest of each row, [N,k], falling, with their places; of equal
// ones the first.
func (p *Part) top(x string, k int) (values, at string) {
	both := p.Ops("TopK", 2, []string{x, p.Int64s(k)}, onnx.Int("axis", 1))
	return both[0], both[1]
}

// product is a·b for each of a's rows.
func (p *Part) product(a, b string) string { return p.Op("MatMul", []string{a, b}) }

// products are the inner products of a's rows with b's.
func (p *Part) products(a, b string) string {
	return p.Op("Gemm", []string{a, b}, onnx.Int("transB", 1))
}

// resume emits the network once more from a value inside it, which x takes the place of,
// and returns the values to, each by its name in the network.
func (p *Part) resume(network *onnx.GraphProto, value, x string, to ...string) map[string]string {
	var outputs []*onnx.ValueInfoProto
	for _, name := range to {
		outputs = append(outputs, onnx.Shapeless(name, onnx.TensorProto_FLOAT))
	}
	p.resumed = true
	exposed := onnx.WithOutputs(network, outputs)
	rest, err := onnx.Extract(&onnx.ModelProto{Graph: exposed}, to, onnx.Shapeless(value, onnx.TensorProto_FLOAT))
	if err != nil {
		p.Fail(err)
		return nil
	}
	return p.Inline(rest.Graph, map[string]string{value: x})
}

// gradient emits the gradient of a value by another, given that by the value.
func (p *Part) gradient(n network, of, given, by string) string {
	g, err := gradient.Of(p.Builder, targets[n.target], of, given, by)
	if err != nil {
		p.Fail(err)
		return by
	}
	return g
}

// network is the artifact's, for methods that run it once more.
type network struct {
	*onnx.GraphProto
	target artifact.Target // of its gradients
}

func (d *Data) network() network { return network{d.Network, d.Target} }

// image returns the name of the normalised image, float32 [N,3,S,S].
func (p *Part) image(n network) string {
	if len(n.GetInput()) == 0 {
		p.Fail(ascood.Errorf(ascood.Internal, "there is no network"))
		return ""
	}
	pixels, err := n.Input[0].Shape()
	if err != nil {
		p.Fail(err)
		return ""
	}
	return p.value(artifact.Image, 3, pixels[1].Size, pixels[2].Size)
}

// flat makes rows of numbers of each image's values.
func (p *Part) flat(x string) string { return p.Op("Flatten", []string{x}) }

// rows takes the row of a constant for each image's class.
func (p *Part) rows(constant, class string) string {
	return p.Op("Gather", []string{constant, class})
}

// prediction is the class of the largest logit, [N].
func (p *Part) prediction() string {
	return p.share("prediction", func() string {
		return p.Op("ArgMax", []string{p.logits()}, onnx.Int("axis", 1), onnx.Int("keepdims", 0))
	})
}

// energy is E of each row, [N].
func (p *Part) energy(z string) string {
	return p.share("energy of "+z, func() string {
		largest := p.max(z)
		return p.score(p.add(largest, p.log(p.sum(p.exp(p.sub(z, largest))))))
	})
}

// softmax is softmax(z/t) of each row.
func (p *Part) softmax(z string, t float64) string {
	return p.share(fmt.Sprint("softmax of ", z, t), func() string {
		return p.Op("Softmax", []string{p.div(z, p.number(t))}, onnx.Int("axis", 1))
	})
}

// classLogits are Wh + b of features.
func (p *Part) classLogits(l linear, h string) string {
	bias := Matrix{l.bias, len(l.bias)}
	return p.Op("Gemm", []string{h, p.matrix("weight", l.weight), p.matrix("bias", bias)}, onnx.Int("transB", 1))
}
