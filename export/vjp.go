package export

import (
	"fmt"
	"math"

	"github.com/ascood/ascood/models"
	"github.com/ascood/ascood/onnx"
)

// step is one node of a forward pass, seen from its output's gradient.
type step struct {
	node     models.Node
	in       []string // values of the node's inputs
	out      string   // value of its output
	inShape  []int    // of the first input, without the batch dimension
	outShape []int
	grad     string // gradient with respect to the output
}

// rules is the table of vector-Jacobian products: given the gradient with
// respect to an operation's output, emit the gradients with respect to its
// inputs. One entry an operation, in plain ai.onnx operators.
//
// The operators are chosen for ONNX Runtime's CPU kernels, which are fast only
// in their blocked layout: Conv, Add, Mul and HardSigmoid stay in it,
// ConvTranspose, Sign, Where and Greater leave it.
var rules = map[string]func(l *lowering, s step) ([]string, error){
	"Conv2d": func(l *lowering, s step) ([]string, error) {
		g, err := l.convInputGradient(s)
		return []string{g}, err
	},
	"ReLU": func(l *lowering, s step) ([]string, error) {
		// min(1, 1e38·y) is 1 where y > 0, else 0.
		mask := l.Op("HardSigmoid", []string{s.out}, onnx.Float("alpha", 1e38), onnx.Float("beta", 0))
		return []string{l.Op("Mul", []string{s.grad, mask})}, nil
	},
	"MaxPool2d": func(l *lowering, s step) ([]string, error) {
		return []string{l.maxPoolGradient(s)}, nil
	},
	"Add": func(l *lowering, s step) ([]string, error) {
		return []string{s.grad, s.grad}, nil
	},
	"GlobalAvgPool": func(l *lowering, s step) ([]string, error) {
		shape := s.inShape
		mean := l.Op("Mul", []string{s.grad, l.Scalar(1 / float32(shape[1]*shape[2]))})
		mean = l.Op("Unsqueeze", []string{mean, l.Int64s(2, 3)})
		return []string{l.Op("Expand", []string{mean, l.Int64s(append([]int{1}, shape...)...)})}, nil
	},
	"Flatten": func(l *lowering, s step) ([]string, error) {
		return []string{l.reshape(s.grad, s.inShape...)}, nil
	},
	"ZScore": func(l *lowering, s step) ([]string, error) {
		return []string{l.zscoreGradient(s)}, nil
	},
	"Linear": func(l *lowering, s step) ([]string, error) {
		return []string{l.Op("MatMul", []string{s.grad, l.param(s.node, "weight")})}, nil
	},
}

// backward walks a forward pass from its logits to its image and returns the
// gradient with respect to the image, given the one with respect to the logits.
func (l *lowering) backward(scope string, values pass, gradLogits string) (string, error) {
	grads := make([]string, len(values))
	grads[l.net.Logits] = gradLogits
	for i := len(l.net.Nodes) - 1; i >= 0; i-- {
		n := l.net.Nodes[i]
		out := models.Value(i + 1)
		if grads[out] == "" { // the logits do not depend on it
			continue
		}
		rule, ok := rules[opName(n.Op)]
		if !ok {
			return "", fmt.Errorf("operation %s (%s) has no gradient rule", opName(n.Op), n.Name)
		}
		l.Scope(scope + "/" + n.Name + "/")
		in, err := rule(l, step{
			node: n, in: values.of(n.Inputs), out: values[out], grad: grads[out],
			inShape: l.shapes[n.Inputs[0]], outShape: l.shapes[out],
		})
		if err != nil {
			return "", fmt.Errorf("gradient of %s: %w", n.Name, err)
		}
		for k, v := range n.Inputs {
			if grads[v] != "" {
				in[k] = l.Op("Add", []string{grads[v], in[k]})
			}
			grads[v] = in[k]
		}
	}
	l.Scope(scope + "/")
	return grads[models.Image], nil
}

// convInputGradient writes the gradient of a convolution as a convolution of the
// gradient with the flipped and transposed kernel. With stride s the s² phases
// of the input are computed as channels of one convolution and interleaved.
func (l *lowering) convInputGradient(s step) (string, error) {
	c := s.node.Op.(models.Conv2d)
	in, out := s.inShape, s.outShape
	taps, first := phaseTaps(c.Kernel, c.Stride, c.Padding)
	size := len(taps[0])

	grid := [2]int{ceilDiv(in[1], c.Stride), ceilDiv(in[2], c.Stride)}
	after := [2]int{grid[0] - out[1] + first + size - 1, grid[1] - out[2] + first + size - 1}
	if first > 0 || after[0] < 0 || after[1] < 0 {
		return "", fmt.Errorf("a padding of %d with a kernel of %d is not supported", c.Padding, c.Kernel)
	}
	kernel := l.phaseKernel(l.param(s.node, "weight"), c, taps)
	g := l.Op("Conv", []string{s.grad, kernel},
		onnx.Ints("kernel_shape", size, size), onnx.Ints("strides", 1, 1),
		onnx.Ints("pads", -first, -first, after[0], after[1]))
	if c.Stride == 1 {
		return g, nil
	}
	g = l.Op("DepthToSpace", []string{g}, onnx.Int("blocksize", c.Stride))
	if grid[0]*c.Stride != in[1] || grid[1]*c.Stride != in[2] {
		g = l.Op("Slice", []string{g, l.Int64s(0, 0), l.Int64s(in[1], in[2]), l.Int64s(2, 3)})
	}
	return g, nil
}

// phaseTaps tells, for each of the stride's phases along one axis, which kernel
// element multiplies which gradient element: phase r of input position q·s + r
// is the sum over t of kernel[taps[r][t]] · grad[q + first + t]. A tap that the
// phase does not have is index kernel, one past the end.
func phaseTaps(kernel, stride, padding int) (taps [][]int, first int) {
	// Input position q·s + r meets output o at kernel element k = q·s + r + p - o·s,
	// that is, at o = q + d with k = r + p - d·s in [0, kernel).
	first = math.MaxInt
	last := math.MinInt
	for r := range stride {
		for k := range kernel {
			if (r+padding-k)%stride == 0 {
				d := (r + padding - k) / stride
				first, last = min(first, d), max(last, d)
			}
		}
	}
	for r := range stride {
		row := make([]int, last-first+1)
		for t := range row {
			k := r + padding - (first+t)*stride
			if k < 0 || k > kernel {
				k = kernel
			}
			row[t] = k
		}
		taps = append(taps, row)
	}
	return taps, first
}

// phaseKernel rearranges a kernel [Out,In,K,K] for the gradient: [s²·In,Out,T,T],
// the phases in DepthToSpace's order. It is done in the graph, on constants, so
// that the file holds every weight once; the runtime computes it at load.
func (l *lowering) phaseKernel(weight string, c models.Conv2d, taps [][]int) string {
	var picks []int
	padded := false
	for _, row := range taps {
		for _, k := range row {
			picks = append(picks, k)
			padded = padded || k == c.Kernel
		}
	}
	if padded { // a row and a column of zeros for the taps that a phase does not have
		weight = l.Op("Pad", []string{weight, l.Int64s(0, 0, 0, 0, 0, 0, 1, 1)})
	}
	for _, axis := range []int{2, 3} {
		weight = l.Op("Gather", []string{weight, l.Int64s(picks...)}, onnx.Int("axis", axis))
	}
	stride, size := len(taps), len(taps[0])
	if stride == 1 {
		return l.Op("Transpose", []string{weight}, onnx.Ints("perm", 1, 0, 2, 3))
	}
	weight = l.Op("Reshape", []string{weight, l.Int64s(c.Out, c.In, stride, size, stride, size)})
	weight = l.Op("Transpose", []string{weight}, onnx.Ints("perm", 2, 4, 1, 0, 3, 5))
	return l.Op("Reshape", []string{weight, l.Int64s(stride*stride*c.In, c.Out, size, size)})
}

// maxPoolGradient scatters the gradient to the elements that the pool chose.
// Both ONNX Runtime and libtorch take the first of equal elements.
func (l *lowering) maxPoolGradient(s step) string {
	p := s.node.Op.(models.MaxPool2d)
	indices := l.Ops("MaxPool", 2, s.in, window(p.Kernel, p.Stride, p.Padding)...)[1]
	flat := l.Int64s(-1)
	size := l.Op("Shape", []string{l.Op("Reshape", []string{s.in[0], flat})})
	zeros := l.Op("ConstantOfShape", []string{size})
	sum := l.Op("ScatterElements", []string{
		zeros, l.Op("Reshape", []string{indices, flat}), l.Op("Reshape", []string{s.grad, flat}),
	}, onnx.String("reduction", "add"))
	return l.reshape(sum, s.inShape...)
}

// zscoreGradient: with c = x - mean, s the unbiased std, r = 1/(s + eps) and
// g' = sigma·g, the gradient is r·(g' - mean g') - c·r²/(s·(D-1))·Σ g'·c.
func (l *lowering) zscoreGradient(s step) string {
	dim := s.inShape[0]
	z := l.standardise(s.node, s.in[0])
	g := l.Op("Mul", []string{s.grad, l.param(s.node, "sigma")})

	direct := l.Op("Sub", []string{g, l.meanOverFeature(g)})
	direct = l.Op("Mul", []string{direct, z.rate})

	// A constant feature has s = 0 and c = 0: the term is 0, not 0/0.
	std := l.Op("Max", []string{z.std, l.Scalar(1e-20)})
	through := l.meanOverFeature(l.Op("Mul", []string{g, z.centred}))
	through = l.Op("Mul", []string{through, l.Scalar(float32(dim) / float32(dim-1))})
	through = l.Op("Mul", []string{through, l.Op("Mul", []string{z.rate, z.rate})})
	through = l.Op("Mul", []string{l.Op("Div", []string{z.centred, std}), through})
	return l.Op("Sub", []string{direct, through})
}

// reshape gives a batch of values the shape [N, shape…].
func (l *lowering) reshape(x string, shape ...int) string {
	return l.Op("Reshape", []string{x, l.Int64s(append([]int{-1}, shape...)...)})
}

func ceilDiv(a, b int) int { return (a + b - 1) / b }
