package export

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ascood/ascood/internal/ort"
	"github.com/ascood/ascood/onnx"
)

// TestAgain: of random networks, a pass that follows one element says what a whole pass over
// the moved image does, wherever the element is and however far the stages go. Corners are
// among the places, and several images share a batch.
func TestAgain(t *testing.T) {
	followed := 0
	for seed := range uint64(30) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 1))
			g, size := randomNetwork(t, rng)
			for _, c := range planStages(g) {
				if len(c.stages) == 0 {
					continue
				}
				followed++
				if worst := followedWorst(t, rng, g, size, c.stages); worst > 1e-5 {
					t.Errorf("%d stages to %s of %v: logits are off by %.1e of the largest", len(c.stages), c.value, c.shape, worst)
				}
			}
		})
	}
	if followed < 100 {
		t.Errorf("there were stages to %d values of all networks, want more than a hundred", followed)
	}
}

// followedWorst is by how much the logits of a pass by stages are off, at most, as a part of
// the largest.
func followedWorst(t *testing.T, rng *rand.Rand, g *onnx.GraphProto, size int, stages []stage) float64 {
	t.Helper()
	const images = 12
	b := onnx.NewBuilder("test")
	p := &passes{b, Network{Model: onnx.File(g)}, g, stages}
	image := b.Input("before", "", onnx.TensorProto_FLOAT, "N", 3, size, size)
	moved := b.Input("moved", "", onnx.TensorProto_FLOAT, "N", 3, size, size)
	at := b.Input("at", "", onnx.TensorProto_INT64, "N", 2)
	again := p.again("again", p.whole("first", image), moved, at)
	whole := p.whole("second", moved).logits
	b.Output(again, "", onnx.TensorProto_FLOAT, "N", 5)
	b.Output(whole, "", onnx.TensorProto_FLOAT, "N", 5)
	m, err := b.Model("test", "1")
	if err != nil {
		t.Fatal(err)
	}

	pixels := make([]float32, images*3*size*size)
	for i := range pixels {
		pixels[i] = float32(rng.NormFloat64())
	}
	changed := slices.Clone(pixels)
	var places []int64
	for i := range images {
		y, x := rng.IntN(size), rng.IntN(size)
		if i < 4 { // the corners
			y, x = i/2*(size-1), i%2*(size-1)
		}
		places = append(places, int64(y), int64(x))
		changed[((i*3+rng.IntN(3))*size+y)*size+x] += 10
	}
	results, err := ort.Evaluate(m, map[string]*onnx.TensorProto{
		"before": onnx.NewFloats("", pixels, images, 3, int64(size), int64(size)),
		"moved":  onnx.NewFloats("", changed, images, 3, int64(size), int64(size)),
		"at":     onnx.NewInts("", places, images, 2),
	})
	if err != nil {
		t.Fatal(err)
	}
	got, want := floatsOf(t, results[0][again]), floatsOf(t, results[0][whole])
	worst, largest := 0.0, 0.0
	for i := range want {
		worst = max(worst, math.Abs(float64(got[i]-want[i])))
		largest = max(largest, math.Abs(float64(want[i])))
	}
	return worst / largest
}

// randomNetwork is a network of some convolutions, pools, activations, sums and branches,
// with uneven pads, odd sizes and strides beyond the kernel.
func randomNetwork(t *testing.T, rng *rand.Rand) (g *onnx.GraphProto, size int) {
	t.Helper()
	size = 24 + rng.IntN(24)
	n := &networkOf{onnx.NewBuilder("random"), rng}
	n.Scope(onnx.Prefix)
	x := n.Input("image", "", onnx.TensorProto_FLOAT, "N", 3, size, size)
	for range 2 + rng.IntN(5) {
		x = n.layer(x)
	}
	x = n.Op("Flatten", []string{n.Op("GlobalAveragePool", []string{x})})
	s, err := n.Shape(x)
	if err != nil {
		t.Fatal(err)
	}
	x = n.Op("Gemm", []string{x, n.weights(s[1].Size, 5)})
	n.Output(x, "", onnx.TensorProto_FLOAT, "N", 5)
	if g, err = n.Graph(); err != nil {
		t.Fatal(err)
	}
	return g, size
}

type networkOf struct {
	*onnx.Builder
	*rand.Rand
}

func (n *networkOf) weights(shape ...int) string {
	count := 1
	for _, d := range shape {
		count *= d
	}
	v := make([]float32, count)
	for i := range v {
		v[i] = float32(n.NormFloat64())
	}
	return n.Weights(onnx.Prefix+"w", v, shape...)
}

// channels are those of maps.
func (n *networkOf) channels(x string) int {
	s, _ := n.Shape(x)
	return s[1].Size
}

// room is how many rows or columns maps have.
func (n *networkOf) room(x string) int {
	s, _ := n.Shape(x)
	return min(s[2].Size, s[3].Size)
}

// layer is a random layer, none where maps are smaller than its kernel may be.
func (n *networkOf) layer(x string) string {
	const widest = 5
	if n.room(x) < widest {
		return x
	}
	switch n.IntN(7) {
	case 0:
		return n.pool(x)
	case 1: // SiLU behind two convolutions
		y := n.convolution(n.Op("Relu", []string{n.convolution(x, 3, 1, 1, 1)}), 3, 1, 1, 1)
		return n.Op("Relu", []string{n.Op("Mul", []string{y, n.Op("Sigmoid", []string{y})})})
	case 2: // residual
		y := n.Op("Conv", []string{x, n.weights(n.channels(x), 1, 3, 3)}, onnx.Ints("pads", 1, 1, 1, 1), onnx.Int("group", n.channels(x)))
		return n.Op("Add", []string{x, y})
	case 3: // branches
		return n.Op("Concat", []string{n.convolution(x, 1, 1, 0, 0), n.convolution(x, 5, 1, 2, 2), x}, onnx.Int("axis", 1))
	case 4:
		return n.Op("Sigmoid", []string{n.convolution(x, 2+n.IntN(2), 1, n.IntN(2), n.IntN(2))})
	}
	stride := 1
	if n.room(x) > 12 {
		stride += n.IntN(3)
	}
	kernel := 1 + n.IntN(widest)
	return n.Op("Relu", []string{n.convolution(x, kernel, stride, n.IntN(kernel), n.IntN(kernel))})
}

func (n *networkOf) convolution(x string, kernel, stride, before, after int) string {
	channels := []int{4, 5, 16}[n.IntN(3)]
	return n.Op("Conv", []string{x, n.weights(channels, n.channels(x), kernel, kernel), n.weights(channels)},
		onnx.Ints("strides", stride, stride), onnx.Ints("pads", before, before, after, after))
}

func (n *networkOf) pool(x string) string {
	window := []onnx.Attr{onnx.Ints("kernel_shape", 3, 2), onnx.Ints("strides", 2, 2)}
	padded := onnx.Ints("pads", 1, 0, n.IntN(2), 1)
	switch n.IntN(3) {
	case 0:
		return n.Op("MaxPool", []string{x}, append(window, onnx.Int("ceil_mode", 1))...)
	case 1:
		return n.Op("MaxPool", []string{x}, append(window, padded)...)
	default:
		return n.Op("AveragePool", []string{x}, append(window, padded, onnx.Int("count_include_pad", n.IntN(2)))...)
	}
}
