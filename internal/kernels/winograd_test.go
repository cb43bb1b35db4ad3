package kernels_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ascood/ascood/internal/kernels"
	"github.com/ascood/ascood/internal/ort"
	"github.com/ascood/ascood/onnx"
)

// convolution is one of 3x3 with stride 1, and what ends it.
type convolution struct {
	images, in, out, height, width int
	pads                           [4]int // top, left, bottom, right
	bias, sum, relu, gate          bool
}

func (c convolution) size() (height, width int) {
	return c.height + c.pads[0] + c.pads[2] - 2, c.width + c.pads[1] + c.pads[3] - 2
}

// values are those of a convolution's operands, in the plain order.
type values struct{ x, w, bias, sum, gate []float32 }

func (c convolution) draw(rng *rand.Rand) values {
	normal := func(n int) []float32 {
		v := make([]float32, n)
		for i := range v {
			v[i] = float32(rng.NormFloat64())
		}
		return v
	}
	height, width := c.size()
	maps := c.images * c.out * height * width
	return values{normal(c.images * c.in * c.height * c.width), normal(c.out * c.in * 9), normal(c.out), normal(maps), normal(maps)}
}

// at is an output by the formula that defines it.
func (c convolution) at(v values, i int) float64 {
	height, width := c.size()
	column, row, channel, image := i%width, i/width%height, i/(width*height)%c.out, i/(width*height*c.out)
	var y float64
	for in := range c.in {
		for tap := range 9 {
			down, across := row+tap/3-c.pads[0], column+tap%3-c.pads[1]
			if down >= 0 && down < c.height && across >= 0 && across < c.width {
				y += float64(v.w[(channel*c.in+in)*9+tap]) * float64(v.x[((image*c.in+in)*c.height+down)*c.width+across])
			}
		}
	}
	if c.bias {
		y += float64(v.bias[channel])
	}
	if c.sum {
		y += float64(v.sum[i])
	}
	if c.relu {
		y = max(y, 0)
	}
	if c.gate && v.gate[i] <= 0 {
		y = 0
	}
	return y
}

// graph is the operator on maps in blocks of so many channels, from and to plain ones.
func (c convolution) graph(t *testing.T, v values, lanes int) *onnx.ModelProto {
	t.Helper()
	b := onnx.NewBuilder("winograd")
	height, width := c.size()
	blocks := func(x string, channels, height, width int) string {
		split := b.Op("Reshape", []string{x, b.Int64s(-1, channels/lanes, lanes, height, width)})
		return b.Op("Reshape", []string{b.Op("Transpose", []string{split}, onnx.Ints("perm", 0, 1, 3, 4, 2)), b.Int64s(-1, channels, height, width)})
	}
	given := func(name string, there bool, channels, height, width int) string {
		if !there {
			return ""
		}
		b.Input(name, "", onnx.TensorProto_FLOAT, "N", channels, height, width)
		return blocks(name, channels, height, width)
	}
	bias := ""
	if c.bias {
		bias = b.Weights("bias", v.bias, c.out)
	}
	ordered := make([]float32, len(v.w)) // [out/L,in/L,3,3,L,L]
	for i, w := range v.w {
		out, in, tap := i/(9*c.in), i/9%c.in, i%9
		ordered[(((out/lanes*(c.in/lanes)+in/lanes)*9+tap)*lanes+in%lanes)*lanes+out%lanes] = w
	}
	flags := map[bool]int{true: 1}
	y := b.Op("Winograd", []string{given("x", true, c.in, c.height, c.width), b.Weights("w", ordered, c.out, c.in, 3, 3), bias,
		given("sum", c.sum, c.out, height, width), given("gate", c.gate, c.out, height, width)}, onnx.Int("lanes", lanes), onnx.Int("relu", flags[c.relu]),
		onnx.Int("top", c.pads[0]), onnx.Int("left", c.pads[1]), onnx.Int("bottom", c.pads[2]), onnx.Int("right", c.pads[3]))
	b.Maker(y).Domain = kernels.Domain
	b.Know(y, onnx.Images(c.out, height, width))
	split := b.Op("Reshape", []string{y, b.Int64s(-1, c.out/lanes, height, width, lanes)})
	plain := b.Op("Reshape", []string{b.Op("Transpose", []string{split}, onnx.Ints("perm", 0, 1, 4, 2, 3)), b.Int64s(-1, c.out, height, width)})
	b.Output(b.Rename(plain, "y"), "", onnx.TensorProto_FLOAT, "N", c.out, height, width)
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	m := onnx.File(g)
	m.OpsetImport = append(m.OpsetImport, &onnx.OperatorSetIdProto{Domain: kernels.Domain, Version: 1})
	return m
}

// run runs a graph of a convolution.
func (c convolution) run(t *testing.T, m *onnx.ModelProto, v values, opt ort.Options) []float32 {
	t.Helper()
	s, err := ort.Open(m, opt)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	height, width := c.size()
	in := map[string]ort.Value{"x": {Shape: []int{c.images, c.in, c.height, c.width}, Data: v.x}}
	for name, data := range map[string][]float32{"sum": v.sum, "gate": v.gate} {
		if slices.ContainsFunc(m.Graph.Input, func(i *onnx.ValueInfoProto) bool { return i.Name == name }) {
			in[name] = ort.Value{Shape: []int{c.images, c.out, height, width}, Data: data}
		}
	}
	out, err := s.Run(in)
	if err != nil {
		t.Fatal(err)
	}
	return out["y"].Floats()
}

// TestWinograd: the operator gives what the convolution is, with all that may end it, where maps are no whole tiles, and
// however tiles and weights are cut.
func TestWinograd(t *testing.T) {
	ones := [4]int{1, 1, 1, 1}
	cases := []convolution{
		{images: 1, in: 16, out: 16, height: 8, width: 8, pads: ones},
		{images: 3, in: 16, out: 48, height: 1, width: 1, pads: ones},
		{images: 1, in: 48, out: 16, height: 2, width: 9, pads: ones, sum: true, gate: true},
		{images: 7, in: 32, out: 80, height: 3, width: 4, pads: ones, bias: true, relu: true},
		{images: 1, in: 160, out: 32, height: 14, width: 10, pads: ones, sum: true},                                      // more channels than are multiplied at once
		{images: 4, in: 80, out: 48, height: 5, width: 6, pads: ones, gate: true},                                        // also in blocks of 8
		{images: 1, in: 32, out: 16, height: 41, width: 27, pads: ones, bias: true, sum: true},                           // weights first
		{images: 4, in: 16, out: 32, height: 19, width: 22, pads: ones, relu: true, gate: true},                          // tiles of several images together
		{images: 3, in: 144, out: 128, height: 33, width: 29, pads: ones, bias: true, sum: true, relu: true},             // tiles in parts
		{images: 2, in: 32, out: 32, height: 12, width: 14, bias: true},                                                  // no padding
		{images: 1, in: 16, out: 32, height: 5, width: 3},                                                                // one column
		{images: 2, in: 32, out: 16, height: 9, width: 11, pads: [4]int{2, 0, 1, 2}, sum: true},                          // uneven
		{images: 1, in: 16, out: 16, height: 3, width: 4, pads: [4]int{7, 9, 8, 11}, bias: true, relu: true},             // whole tiles of zeros
		{images: 2, in: 16, out: 16, height: 20, width: 17, pads: [4]int{0, 1, 2, 0}, bias: true, sum: true, gate: true}, // weights first
	}
	for tiles := range 15 {
		cases = append(cases, convolution{images: 1, in: 32, out: 48, height: 3, width: 4*tiles + 1, pads: ones})
	}
	for ends := range 16 {
		cases = append(cases, convolution{images: 2, in: 16, out: 32, height: 6, width: 7, pads: ones, bias: ends&1 != 0, sum: ends&2 != 0, relu: ends&4 != 0, gate: ends&8 != 0})
	}
	for _, lanes := range []int{8, 16} {
		if !kernels.Supports(lanes) {
			continue
		}
		for i, c := range cases {
			for _, threads := range []int{1, 2} {
				t.Run(fmt.Sprintf("%+v in blocks of %d on %d threads", c, lanes, threads), func(t *testing.T) {
					rng := rand.New(rand.NewPCG(uint64(i), 1))
					v := c.draw(rng)
					y := c.run(t, c.graph(t, v, lanes), v, ort.Options{Own: true, Threads: threads})
					c.compare(t, v, y, rng)
				})
			}
		}
	}
}

// compare compares some outputs, and the first and the last, with what they should be.
func (c convolution) compare(t *testing.T, v values, y []float32, rng *rand.Rand) {
	t.Helper()
	some := []int{0, len(y) - 1}
	for range 1000 {
		some = append(some, rng.IntN(len(y)))
	}
	var off, largest float64
	for _, i := range some {
		want := c.at(v, i)
		off, largest = max(off, math.Abs(float64(y[i])-want)), max(largest, math.Abs(want))
	}
	if !(off <= 3e-5*largest) {
		t.Errorf("outputs are off by %.1g of their largest value", off/largest)
	}
}

// TestWinogradPlaces: the operator takes the place of the convolutions that it is for, and of no others, and the graph
// gives what it did.
func TestWinogradPlaces(t *testing.T) {
	const in, out, size = 32, 48, 18
	pads := func(top, left, bottom, right int) onnx.Attr { return onnx.Ints("pads", top, left, bottom, right) }
	crop := func(b *onnx.Builder, x string, axis, size int) string {
		return b.Op("Slice", []string{x, b.Int64s(0), b.Int64s(size), b.Int64s(axis)})
	}
	weights := func(b *onnx.Builder, shape ...int) string {
		w := random(onnx.Static(shape...).Elements().Size)
		for i := range w {
			w[i] /= 16
		}
		return b.Weights("w", w, shape...)
	}
	step := func(b *onnx.Builder, x string) string {
		return b.Op("HardSigmoid", []string{x}, onnx.Float("alpha", 1e38), onnx.Float("beta", 0))
	}
	for name, test := range map[string]struct {
		body func(b *onnx.Builder, x string) string
		want int
	}{
		"alone": {func(b *onnx.Builder, x string) string { return conv(b, x, "w", out, 3) }, 1},
		"with sum and Relu": {func(b *onnx.Builder, x string) string {
			y := b.Op("Relu", []string{conv(b, x, "w", in, 3)})
			return b.Op("Relu", []string{b.Op("Add", []string{conv(b, y, "w2", in, 3), y})})
		}, 2},
		"with a sum of what is used again": {func(b *onnx.Builder, x string) string {
			y := b.Op("Relu", []string{conv(b, x, "w", in, 3)})
			return b.Op("Mul", []string{b.Op("Add", []string{conv(b, y, "w2", in, 3), y}), y})
		}, 2},
		"with a gate": {func(b *onnx.Builder, x string) string {
			y := conv(b, x, "w", in, 3)
			return b.Op("Mul", []string{step(b, y), conv(b, y, "w2", in, 3)})
		}, 2},
		"with sum, Relu and two gates": {func(b *onnx.Builder, x string) string {
			y := conv(b, x, "w", in, 3)
			z := b.Op("Relu", []string{b.Op("Add", []string{conv(b, y, "w2", in, 3), y})})
			other := conv(b, y, "w3", in, 1)
			return b.Op("Add", []string{b.Op("Mul", []string{b.Op("Mul", []string{z, step(b, y)}), step(b, other)}), other})
		}, 2},
		"with a gate of each channel": {func(b *onnx.Builder, x string) string {
			y := conv(b, x, "w", in, 3)
			return b.Op("Mul", []string{conv(b, y, "w2", in, 3), step(b, b.Op("GlobalAveragePool", []string{y}))})
		}, 2},
		"with a gate that is no step": {func(b *onnx.Builder, x string) string {
			y := conv(b, x, "w", in, 3)
			return b.Op("Mul", []string{conv(b, y, "w2", in, 3), b.Op("HardSigmoid", []string{y})})
		}, 2},
		"with a gate, and used again": {func(b *onnx.Builder, x string) string {
			y := conv(b, x, "w", in, 3)
			z := conv(b, y, "w2", in, 3)
			return b.Op("Sub", []string{b.Op("Mul", []string{z, step(b, y)}), z})
		}, 2},
		"without padding": {func(b *onnx.Builder, x string) string {
			return b.Op("Conv", []string{x, weights(b, out, in, 3, 3)})
		}, 1},
		"with uneven padding": {func(b *onnx.Builder, x string) string {
			return b.Op("Conv", []string{x, weights(b, out, in, 3, 3)}, pads(0, 2, 1, 0))
		}, 1},
		"with other channels": {func(b *onnx.Builder, x string) string { return conv(b, conv(b, x, "w", 20, 3), "w2", 28, 3) }, 2},
		"with a Sigmoid":      {func(b *onnx.Builder, x string) string { return b.Op("Sigmoid", []string{conv(b, x, "w", out, 3)}) }, 0},
		"of small maps":       {func(b *onnx.Builder, x string) string { return conv(b, crop(b, crop(b, x, 2, 5), 3, 5), "w", out, 3) }, 0},
		"with a stride":       {func(b *onnx.Builder, x string) string { return conv(b, x, "w", out, 3, onnx.Ints("strides", 1, 2)) }, 0},
		"dilated":             {func(b *onnx.Builder, x string) string { return conv(b, x, "w", out, 3, onnx.Ints("dilations", 1, 2)) }, 0},
		"in groups": {func(b *onnx.Builder, x string) string {
			return b.Op("Conv", []string{x, weights(b, 2*in, in/2, 3, 3)}, pads(1, 1, 1, 1), onnx.Int("group", 2))
		}, 0},
		"of few input channels": {func(b *onnx.Builder, x string) string { return conv(b, crop(b, x, 1, 3), "w", out, 3) }, 0},
		"of 3x1": {func(b *onnx.Builder, x string) string {
			return b.Op("Conv", []string{x, weights(b, out, in, 3, 1)})
		}, 0},
		"of computed weights": {func(b *onnx.Builder, x string) string {
			w := b.Op("Mul", []string{weights(b, out, in, 3, 3), b.Op("ReduceMax", []string{x}, onnx.Int("keepdims", 0))})
			return b.Op("Conv", []string{x, w}, pads(1, 1, 1, 1))
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			ops := compare(t, maps(t, in, size, size, test.body), 3e-5, 2, in, size, size)
			ours := len(slices.DeleteFunc(ops, func(op string) bool { return op != "Winograd" }))
			if kernels.Supports(8) && ours != test.want {
				t.Errorf("%d operators are ours, want %d", ours, test.want)
			}
		})
	}
}
