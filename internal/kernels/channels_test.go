package kernels_test

import (
	"math/rand/v2"
	"testing"

	"github.com/ascood/ascood/internal/kernels"
	"github.com/ascood/ascood/onnx"
)

// between is a graph of what moves channels of the maps that convolutions make, of so many channels each, before another
// convolution.
func between(t *testing.T, rng *rand.Rand, channels []int, move func(b *onnx.Builder, maps []string) string) *onnx.ModelProto {
	t.Helper()
	b := onnx.NewBuilder("channels")
	b.Input("x", "", onnx.TensorProto_FLOAT, "N", 4, 5, 6)
	conv := func(x string, in, out int) string {
		return b.Op("Conv", []string{x, b.Const([]int{out, in, 1, 1}, whole(rng, out*in)...)}, onnx.Ints("kernel_shape", 1, 1))
	}
	var maps []string
	for _, c := range channels {
		maps = append(maps, conv("x", 4, c))
	}
	moved := move(b, maps)
	s, err := b.Shape(moved)
	if err != nil {
		t.Fatal(err)
	}
	b.Output(b.Rename(conv(moved, s[1].Size, 4), "y"), "", onnx.TensorProto_FLOAT, "N", 4, s[2].Size, s[3].Size)
	m, err := b.Model("test", "1")
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func concat(b *onnx.Builder, maps []string) string {
	return b.Op("Concat", maps, onnx.Int("axis", 1))
}

// slice takes channels, or places of another axis.
func slice(b *onnx.Builder, x string, axis, from, to, step int) string {
	return b.Op("Slice", []string{x, b.Int64s(from), b.Int64s(to), b.Int64s(axis), b.Int64s(step)})
}

// shuffle turns channels as a matrix of so many rows, or an axis more.
func shuffle(b *onnx.Builder, x string, rows int, perm ...int) string {
	s, _ := b.Shape(x)
	split := b.Op("Reshape", []string{x, b.Int64s(-1, rows, s[1].Size/rows, s[2].Size, s[3].Size)})
	return b.Op("Reshape", []string{b.Op("Transpose", []string{split}, onnx.Ints("perm", perm...)), b.Int64s(-1, s[1].Size, s[2].Size, s[3].Size)})
}

func TestChannels(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for name, c := range map[string]struct {
		channels []int
		move     func(b *onnx.Builder, maps []string) string
		there    bool
	}{
		"a part":    {[]int{32}, func(b *onnx.Builder, maps []string) string { return slice(b, maps[0], 1, 4, 24, 1) }, true},
		"whole":     {[]int{64}, func(b *onnx.Builder, maps []string) string { return slice(b, maps[0], 1, 16, 48, 1) }, true},
		"joined":    {[]int{12, 20, 8}, concat, true},
		"a shuffle": {[]int{40}, func(b *onnx.Builder, maps []string) string { return shuffle(b, maps[0], 2, 0, 2, 1, 3, 4) }, true},
		"of a join": {[]int{24, 24}, func(b *onnx.Builder, maps []string) string { return shuffle(b, concat(b, maps), 2, 0, 2, 1, 3, 4) }, true},
		"of another": {[]int{36}, func(b *onnx.Builder, maps []string) string {
			return shuffle(b, shuffle(b, maps[0], 3, 0, 2, 1, 3, 4), 4, 0, 2, 1, 3, 4)
		}, true},
		"a half of a shuffle, and other maps": {[]int{24, 16}, func(b *onnx.Builder, maps []string) string {
			return concat(b, []string{slice(b, shuffle(b, maps[0], 2, 0, 2, 1, 3, 4), 1, 12, 24, 1), maps[1]})
		}, true},
		"a split": {[]int{28}, func(b *onnx.Builder, maps []string) string {
			return b.Ops("Split", 2, []string{maps[0], b.Int64s(8, 20)}, onnx.Int("axis", 1))[1]
		}, true},
		"whole blocks joined": {[]int{32, 16}, concat, false},
		"each second":         {[]int{32}, func(b *onnx.Builder, maps []string) string { return slice(b, maps[0], 1, 0, 32, 2) }, false},
		"rows":                {[]int{32}, func(b *onnx.Builder, maps []string) string { return slice(b, maps[0], 2, 0, 4, 1) }, false},
		"three channels":      {[]int{32}, func(b *onnx.Builder, maps []string) string { return slice(b, maps[0], 1, 0, 3, 1) }, false},
		"rows below each other": {[]int{12, 8}, func(b *onnx.Builder, maps []string) string {
			return b.Op("Concat", []string{maps[0], maps[0]}, onnx.Int("axis", 2))
		}, false},
	} {
		t.Run(name, func(t *testing.T) { exactly(t, rng, between(t, rng, c.channels, c.move), "Channels", c.there) })
	}
}

// TestChannelsBlocks: blocks that ONNX Runtime does not have on this processor are moved as well.
func TestChannelsBlocks(t *testing.T) {
	const pixels = 6
	for _, lanes := range []int{8, 16} {
		if !kernels.Supports(lanes) {
			continue
		}
		b := onnx.NewBuilder("direct")
		b.Input("a", "", onnx.TensorProto_FLOAT, "N", 2*lanes, 2, 3)
		b.Input("b", "", onnx.TensorProto_FLOAT, "N", lanes, 2, 3)
		var from, channel []int
		for c := range lanes { // a block as it is, and a part of one
			from, channel = append(from, 0), append(channel, lanes+c)
		}
		for c := range 5 {
			from, channel = append(from, 1-c%2), append(channel, 3*c%lanes)
		}
		y := b.Op("Channels", []string{"a", "b"}, onnx.Ints("from", from...), onnx.Ints("channel", channel...), onnx.Int("lanes", lanes))
		b.Output(b.Rename(ours(b, y), "y"), "", onnx.TensorProto_FLOAT, "N", 2*lanes, 2, 3)
		in, out := direct(t, b, rand.New(rand.NewPCG(3, 4)), nil)
		for i, got := range out["y"].Floats() {
			lane, pixel, block := i%lanes, i/lanes%pixels, i/lanes/pixels
			c, want := block%2*lanes+lane, float32(0)
			if c < len(from) {
				x, blocks := in["a"].Floats(), 2
				if from[c] == 1 {
					x, blocks = in["b"].Floats(), 1
				}
				want = x[((block/2*blocks+channel[c]/lanes)*pixels+pixel)*lanes+channel[c]%lanes]
			}
			if got != want {
				t.Fatalf("blocks of %d: element %d is %v, want %v", lanes, i, got, want)
			}
		}
	}
}
