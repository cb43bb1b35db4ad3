package gradient

import (
	"slices"

	"github.com/ascood/ascood/onnx"
)

// meet returns two operands in one layout, if ONNX Runtime has one of them in its blocked
// layout and the other not: it would take the first out of that, and all that is computed
// from both. A convolution of each channel by 1 brings the other there, and takes its sum
// with the first along.
func (w *walk) meet(a, b string) (string, string) {
	s := w.shape(a)
	if w.target != CPU || w.wide || !s.Equal(w.shape(b)) || len(s) != 4 || s[1].Size%blockedMultiple != 0 {
		return a, b
	}
	switch first, second := w.isBlocked(a), w.isBlocked(b); {
	case first && !second:
		b = w.block(b)
	case second && !first:
		a = w.block(a)
	}
	return a, b
}

// Channels of maps in the blocked layout.
const (
	blockedChannels = 16 // that a block has, at most
	blockedMultiple = 4  // of which there must be a multiple, for what brings maps into the layout or out of it
)

// inBlocks are maps in the blocked layout.
func (w *walk) inBlocks(maps string) string {
	if w.isBlocked(maps) {
		return maps
	}
	return w.block(maps)
}

// block brings maps into the blocked layout.
func (w *walk) block(maps string) string {
	if w.blocks == nil {
		w.blocks = map[string]string{}
	}
	if w.blocks[maps] == "" {
		w.blocks[maps] = w.filter(maps, [2]int{1, 1}, 1)
	}
	return w.blocks[maps]
}

// isBlocked reports whether ONNX Runtime has maps in its blocked layout: those that its
// convolutions and pools make, and what is computed from these alone, element by element.
func (w *walk) isBlocked(maps string) bool {
	is, known := w.blocked[maps]
	if known {
		return is
	}
	all := func(inputs []string) bool {
		return !slices.ContainsFunc(inputs, func(x string) bool { return !w.isBlocked(x) })
	}
	whole := func(x string) bool {
		s, err := w.Shape(x)
		return err == nil && len(s) == 4 && s[1].Size%blockedChannels == 0
	}
	if n := w.Maker(maps); n != nil {
		switch n.OpType {
		case "Conv":
			is = w.convolvesBlocks(n)
		case "MaxPool", "AveragePool", "GlobalMaxPool", "GlobalAveragePool":
			is = whole(n.Input[0]) && len(n.Output) == 1
		case "Add", "Sum", "Mul":
			is = all(slices.DeleteFunc(slices.Clone(n.Input), w.perChannel))
		case "Concat":
			is = all(n.Input) && !slices.ContainsFunc(n.Input, func(x string) bool { return !whole(x) })
		case "BatchNormalization", "Clip", "HardSigmoid", "LeakyRelu", "Relu", "Resize", "Sigmoid", "Tanh":
			is = w.isBlocked(n.Input[0])
		}
	}
	if w.blocked == nil {
		w.blocked = map[string]bool{}
	}
	w.blocked[maps] = is
	return is
}

// convolvesBlocks reports whether a Conv is one of the blocked layout.
func (w *walk) convolvesBlocks(n *onnx.NodeProto) bool {
	weight, err := w.Shape(n.Input[1])
	if err != nil || len(weight) != 4 {
		return false
	}
	out, in := weight[0].Size, weight[1].Size
	switch group := n.IntAttr("group", 1); {
	case group == 1:
		return in < blockedChannels || in%blockedMultiple == 0
	case group == out && in == 1:
		return out%blockedMultiple == 0
	default:
		return in%blockedChannels == 0 && out/group%blockedChannels == 0
	}
}

// perChannel reports whether a value is a constant of each channel.
func (w *walk) perChannel(value string) bool {
	s, err := w.Shape(value)
	return err == nil && len(s) == 4 && s.Elements() == (onnx.Dim{Size: s[1].Size})
}
