package kernels_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ascood/ascood/internal/kernels"
	"github.com/ascood/ascood/onnx"
)

// mobile is a block of a mobile network: a convolution to more channels, an activation, one of each channel with a
// stride, and another convolution; and beside it, maybe, one of each channel of what the block takes.
type mobile struct {
	in, channels, height, width int
	kernel, pad                 int
	activation                  string
	beside                      bool
}

func (c mobile) build(t *testing.T, rng *rand.Rand) *onnx.ModelProto {
	t.Helper()
	b := onnx.NewBuilder("mobile")
	b.Input("image", "", onnx.TensorProto_FLOAT, "N", 4, c.height, c.width)
	conv := func(x string, in, out, group, kernel, pad, stride int) string {
		w := b.Const([]int{out, in / group, kernel, kernel}, whole(rng, out*in/group*kernel*kernel)...)
		return b.Op("Conv", []string{x, w}, onnx.Int("group", group), onnx.Ints("kernel_shape", kernel, kernel), onnx.Ints("pads", pad, pad, pad, pad), onnx.Ints("strides", stride, stride))
	}
	first := conv("image", 4, c.in, 1, 1, 0, 1)
	x := conv(first, c.in, c.channels, 1, 1, 0, 1)
	switch c.activation {
	case "Relu":
		x = b.Op("Relu", []string{x})
	case "Clip":
		x = b.Op("Clip", []string{x, b.Scalar(0), b.Scalar(6)})
	}
	y := conv(conv(x, c.channels, c.channels, c.channels, c.kernel, c.pad, 2), c.channels, 16, 1, 1, 0, 1)
	if c.beside {
		y = b.Op("Add", []string{y, conv(conv(first, c.in, c.in, c.in, c.kernel, c.pad, 2), c.in, 16, 1, 1, 0, 1)})
	}
	s, err := b.Shape(y)
	if err != nil {
		t.Fatal(err)
	}
	b.Input("dy", "", onnx.TensorProto_FLOAT, "N", 16, s[2].Size, s[3].Size)
	return gradientOf(t, b, y, b.Op("Mul", []string{"dy", b.Scalar(2)}), 4, c.height, c.width)
}

func TestDepthwiseGradient(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for name, c := range map[string]mobile{
		"3x3":             {16, 32, 16, 14, 3, 1, "Relu", false},
		"3x3, odd":        {8, 48, 9, 11, 3, 1, "Clip", false},
		"5x5":             {16, 24, 13, 12, 5, 2, "Clip", false},
		"no padding":      {16, 20, 11, 11, 3, 0, "", false},
		"two ways":        {24, 24, 8, 9, 3, 1, "Relu", true},
		"of one element":  {16, 32, 7, 8, 1, 0, "Relu", false},
		"of two elements": {16, 32, 7, 9, 3, 2, "Relu", false},
		"few pixels":      {16, 16, 2, 3, 3, 1, "Relu", false},
	} {
		t.Run(name, func(t *testing.T) {
			m := c.build(t, rng)
			exactly(t, rng, m, "DepthwiseGradient", true)
			exactly(t, rng, m, "Interleave", false)
		})
	}
}

// TestLifted: what is not done to each phase alike is done to phases.
func TestLifted(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for name, change := range map[string]func(m *onnx.ModelProto) bool{
		"another step": func(m *onnx.ModelProto) bool {
			i := slices.IndexFunc(m.Graph.Node, func(n *onnx.NodeProto) bool { return n.OpType == "HardSigmoid" })
			for _, a := range m.Graph.Node[i].Attribute {
				if a.Name == "beta" {
					a.F = 1
				}
			}
			return true
		},
		"another place": func(m *onnx.ModelProto) bool {
			i := slices.IndexFunc(m.Graph.Node, func(n *onnx.NodeProto) bool { return n.OpType == "HardSigmoid" })
			j := i + 1 + slices.IndexFunc(m.Graph.Node[i+1:], func(n *onnx.NodeProto) bool { return n.OpType == "HardSigmoid" })
			m.Graph.Node[i].Input, m.Graph.Node[j].Input = m.Graph.Node[j].Input, m.Graph.Node[i].Input
			return true
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := mobile{16, 32, 8, 8, 3, 1, "Relu", false}.build(t, rng)
			change(m)
			exactly(t, rng, m, "Interleave", true)
		})
	}
}

// TestDepthwiseGradientBlocks: blocks that ONNX Runtime does not have on this processor are computed as well.
func TestDepthwiseGradientBlocks(t *testing.T) {
	const down, across, height, width = 4, 9, 7, 18
	rows, columns, above, left := []int{1, 2, 2, 0}, []int{2, 1, 3, 0}, []int{0, 1, 0, 0}, []int{1, 0, 1, 0}
	for _, lanes := range []int{8, 16} {
		if !kernels.Supports(lanes) {
			continue
		}
		rng := rand.New(rand.NewPCG(5, 6))
		channels := lanes + 3
		b := onnx.NewBuilder("direct")
		b.Input("g", "", onnx.TensorProto_FLOAT, "N", 2*lanes, down, across)
		inputs, weights := []string{"g"}, make([][]float32, 4)
		for p := range 3 {
			weights[p] = whole(rng, channels*rows[p]*columns[p])
			inputs = append(inputs, b.Weights("w"+string(rune('0'+p)), weights[p], channels, 1, rows[p], columns[p]))
		}
		dx := b.Op("DepthwiseGradient", inputs, onnx.Int("lanes", lanes), onnx.Int("height", height), onnx.Int("width", width),
			onnx.Ints("rows", rows...), onnx.Ints("columns", columns...), onnx.Ints("above", above...), onnx.Ints("left", left...))
		b.Output(b.Rename(ours(b, dx), "dx"), "", onnx.TensorProto_FLOAT, "N", 2*lanes, height, width)
		in, out := direct(t, b, rng, nil)
		for i, got := range out["dx"].Floats() {
			lane, w, h, block := i%lanes, i/lanes%width, i/lanes/width%height, i/lanes/width/height
			p, c, want := h%2*2+w%2, block%2*lanes+lane, float32(0)
			for a := range rows[p] {
				for b := range columns[p] {
					y, x := h/2-above[p]+a, w/2-left[p]+b
					if c < channels && y >= 0 && y < down && x >= 0 && x < across {
						want += weights[p][(c*rows[p]+a)*columns[p]+b] * in["g"].Floats()[((block*down+y)*across+x)*lanes+lane]
					}
				}
			}
			if got != want {
				t.Fatalf("blocks of %d: element %d is %v, want %v", lanes, i, got, want)
			}
		}
	}
}
