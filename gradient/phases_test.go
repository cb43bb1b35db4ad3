package gradient

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ascood/ascood/internal/ort"
	"github.com/ascood/ascood/onnx"
)

// TestPhases: what is between a strided convolution and where its gradient is put into
// place changes nothing. Of maps with an odd number of rows and of columns, and others;
// compared with the gradient for another target, which has no phases.
func TestPhases(t *testing.T) {
	for _, c := range []struct {
		name  string
		net   func(n *phasedNet, x string) string
		moves [2]int // Transposes of phases into place, two for each; of an even size and of an odd one
	}{
		{"mobile", func(n *phasedNet, x string) string {
			x = n.op("Clip", n.conv(n.conv(x, 16, 3, 1, 1), 32, 1, 1, 1), n.Scalar(0), n.Scalar(1))
			return n.conv(n.op("Relu", n.conv(x, 32, 3, 2, 32)), 16, 1, 1, 1)
		}, [2]int{2, 2}},
		{"SiLU", func(n *phasedNet, x string) string {
			x = n.conv(n.conv(x, 16, 3, 1, 1), 32, 1, 1, 1)
			return n.conv(n.op("Mul", x, n.op("Sigmoid", x)), 32, 5, 2, 32)
		}, [2]int{2, 2}},
		{"HardSwish", func(n *phasedNet, x string) string {
			x = n.op("HardSwish", n.conv(n.conv(x, 16, 3, 1, 1), 32, 1, 1, 1))
			return n.conv(n.op("HardSigmoid", n.op("LeakyRelu", x)), 32, 3, 2, 32)
		}, [2]int{2, 2}},
		{"residual", func(n *phasedNet, x string) string {
			x = n.op("Relu", n.op("Add", n.conv(x, 32, 3, 1, 1), n.conv(x, 32, 3, 1, 1)))
			return n.op("Add", n.conv(n.op("Relu", n.conv(n.op("Relu", n.conv(x, 16, 1, 1, 1)), 16, 3, 2, 1)), 64, 1, 1, 1), n.conv(x, 64, 1, 2, 1))
		}, [2]int{2, 2}},
		{"residual before a stride", func(n *phasedNet, x string) string {
			x = n.conv(x, 16, 3, 1, 1)
			x = n.op("Relu", n.op("Add", x, n.conv(n.op("Relu", n.conv(x, 16, 3, 1, 1)), 16, 3, 1, 1)))
			return n.conv(x, 32, 3, 2, 1)
		}, [2]int{2, 2}},
		{"more channels", func(n *phasedNet, x string) string {
			return n.conv(n.conv(n.conv(x, 32, 3, 1, 1), 16, 1, 1, 1), 16, 3, 2, 16)
		}, [2]int{2, 2}},
		{"factors", func(n *phasedNet, x string) string {
			x = n.conv(x, 16, 3, 1, 1)
			x = n.op("Mul", x, n.op("GlobalAveragePool", x))
			return n.conv(n.op("Mul", n.op("Mul", x, n.Scalar(2)), x), 16, 3, 2, 16)
		}, [2]int{2, 2}},
		{"pool behind a stride", func(n *phasedNet, x string) string {
			return n.pool(n.op("Relu", n.conv(x, 16, 7, 2, 1)))
		}, [2]int{4, 4}},
		{"pool behind a stride and a bound", func(n *phasedNet, x string) string {
			return n.pool(n.op("Clip", n.conv(x, 16, 3, 2, 1), n.Scalar(-1), n.Scalar(1)))
		}, [2]int{4, 4}},
		{"two pools of what a Relu makes", func(n *phasedNet, x string) string {
			x = n.op("Relu", n.conv(x, 16, 3, 1, 1))
			return n.op("Add", n.pool(x), n.op("Mul", n.pool(x), n.conv(x, 16, 3, 2, 1)))
		}, [2]int{6, 6}},
		{"pool of a sum", func(n *phasedNet, x string) string {
			x = n.conv(x, 16, 3, 1, 1)
			return n.pool(n.op("Relu", n.op("Add", n.op("Relu", n.conv(x, 16, 3, 1, 1)), n.conv(x, 16, 3, 1, 1))))
		}, [2]int{2, 2}},
		{"pool of no whole block", func(n *phasedNet, x string) string {
			return n.pool(n.op("Relu", n.conv(x, 12, 3, 2, 1)))
		}, [2]int{4, 4}},
		{"pool of a few channels", func(n *phasedNet, x string) string {
			return n.pool(n.op("Relu", n.conv(x, 6, 3, 2, 1)))
		}, [2]int{2, 2}},
		{"parts", func(n *phasedNet, x string) string {
			x = n.fire(n.fire(x))
			return n.op("Add", n.conv(x, 16, 1, 1, 1), n.conv(x, 16, 3, 1, 1))
		}, [2]int{0, 0}},
		{"parts and all of it", func(n *phasedNet, x string) string {
			x = n.fire(x)
			return n.op("Add", n.conv(x, 48, 1, 1, 1), x)
		}, [2]int{0, 0}},
		{"parts with a stride", func(n *phasedNet, x string) string {
			x = n.fire(x)
			return n.op("Add", n.conv(x, 16, 3, 2, 1), n.conv(x, 16, 1, 2, 1))
		}, [2]int{4, 4}},
		{"parts before a pool", func(n *phasedNet, x string) string {
			x = n.fire(x)
			return n.op("Add", n.conv(n.pool(x), 16, 3, 1, 1), n.conv(x, 16, 3, 2, 1))
		}, [2]int{6, 6}},
		{"parts before a pool, in phases", func(n *phasedNet, x string) string {
			return n.conv(n.op("Relu", n.conv(n.pool(n.fire(x)), 16, 1, 1, 1)), 16, 3, 2, 16)
		}, [2]int{6, 6}},
		{"two strides", func(n *phasedNet, x string) string {
			x = n.conv(x, 16, 3, 1, 1)
			return n.Op("Concat", []string{n.flat(n.conv(x, 16, 3, 2, 1)), n.flat(n.conv(x, 16, 5, 3, 1)), n.flat(n.conv(x, 16, 3, 1, 16))}, onnx.Int("axis", 1))
		}, [2]int{4, 4}},
	} {
		for _, size := range []int{8, 9} {
			var gradients [][]float32
			for _, target := range []Target{CPU, CUDA} {
				n := &phasedNet{onnx.NewBuilder(c.name), rand.New(rand.NewPCG(1, 2))}
				x := n.Input("x", "", onnx.TensorProto_FLOAT, onnx.Batch, 3, size, size)
				y := c.net(n, x)
				g, err := Of(n.Builder, target, y, n.op("Tanh", y), x)
				if g = n.op("Identity", g); err != nil {
					t.Fatal(c.name, err)
				}
				n.Output(g, "", onnx.TensorProto_FLOAT, onnx.Batch, 3, size, size)
				s, m := open(t, n.Builder)
				data := images(3, size, size).draw(rand.New(rand.NewPCG(3, 4)), 2)
				out, err := s.Run(map[string]ort.Value{"x": {Shape: []int{2, 3, size, size}, Data: data}})
				if err != nil {
					t.Fatal(c.name, err)
				}
				gradients = append(gradients, out[g].Floats())
				if moves := countMoves(m.Graph); target == CPU && moves != c.moves[size%2] {
					t.Errorf("%s of %d: phases are moved by %d Transposes, want %d", c.name, size, moves, c.moves[size%2])
				}
			}
			closeTo(t, c.name, gradients[0], doubles(gradients[1]), 1e-5)
		}
	}
}

// countMoves counts the Transposes that put phases into place.
func countMoves(g *onnx.GraphProto) (moves int) {
	for _, n := range g.Node {
		if perm := n.IntsAttr("perm"); slices.Equal(perm, []int{0, 1, 3, 4, 5, 2}) || slices.Equal(perm, []int{0, 2, 3, 1, 4}) {
			moves++
		}
	}
	return moves
}

// phasedNet is a network that is being built.
type phasedNet struct {
	*onnx.Builder
	rng *rand.Rand
}

func (n *phasedNet) op(op string, inputs ...string) string { return n.Op(op, inputs) }

// flat is what Concat can put behind others.
func (n *phasedNet) flat(x string) string { return n.op("Flatten", x) }

func (n *phasedNet) pool(x string) string {
	return n.Op("MaxPool", []string{x}, window([]int{2, 2}, []int{1, 1}, []int{1, 1, 1, 1}, onnx.Ints("kernel_shape", 3, 3))...)
}

// fire is two activations, one behind the other.
func (n *phasedNet) fire(x string) string {
	return n.Op("Concat", []string{n.op("Relu", n.conv(x, 16, 1, 1, 1)), n.op("Relu", n.conv(x, 32, 3, 1, 1))}, onnx.Int("axis", 1))
}

// conv is a convolution by random numbers, padded by half a kernel.
func (n *phasedNet) conv(x string, channels, kernel, stride, group int) string {
	s, err := n.Shape(x)
	if err != nil {
		n.Fail(err)
		return x
	}
	sizes := []int{channels, s[1].Size / group, kernel, kernel}
	weights := constant(sizes...).draw(n.rng, 1)
	for i := range weights {
		weights[i] /= float32(math.Sqrt(float64(sizes[1]) * float64(kernel*kernel)))
	}
	p := kernel / 2
	return n.Op("Conv", []string{x, n.Weights("w", weights, sizes...)}, window([]int{stride, stride}, []int{1, 1}, []int{p, p, p, p}, onnx.Int("group", group))...)
}
