package kernels_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ascood/ascood/internal/kernels"
	"github.com/ascood/ascood/internal/ort"
	"github.com/ascood/ascood/onnx"
)

// pooled is a graph of the gradient of pools between convolutions.
type pooled struct {
	channels, height, width int
	kernel, pads            []int
	stride, ceil            int
	relu                    bool // before the pool
	strided                 bool // the convolution before that, which takes its gradient in phases
}

// build returns the graph, whose weights are whole numbers, as are its inputs image and dy, so that all of it is exact.
func (p pooled) build(t *testing.T, rng *rand.Rand) *onnx.ModelProto {
	t.Helper()
	b := onnx.NewBuilder("pooled")
	stride := 1
	if p.strided {
		stride = 2
	}
	b.Input("image", "", onnx.TensorProto_FLOAT, "N", 3, p.height*stride, p.width*stride)
	x := b.Op("Conv", []string{"image", b.Weights("w", whole(rng, p.channels*3), p.channels, 3, 1, 1)}, onnx.Ints("kernel_shape", 1, 1), onnx.Ints("strides", stride, stride))
	if p.relu {
		x = b.Op("Relu", []string{x})
	}
	y := b.Op("MaxPool", []string{x}, onnx.Ints("kernel_shape", p.kernel...), onnx.Ints("strides", p.stride, p.stride), onnx.Ints("pads", p.pads...), onnx.Int("ceil_mode", p.ceil))
	s, err := b.Shape(y)
	if err != nil {
		t.Fatal(err)
	}
	b.Input("dy", "", onnx.TensorProto_FLOAT, "N", p.channels, s[2].Size, s[3].Size)
	return gradientOf(t, b, y, b.Op("Mul", []string{"dy", b.Scalar(2)}), 3, p.height*stride, p.width*stride)
}

func TestMaxPoolGradient(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	none := []int{0, 0, 0, 0}
	for name, p := range map[string]pooled{
		"in phases":            {16, 8, 10, []int{2, 2}, none, 2, 0, true, true},
		"3x3 in phases":        {32, 12, 12, []int{3, 3}, []int{1, 1, 1, 1}, 2, 0, true, true},
		"in place":             {32, 9, 7, []int{3, 3}, []int{1, 1, 1, 1}, 2, 0, true, false},
		"without a Relu":       {32, 9, 7, []int{3, 3}, []int{1, 1, 1, 1}, 2, 0, false, false},
		"half a block":         {24, 8, 6, []int{3, 3}, none, 2, 1, true, false},
		"a quarter of a block": {4, 5, 5, []int{2, 3}, none, 2, 1, false, false},
		"stride 1":             {48, 6, 7, []int{3, 3}, []int{1, 1, 1, 1}, 1, 0, false, false},
		"stride 3":             {16, 10, 11, []int{3, 4}, []int{1, 1, 1, 1}, 3, 0, true, false},
		"5x5":                  {16, 9, 9, []int{5, 5}, []int{2, 2, 2, 2}, 2, 0, true, false},
	} {
		t.Run(name, func(t *testing.T) { exactly(t, rng, p.build(t, rng), "MaxPoolGradient", true) })
	}
}

// TestMaxPoolGradientElsewhere: what is nearly a MaxPool's gradient stays as it is.
func TestMaxPoolGradientElsewhere(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for name, change := range map[string]func(n *onnx.NodeProto) bool{
		"another step": func(n *onnx.NodeProto) bool {
			if n.OpType != "HardSigmoid" || n.FloatAttr("alpha", 0) > -1 {
				return false
			}
			for _, a := range n.Attribute {
				if a.Name == "beta" {
					a.F = 0.5
				}
			}
			return true
		},
		"a sum the other way round": func(n *onnx.NodeProto) bool {
			if n.OpType != "Add" {
				return false
			}
			n.OpType = "Sub"
			return true
		},
		"another place": func(n *onnx.NodeProto) bool {
			pads := n.IntsAttr("pads", 0, 0, 0, 0)
			if n.OpType != "Conv" || pads[0] == pads[2] {
				return false
			}
			for _, a := range n.Attribute {
				if a.Name == "pads" {
					a.Ints[0], a.Ints[2] = a.Ints[2], a.Ints[0]
				}
			}
			return true
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := pooled{16, 8, 8, []int{3, 3}, []int{1, 1, 1, 1}, 2, 0, false, false}.build(t, rng)
			changed := slices.ContainsFunc(m.Graph.Node, func(n *onnx.NodeProto) bool { return n.Name != "Conv" && change(n) })
			if !changed {
				t.Fatal("nothing to change")
			}
			exactly(t, rng, m, "MaxPoolGradient", false)
		})
	}
}

// TestMaxPoolGradientBlocks: blocks that ONNX Runtime does not have on this processor are computed as well.
func TestMaxPoolGradientBlocks(t *testing.T) {
	for _, lanes := range []int{8, 16} {
		if kernels.Supports(lanes) {
			testBlocks(t, lanes)
		}
	}
}

func testBlocks(t *testing.T, lanes int) {
	const height, width, down, across = 5, 6, 2, 3
	b := onnx.NewBuilder("direct")
	b.Input("g", "", onnx.TensorProto_FLOAT, "N", 2*lanes, down, across)
	b.Input("x", "", onnx.TensorProto_FLOAT, "N", 2*lanes, height, width)
	b.Input("y", "", onnx.TensorProto_FLOAT, "N", 2*lanes, down, across)
	dx := b.Op("MaxPoolGradient", []string{"g", "x", "y"}, onnx.Int("rows", 2), onnx.Int("columns", 2), onnx.Int("stride", 2), onnx.Int("above", 0), onnx.Int("left", 0), onnx.Int("outputs", 1), onnx.Int("lanes", lanes))
	b.Output(b.Rename(ours(b, dx), "dx"), "", onnx.TensorProto_FLOAT, "N", 2*lanes, height, width)
	var want []float32
	_, out := direct(t, b, rand.New(rand.NewPCG(5, 6)), func(in map[string]ort.Value) {
		x, g, y := in["x"].Floats(), in["g"].Floats(), in["y"].Floats()
		want = make([]float32, len(x))
		for i := range g {
			lane, pixel, block := i%lanes, i/lanes%(down*across), i/lanes/(down*across)
			first := -1
			y[i] = float32(math.Inf(-1))
			for h := range 2 {
				for w := range 2 {
					at := ((block*height+pixel/across*2+h)*width+pixel%across*2+w)*lanes + lane
					if x[at] > y[i] {
						y[i], first = x[at], at
					}
				}
			}
			want[first] += g[i]
		}
	})
	if got := out["dx"].Floats(); !slices.Equal(got, want) {
		t.Errorf("got %v\nwant %v", got, want)
	}
}
