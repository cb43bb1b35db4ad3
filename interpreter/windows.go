package interpreter

import (
	"fmt"
	"math"
	"slices"

	"github.com/ascood/ascood/gotorch"
	F "github.com/ascood/ascood/gotorch/nn/functional"
	"github.com/ascood/ascood/onnx"
)

// spatial are the axes of a map's height, width and so on.
func spatial(s onnx.Shape) []int {
	var axes []int
	for i := 2; i < len(s); i++ {
		axes = append(axes, i)
	}
	return axes
}

// window is how the node slides over its maps; kernel is that of its weights.
func (s *site) window(kernel []int) onnx.Window {
	w, err := onnx.WindowOf(s.NodeProto, kernel)
	s.note(err)
	return w
}

// around returns x with the pads of a window added, filled with a value.
func padded(x gotorch.Tensor, w onnx.Window, value float64) gotorch.Tensor {
	var pads []int // from the last axis on
	for i := len(w.Before) - 1; i >= 0; i-- {
		pads = append(pads, w.Before[i], w.After[i])
	}
	return gotorch.Call(nil, "constant_pad_nd", x, pads, value)
}

// alike reports whether all numbers are one.
func alike(lists ...[]int) bool {
	return !slices.ContainsFunc(lists, func(list []int) bool {
		return slices.ContainsFunc(list, func(v int) bool { return v != list[0] })
	})
}

// conv: what is the same in both directions is functional's, the rest is convolution's,
// to which pads that differ before and after are none.
func conv(s *site) operation {
	w, group := s.window(s.in(1)[2:].At(1)), s.IntAttr("group", 1)
	rank := len(w.Kernel)
	even := slices.Equal(w.Before, w.After) && slices.Min(append(w.Before, 0)) == 0
	if rank == 2 && even && alike(w.Before, w.Strides, w.Dilations) {
		o := F.ConvOptions{Stride: w.Strides[0], Padding: w.Before[0], Dilation: w.Dilations[0], Groups: group}
		return one(func(x []gotorch.Tensor) gotorch.Tensor { return F.Conv2d(x[0], x[1], optional(x, 2), o) })
	}
	none := make([]int, rank)
	pads := w.Before
	if !even {
		pads = none
	}
	return one(func(x []gotorch.Tensor) gotorch.Tensor {
		maps := x[0]
		if !even {
			maps = padded(maps, w, 0)
		}
		return gotorch.Call(nil, "convolution", maps, x[1], optional(x, 2), w.Strides, pads, w.Dilations, false, none, group)
	})
}

// convTranspose cuts the pads off the whole result.
func convTranspose(s *site) operation {
	w, group := s.window(s.in(1)[2:].At(1)), s.IntAttr("group", 1)
	none := make([]int, len(w.Kernel))
	more := s.IntsAttr("output_padding", none...)
	cut := onnx.Window{}
	for i := range w.Before {
		cut.Before, cut.After = append(cut.Before, -w.Before[i]), append(cut.After, more[i]-w.After[i])
	}
	return one(func(x []gotorch.Tensor) gotorch.Tensor {
		y := gotorch.Call(nil, "convolution", x[0], x[1], gotorch.Tensor{}, w.Strides, none, w.Dilations, true, none, group)
		y = padded(y, cut, 0)
		if bias := optional(x, 2); bias != (gotorch.Tensor{}) {
			y = y.Add(bias.Reshape(append([]int{-1}, slices.Repeat([]int{1}, len(w.Kernel))...)...))
		}
		return y
	})
}

// native reports whether libtorch's pools take a window's pads.
func native(w onnx.Window) bool {
	for i, before := range w.Before {
		if before != w.After[i] || before < 0 || before > w.Kernel[i]/2 {
			return false
		}
	}
	return true
}

// cropped keeps as many positions as the node is said to have.
func cropped(x gotorch.Tensor, sizes []int) gotorch.Tensor {
	for i, size := range sizes {
		x = x.Narrow(i+2, 0, size)
	}
	return x
}

func maxPool(s *site) operation {
	w, ceil := s.window(nil), s.IntAttr("ceil_mode", 0) != 0
	if s.Result(1) != "" {
		s.refuse("has a second output")
	}
	op, none := fmt.Sprintf("max_pool%dd", len(w.Kernel)), make([]int, len(w.Kernel))
	if native(w) {
		return with(op, func(*site) []any { return []any{w.Kernel, w.Strides, w.Before, w.Dilations, ceil} })(s)
	}
	sizes := s.out(0)[2:].At(1)
	return one(func(x []gotorch.Tensor) gotorch.Tensor {
		return cropped(gotorch.Call(nil, op, padded(x[0], w, math.Inf(-1)), w.Kernel, w.Strides, none, w.Dilations, ceil), sizes)
	})
}

// averagePool: with pads that libtorch does not take, sums are divided by how many
// elements they are of.
func averagePool(s *site) operation {
	w, ceil := s.window(nil), s.IntAttr("ceil_mode", 0) != 0
	includes := s.IntAttr("count_include_pad", 0) != 0
	op, none := fmt.Sprintf("avg_pool%dd", len(w.Kernel)), make([]int, len(w.Kernel))
	if native(w) {
		return with(op, func(*site) []any { return []any{w.Kernel, w.Strides, w.Before, ceil, includes} })(s)
	}
	sizes := s.out(0)[2:].At(1)
	return one(func(x []gotorch.Tensor) gotorch.Tensor {
		average := func(x gotorch.Tensor) gotorch.Tensor {
			return cropped(gotorch.Call(nil, op, padded(x, w, 0), w.Kernel, w.Strides, none, ceil, true), sizes)
		}
		if includes {
			return average(x[0])
		}
		return average(x[0]).Div(average(gotorch.OnesLike(x[0])))
	})
}
