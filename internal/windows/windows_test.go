package windows_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ascood/ascood/internal/ort"
	"github.com/ascood/ascood/internal/windows"
	"github.com/ascood/ascood/onnx"
)

// run returns the output of a graph, in which all that is computed from whole numbers is exact.
func run(t *testing.T, b *onnx.Builder, y string, shape []any, in map[string]ort.Value) []float32 {
	t.Helper()
	b.Output(b.Rename(y, "out"), "", onnx.TensorProto_FLOAT, shape...)
	m, err := b.Model("", "")
	if err != nil {
		t.Fatal(err)
	}
	s, err := ort.Open(m, ort.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	out, err := s.Run(in)
	if err != nil {
		t.Fatal(err)
	}
	return out["out"].Floats()
}

// few are numbers of which many are equal.
func few(rng *rand.Rand, low, high int, shape ...int) ort.Value {
	n := 1
	for _, size := range shape {
		n *= size
	}
	values := make([]float32, n)
	for i := range values {
		values[i] = float32(low + rng.IntN(high-low+1))
	}
	return ort.Value{Shape: shape, Data: values}
}

// TestGradient: each window's gradient goes to the first of its elements that is its maximum.
func TestGradient(t *testing.T) {
	const images, channels = 2, 4
	rng := rand.New(rand.NewPCG(1, 2))
	for _, c := range []struct {
		name          string
		kernel, pads  []int
		stride        int
		height, width int
		ceil          int
		positive      bool
	}{
		{"2x2", []int{2, 2}, []int{0, 0, 0, 0}, 2, 8, 6, 0, false},
		{"3x3 stride 2, padded", []int{3, 3}, []int{1, 1, 1, 1}, 2, 9, 8, 0, false},
		{"the same of positive maxima", []int{3, 3}, []int{1, 1, 1, 1}, 2, 9, 8, 0, true},
		{"3x3 stride 2, up", []int{3, 3}, []int{0, 0, 0, 0}, 2, 8, 10, 1, false},
		{"3x2 stride 1", []int{3, 2}, []int{1, 0, 1, 1}, 1, 5, 6, 0, false},
		{"5x4 stride 3", []int{5, 4}, []int{2, 1, 2, 1}, 3, 11, 13, 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			low := -2
			if c.positive {
				low = 1
			}
			x := few(rng, low, 2, images, channels, c.height, c.width)
			for i := range x.Floats() {
				x.Floats()[i] /= 4
			}
			b := onnx.NewBuilder("gradient")
			b.Input("x", "", onnx.TensorProto_FLOAT, "N", channels, c.height, c.width)
			y := b.Op("MaxPool", []string{"x"}, onnx.Ints("kernel_shape", c.kernel...), onnx.Ints("strides", c.stride, c.stride), onnx.Ints("pads", c.pads...), onnx.Int("ceil_mode", c.ceil))
			n := b.Maker(y)
			s, err := b.Shape(y)
			if err != nil {
				t.Fatal(err)
			}
			down, across := s[2].Size, s[3].Size
			b.Input("dy", "", onnx.TensorProto_FLOAT, "N", channels, down, across)
			whole := onnx.Images(channels, c.height, c.width)
			p, ok := windows.MaxPoolOf(n, whole, s)
			if !ok {
				t.Fatal("comparisons do not find its gradient")
			}
			p.Positive = c.positive
			phases := p.Gradient(b, "x", p.Rows(b, n), y, "dy")
			dx := phases[0]
			if c.stride > 1 {
				dx = windows.Crop(b, windows.Interleave(b, b.Op("Concat", phases, onnx.Int("axis", 1)), c.stride), 0, whole)
			}
			dy := few(rng, 1, 9, images, channels, down, across)
			got := run(t, b, dx, []any{"N", channels, c.height, c.width}, map[string]ort.Value{"x": x, "dy": dy})
			if want := chosen(x.Floats(), dy.Floats(), c.kernel, c.pads, c.stride, []int{images * channels, c.height, c.width, down, across}); !slices.Equal(got, want) {
				t.Errorf("got %v\nwant %v", got, want)
			}
		})
	}
}

// chosen is the gradient of maps; sizes are how many there are, their height and width, and how many windows are below
// and beside each other.
func chosen(x, dy []float32, kernel, pads []int, stride int, sizes []int) []float32 {
	height, width, down, across := sizes[1], sizes[2], sizes[3], sizes[4]
	dx := make([]float32, len(x))
	for m := range sizes[0] {
		for i := range down {
			for j := range across {
				best := -1
				for h := max(0, i*stride-pads[0]); h < min(height, i*stride-pads[0]+kernel[0]); h++ {
					for w := max(0, j*stride-pads[1]); w < min(width, j*stride-pads[1]+kernel[1]); w++ {
						if at := (m*height+h)*width + w; best < 0 || x[at] > x[best] {
							best = at
						}
					}
				}
				dx[best] += dy[(m*down+i)*across+j]
			}
		}
	}
	return dx
}

// TestTake: elements of maps by place, zeros beyond their ends, and no node for all of them.
func TestTake(t *testing.T) {
	const height, width = 5, 6
	rng := rand.New(rand.NewPCG(3, 4))
	x := few(rng, -9, 9, 1, 4, height, width)
	for _, p := range [][2]windows.Places{
		{{Stride: 2, First: 1, Count: 2}, {Stride: 2, First: 0, Count: 3}},
		{{Stride: 1, First: -2, Count: 5}, {Stride: 1, First: 3, Count: 6}},
		{{Stride: 3, First: -1, Count: 4}, {Stride: 1, First: 0, Count: 2}},
	} {
		b := onnx.NewBuilder("take")
		b.Input("x", "", onnx.TensorProto_FLOAT, "N", 4, height, width)
		y := windows.Take(b, "x", -3, p[0], p[1])
		got := run(t, b, y, []any{"N", 4, p[0].Count, p[1].Count}, map[string]ort.Value{"x": x})
		var want []float32
		for c := range 4 {
			for i := range p[0].Count {
				for j := range p[1].Count {
					v, h, w := float32(0), p[0].First+i*p[0].Stride, p[1].First+j*p[1].Stride
					if h >= 0 && h < height && w >= 0 && w < width {
						v = -3 * x.Floats()[(c*height+h)*width+w]
					}
					want = append(want, v)
				}
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%v: got %v, want %v", p, got, want)
		}
	}
	b := onnx.NewBuilder("all")
	b.Input("x", "", onnx.TensorProto_FLOAT, "N", 4, height, width)
	if y := windows.Take(b, "x", 1, windows.Whole(height), windows.Whole(width)); y != "x" {
		t.Errorf("all of x is %s", y)
	}
}

// TestInterleave: phases are put into place, and what is cut off begins at a row.
func TestInterleave(t *testing.T) {
	for _, stride := range []int{2, 3} {
		const height, width, row = 3, 4, 1
		phases := make([]float32, 2*2*stride*stride*height*width)
		for i := range phases {
			phases[i] = float32(i)
		}
		lots := 2 * stride * stride
		b := onnx.NewBuilder("interleave")
		b.Input("x", "", onnx.TensorProto_FLOAT, "N", lots, height, width)
		rows, columns := height*stride-2, width*stride-1
		y := windows.Crop(b, windows.Interleave(b, "x", stride), row, onnx.Images(2, rows, columns))
		got := run(t, b, y, []any{"N", 2, rows, columns}, map[string]ort.Value{"x": {Shape: []int{2, lots, height, width}, Data: phases}})
		var want []float32
		for n := range 2 {
			for c := range 2 {
				for h := row; h < row+rows; h++ {
					for w := range columns {
						lot := (h%stride*stride+w%stride)*2 + c
						want = append(want, float32(((n*lots+lot)*height+h/stride)*width+w/stride))
					}
				}
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("stride %d: got %v, want %v", stride, got, want)
		}
	}
}
