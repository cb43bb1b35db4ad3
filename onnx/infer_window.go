package onnx

import (
	"fmt"
	"slices"
)

// Window is how an operator slides over the axes of a map.
type Window struct {
	Kernel, Strides, Dilations, Before, After []int // one of each for an axis
}

// Span is how much of axis i one position of the window covers.
func (w Window) Span(i int) int { return (w.Kernel[i]-1)*w.Dilations[i] + 1 }

// WindowOf returns how a Conv or a pool slides over its maps; kernel is the size of
// its weights' axes, nil for a pool. Padding that is left to the runtime is an error.
func WindowOf(n *NodeProto, kernel []int) (Window, error) {
	if auto := n.StringAttr("auto_pad", "NOTSET"); auto != "NOTSET" {
		return Window{}, fmt.Errorf("auto_pad is %s, want pads that are numbers", auto)
	}
	kernel = n.IntsAttr("kernel_shape", kernel...)
	rank := len(kernel)
	pads := n.IntsAttr("pads", make([]int, 2*rank)...)
	w := Window{
		Kernel: kernel, Strides: n.IntsAttr("strides", slices.Repeat([]int{1}, rank)...),
		Dilations: n.IntsAttr("dilations", slices.Repeat([]int{1}, rank)...),
	}
	if rank == 0 || len(w.Strides) != rank || len(w.Dilations) != rank || len(pads) != 2*rank {
		return w, fmt.Errorf("kernel %v, strides %v, dilations %v and pads %v do not go together", kernel, w.Strides, w.Dilations, pads)
	}
	w.Before, w.After = pads[:rank], pads[rank:]
	const most = 1 << 15 // of an image's side
	for i := range rank {
		if min(kernel[i], w.Strides[i], w.Dilations[i]) < 1 || max(kernel[i], w.Strides[i], w.Dilations[i]) > most {
			return w, fmt.Errorf("kernel %v, strides %v and dilations %v must be between 1 and %d", kernel, w.Strides, w.Dilations, most)
		}
		if max(-w.Before[i], -w.After[i], w.Before[i], w.After[i]) > most {
			return w, fmt.Errorf("pads %v must be between -%d and %d", pads, most, most)
		}
	}
	return w, nil
}

// slide is the shape of maps of so many channels that a window makes of those of s.
func (o *operands) slide(s Shape, channels Dim, w Window, ceil bool) []Shape {
	if len(s) != len(w.Kernel)+2 {
		return o.wrong("a window %v cannot slide over %v", w.Kernel, s)
	}
	out := Shape{s[0], channels}
	for i, d := range s[2:] {
		room := d.Size + w.Before[i] + w.After[i] - w.Span(i)
		if d.Batch || room < 0 {
			return o.wrong("a window %v cannot slide over %v", w.Kernel, s)
		}
		steps := room / w.Strides[i]
		// A last window that is not whole counts if it begins before the padding.
		if ceil && room%w.Strides[i] > 0 && (steps+1)*w.Strides[i] < d.Size+w.Before[i] {
			steps++
		}
		out = append(out, Dim{Size: steps + 1})
	}
	return []Shape{out}
}

func inferConv(o *operands) []Shape {
	s, weight := o.rank(0, 3), o.rank(1, 3)
	if o.err != nil {
		return nil
	}
	w, err := WindowOf(o.NodeProto, weight[2:].At(1))
	if err != nil {
		return o.wrong("%w", err)
	}
	if group := o.IntAttr("group", 1); !slices.Equal(w.Kernel, weight[2:].At(1)) || s[1].Batch || group < 1 || weight[1].Size*group != s[1].Size || weight[0].Size%group != 0 {
		return o.wrong("weights %v in %d groups do not fit maps of the shape %v", weight, group, s)
	}
	return o.slide(s, weight[0], w, false)
}

func inferConvTranspose(o *operands) []Shape {
	s, weight := o.rank(0, 3), o.rank(1, 3)
	if o.err != nil {
		return nil
	}
	w, err := WindowOf(o.NodeProto, weight[2:].At(1))
	if err != nil {
		return o.wrong("%w", err)
	}
	more := o.IntsAttr("output_padding", make([]int, len(w.Kernel))...)
	if !slices.Equal(w.Kernel, weight[2:].At(1)) || s[1] != weight[0] || len(s) != len(weight) || len(more) != len(w.Kernel) || o.HasAttr("output_shape") {
		return o.wrong("weights %v do not fit maps of the shape %v", weight, s)
	}
	out := Shape{s[0], Dim{Size: weight[1].Size * o.IntAttr("group", 1)}}
	for i, d := range s[2:] {
		out = append(out, Dim{Size: (d.Size-1)*w.Strides[i] + w.Span(i) - w.Before[i] - w.After[i] + more[i]})
	}
	return []Shape{out}
}

func inferPool(o *operands) []Shape {
	s := o.rank(0, 3)
	w, err := WindowOf(o.NodeProto, nil)
	if o.note(err); o.err != nil {
		return nil
	}
	out := o.slide(s, s[1], w, o.IntAttr("ceil_mode", 0) != 0)
	return append(out, out...) // MaxPool's indices
}

func inferGlobalPool(o *operands) []Shape {
	s := slices.Clone(o.rank(0, 3))
	for i := 2; i < len(s); i++ {
		s[i] = Dim{Size: 1}
	}
	return []Shape{s}
}
