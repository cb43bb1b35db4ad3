package kernels_test

import (
	"math/rand/v2"
	"testing"

	"github.com/ascood/ascood/internal/kernels"
	"github.com/ascood/ascood/onnx"
)

// strided is a convolution between others, which have its gradient in blocks and take it so.
type strided struct {
	in, out, group, height, width int
	kernel, pad, stride           int
	relu                          bool // before it
	image                         bool // that there is no convolution before it
}

func (c strided) build(t *testing.T, rng *rand.Rand) *onnx.ModelProto {
	t.Helper()
	b := onnx.NewBuilder("strided")
	b.Input("image", "", onnx.TensorProto_FLOAT, "N", c.in, c.height, c.width)
	x := "image"
	conv := func(name string, in, out, group, kernel, pad, stride int) {
		w := b.Weights(name, whole(rng, out*in/group*kernel*kernel), out, in/group, kernel, kernel)
		x = b.Op("Conv", []string{x, w}, onnx.Int("group", group), onnx.Ints("kernel_shape", kernel, kernel), onnx.Ints("pads", pad, pad, pad, pad), onnx.Ints("strides", stride, stride))
	}
	if !c.image {
		conv("first", c.in, c.in, 1, 1, 0, 1)
	}
	if c.relu {
		x = b.Op("Relu", []string{x})
	}
	conv("strided", c.in, c.out, c.group, c.kernel, c.pad, c.stride)
	s, err := b.Shape(x)
	if err != nil {
		t.Fatal(err)
	}
	b.Input("dy", "", onnx.TensorProto_FLOAT, "N", c.out, s[2].Size, s[3].Size)
	dy := b.Op("Conv", []string{"dy", b.Weights("last", whole(rng, c.out*c.out), c.out, c.out, 1, 1)}, onnx.Ints("kernel_shape", 1, 1))
	return gradientOf(t, b, x, dy, c.in, c.height, c.width)
}

func TestInterleave(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for name, c := range map[string]struct {
		strided
		op string
	}{
		"3x3":                  {strided{32, 16, 1, 8, 10, 3, 1, 2, false, false}, "Interleave"},
		"3x3, odd":             {strided{16, 32, 1, 9, 7, 3, 1, 2, true, false}, "Interleave"},
		"half a block":         {strided{24, 16, 1, 7, 8, 3, 1, 2, true, false}, "Interleave"},
		"1x1, zeros":           {strided{32, 16, 1, 8, 7, 1, 0, 2, false, false}, "Interleave"},
		"2x2, together":        {strided{32, 16, 1, 8, 6, 2, 0, 2, false, false}, "Interleave"},
		"3x3 in groups":        {strided{32, 32, 32, 9, 8, 3, 1, 2, true, false}, "DepthwiseGradient"},
		"5x5, stride 3":        {strided{16, 16, 1, 11, 10, 5, 2, 3, false, false}, "Interleave"},
		"few channels":         {strided{3, 16, 1, 9, 10, 3, 1, 2, false, true}, "InterleavePlain"},
		"stride 4":             {strided{3, 16, 1, 16, 15, 4, 0, 4, false, true}, "InterleavePlain"},
		"six, which fill none": {strided{6, 16, 1, 8, 8, 3, 1, 2, false, true}, "InterleavePlain"},
	} {
		t.Run(name, func(t *testing.T) { exactly(t, rng, c.build(t, rng), c.op, true) })
	}
}

// TestInterleaveRow: the gradient of a convolution before a MaxPool, both with strides, is in rows of which those of the
// image do not begin with the first.
func TestInterleaveRow(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	const height, width = 40, 36
	b := onnx.NewBuilder("stem")
	b.Input("image", "", onnx.TensorProto_FLOAT, "N", 3, height, width)
	x := b.Op("Conv", []string{"image", b.Weights("w", whole(rng, 16*3*7*7), 16, 3, 7, 7)}, onnx.Ints("kernel_shape", 7, 7), onnx.Ints("pads", 3, 3, 3, 3), onnx.Ints("strides", 2, 2))
	y := b.Op("MaxPool", []string{b.Op("Relu", []string{x})}, onnx.Ints("kernel_shape", 3, 3), onnx.Ints("pads", 1, 1, 1, 1), onnx.Ints("strides", 2, 2))
	b.Input("dy", "", onnx.TensorProto_FLOAT, "N", 16, height/4, width/4)
	exactly(t, rng, gradientOf(t, b, y, "dy", 3, height, width), "InterleavePlain", true)
}

// TestInterleaveElsewhere: axes moved otherwise stay as they are.
func TestInterleaveElsewhere(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for name, perm := range map[string][]int64{"columns before rows": {0, 1, 3, 5, 4, 2}, "phases turned": {0, 2, 3, 4, 5, 1}} {
		t.Run(name, func(t *testing.T) {
			m := strided{16, 16, 1, 8, 8, 3, 1, 2, false, false}.build(t, rng)
			for _, n := range m.Graph.Node {
				if n.OpType == "Transpose" && len(n.Attribute[0].Ints) == 6 {
					n.Attribute[0].Ints = perm
				}
			}
			exactly(t, rng, m, "Interleave", false)
		})
	}
}

// TestInterleaveBlocks: blocks that ONNX Runtime does not have on this processor are computed as well.
func TestInterleaveBlocks(t *testing.T) {
	const stride, height, width, row = 2, 3, 4, 1
	for _, lanes := range []int{8, 16} {
		if !kernels.Supports(lanes) {
			continue
		}
		b := onnx.NewBuilder("direct")
		lots := stride * stride * lanes
		b.Input("x", "", onnx.TensorProto_FLOAT, "N", lots, height, width)
		down, across := height*stride-1, width*stride-1
		out := map[string]int{}
		for op, channels := range map[string]int{"Interleave": lanes, "InterleavePlain": 5} {
			y := b.Op(op, []string{"x"}, onnx.Int("stride", stride), onnx.Int("phases", 1), onnx.Int("channels", channels), onnx.Int("row", row),
				onnx.Int("height", down), onnx.Int("width", across), onnx.Int("lanes", lanes))
			b.Output(b.Rename(ours(b, y), "of "+op), "", onnx.TensorProto_FLOAT, "N", channels, down, across)
			out["of "+op] = channels
		}
		in, got := direct(t, b, rand.New(rand.NewPCG(5, 6)), nil)
		x := in["x"].Floats()
		at := func(n, channel, h, w int) float32 { // of the phases
			return x[((n*lots/lanes+channel/lanes)*height*width+h*width+w)*lanes+channel%lanes]
		}
		for name, channels := range out {
			y := got[name].Floats()
			for i, v := range y {
				n, c, h, w := i/(channels*down*across), i/(down*across)%channels, i/across%down+row, i%across
				if channels == lanes { // in blocks
					n, c, h, w = i/(lanes*down*across), i%lanes, i/lanes/across%down+row, i/lanes%across
				}
				if want := at(n, (h%stride*stride+w%stride)*channels+c, h/stride, w/stride); v != want {
					t.Fatalf("%s, blocks of %d: element %d is %v, want %v", name, lanes, i, v, want)
				}
			}
		}
	}
}
