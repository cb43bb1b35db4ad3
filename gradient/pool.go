package gradient

import (
	"slices"

	"github.com/ascood/ascood/onnx"
)

var pools = map[string]rule{
	"GlobalAveragePool": unary("", func(n *node) string {
		s := n.shape(n.x())
		share := 1 / float64(s[2:].Elements().Size)
		if n.onePerMap(n.shape(n.dy), s) { // which are enlarged where they are blocked
			return n.expand(n.filter(n.dy, [2]int{1, 1}, float32(share)), s)
		}
		return n.expand(n.scale(n.dy, share), s)
	}),
	"GlobalMaxPool": unary("equal ones share the gradient", func(n *node) string { return n.chosen(n.dy, n.y(), n.mapAxes()...) }),
	"AveragePool":   unary("strides, pads, `ceil_mode`, `count_include_pad`", averagePoolGradient),
	"MaxPool":       {vjp: []vjp{maxPoolGradient}, takes: takesMaxPool, variants: "strides, dilations, pads, `ceil_mode`; the first of equal ones, as in PyTorch"},
}

// mapAxes are the axes of maps [N,C,…].
func (n *node) mapAxes() []int {
	var axes []int
	for i := 2; i < len(n.shape(n.x())); i++ {
		axes = append(axes, i)
	}
	return axes
}

// averagePoolGradient divides by how many elements each average is of, and then is the
// gradient of a convolution of each channel by ones.
func averagePoolGradient(n *node) string {
	window, err := onnx.WindowOf(n.NodeProto, nil)
	x, y := n.shape(n.x()), n.shape(n.y())
	if n.note(err); n.err != nil {
		return ""
	}
	dy := n.div(n.dy, n.counts(window, x, y))
	if tiles(window, x) {
		return n.enlarge(dy, window.Kernel)
	}
	channels := x[1].Size
	ones := n.op("Expand", n.Scalar(1), n.Int64s(append([]int{channels, 1}, window.Kernel...)...))
	return n.unconvolve(dy, convolution{window, ones, channels, x, y})
}

// enlarge repeats each element of maps as often as times says of each axis.
func (w *walk) enlarge(maps string, times []int) string {
	scales := []float32{1, 1}
	for _, t := range times {
		scales = append(scales, float32(t))
	}
	return w.Say(w.Op("Resize", []string{maps, "", w.Const([]int{len(scales)}, scales...)}, onnx.String("mode", "nearest"),
		onnx.String("coordinate_transformation_mode", "asymmetric"), onnx.String("nearest_mode", "floor")))
}

// tiles reports whether each element is in one window, and each window whole.
func tiles(w onnx.Window, x onnx.Shape) bool {
	for i, k := range w.Kernel {
		if k != w.Strides[i] || w.Before[i] != 0 || w.After[i] != 0 || x[i+2].Size%k != 0 {
			return false
		}
	}
	return true
}

// counts is how many elements each average is of: one number, or a map.
func (n *node) counts(w onnx.Window, x, y onnx.Shape) string {
	padded := n.IntAttr("count_include_pad", 0) != 0
	if most := 1 << 24; y[2:].Elements().Size > most {
		n.refuse("makes maps of more than %d elements", most)
		return ""
	}
	counts := []float32{1}
	shape := []int{1, 1}
	for i := range w.Kernel {
		low, high := 0, x[i+2].Size
		if padded {
			low, high = -w.Before[i], high+w.After[i]
		}
		var along []float32
		for o := range y[i+2].Size {
			from := o*w.Strides[i] - w.Before[i]
			along = append(along, float32(min(from+w.Kernel[i], high)-max(from, low)))
		}
		var outer []float32
		for _, a := range counts {
			for _, b := range along {
				outer = append(outer, a*b)
			}
		}
		counts, shape = outer, append(shape, len(along))
	}
	if slices.Min(counts) == slices.Max(counts) {
		return n.Scalar(counts[0])
	}
	return n.Const(shape, counts...)
}
