package gradient

import (
	"fmt"
	"slices"

	"github.com/ascood/ascood/onnx"
)

// joined is the gradient of a Concat of channels as convolutions give it: that of each
// operand by itself, by the part of the kernel that is for it. To cut one for all would
// leave the blocked layout.
type joined struct {
	parts []string
	of    onnx.Shape // of all together
	whole string     // the name of that, "" until then
}

// join gives the parts a name that stands for the gradient until whole puts them together.
// No value has such a name.
func (w *walk) join(parts []string, of onnx.Shape) string {
	if w.parts == nil {
		w.parts = map[string]*joined{}
	}
	name := fmt.Sprintf("\x00parts %d", len(w.parts))
	w.parts[name] = &joined{parts: parts, of: of}
	return name
}

// channelsOf are those of the operands that maps are a Concat of, or a pool of one, if there
// are several, each is of whole blocks, and their gradient comes in parts; nil for others.
func (w *walk) channelsOf(maps string) []int {
	maker := w.Maker(maps)
	if maker != nil && maker.OpType == "MaxPool" {
		return w.channelsOf(maker.Operand(0))
	}
	if w.target != CPU || w.wide || maker == nil || maker.OpType != "Concat" || len(maker.Input) == 1 || !every(w.users[maps], w.givesParts) {
		return nil
	}
	var channels []int
	for _, operand := range maker.Input {
		s, err := w.Shape(operand)
		if err != nil || len(s) != 4 || s[1].Size%blockedChannels > 0 {
			return nil
		}
		if axis, err := s.Axis(maker.IntAttr("axis", 0)); axis != 1 || err != nil {
			return nil
		}
		channels = append(channels, s[1].Size)
	}
	return channels
}

// givesParts reports whether a node is a convolution, or a strided pool before convolutions
// alone, so that it gives the gradient of its input in parts.
func (w *walk) givesParts(n *onnx.NodeProto) bool {
	return isDense(n) || n.OpType == "MaxPool" && isStrided(n) && every(w.users[n.Result(0)], isDense)
}

// isDense reports whether a node is a convolution of all channels.
func isDense(n *onnx.NodeProto) bool { return n.OpType == "Conv" && n.IntAttr("group", 1) == 1 }

// every reports whether there are nodes, and it holds for each.
func every(nodes []*onnx.NodeProto, holds func(*onnx.NodeProto) bool) bool {
	return len(nodes) > 0 && !slices.ContainsFunc(nodes, func(n *onnx.NodeProto) bool { return !holds(n) })
}

// byPart is the gradient of a convolution's input, a Concat of so many channels.
func (n *node) byPart(dy string, c convolution, channels []int) string {
	parts, from := make([]string, len(channels)), 0
	for i, count := range channels {
		part := c
		part.weight = n.slice(c.weight, 1, from, count)
		part.wide = slices.Clone(c.wide)
		part.wide[1].Size = count
		parts[i] = n.unconvolve(dy, part)
		from += count
	}
	return n.join(parts, c.wide)
}

// poolByPart is the gradient of a pool's input, a Concat of so many channels, as those of
// pools of the operands.
func (n *node) poolByPart(channels []int) string {
	parts, from := make([]string, len(channels)), 0
	for i, operand := range n.Maker(n.Operand(0)).Input {
		part := *n
		part.NodeProto = &onnx.NodeProto{
			OpType: n.OpType, Attribute: n.Attribute, Input: []string{operand},
			Output: []string{n.Op("MaxPool", []string{operand}, n.Attribute...)},
		}
		if j := n.parts[n.dy]; j != nil {
			part.dy = n.whole(j.parts[i])
		} else {
			part.dy = n.slice(n.whole(n.dy), 1, from, channels[i])
		}
		parts[i] = maxPoolGradient(&part)
		from += channels[i]
	}
	return n.join(parts, n.shape(n.Operand(0)))
}

// totalOfParts is the sum of a gradient in parts and another of the same value.
func (w *walk) totalOfParts(j *joined, other string) string {
	parts, from := make([]string, len(j.parts)), 0
	for i, part := range j.parts {
		if k := w.parts[other]; k != nil {
			parts[i] = w.total(part, k.parts[i])
			continue
		}
		count := w.shapeOf(part)[1].Size
		parts[i] = w.total(part, w.slice(w.whole(other), 1, from, count))
		from += count
	}
	return w.join(parts, j.of)
}
