package gradient

import (
	"fmt"
	"slices"

	"github.com/ascood/ascood/onnx"
)

// joined is the gradient of a value in pieces along an axis, as the parts of a Split have
// it, or as convolutions give that of a Concat: of each operand by itself, by the part of the
// kernel that is for it. To cut one for all would leave the blocked layout.
type joined struct {
	axis   int
	pieces []piece    // by place, none of which overlap; elsewhere it is zero
	of     onnx.Shape // of all together
	whole  string     // the name of that, "" until then
}

// piece is one of count elements.
type piece struct {
	from, count int
	gradient    string
}

// join gives pieces a name that stands for the gradient until whole puts them together. No
// value has such a name.
func (w *walk) join(axis int, of onnx.Shape, pieces ...piece) string {
	if w.parts == nil {
		w.parts = map[string]*joined{}
	}
	name := fmt.Sprintf("\x00parts %d", len(w.parts))
	w.parts[name] = &joined{axis: axis, pieces: pieces, of: of}
	return name
}

// part is a piece of a gradient.
func (w *walk) part(gradient string, axis, from, count int) string {
	if j := w.parts[gradient]; j != nil && j.axis == axis {
		for _, p := range j.pieces {
			if p.from == from && p.count == count {
				return p.gradient
			}
		}
	}
	return w.slice(w.whole(gradient), axis, from, count)
}

// putTogether is the gradient with the zeros between its pieces.
func (w *walk) putTogether(j *joined) string {
	var parts []string
	for i, p := range j.pieces {
		before, after := make([]int, len(j.of)), make([]int, len(j.of))
		next := j.of[j.axis].Size
		if i == 0 {
			before[j.axis] = p.from
		}
		if i+1 < len(j.pieces) {
			next = j.pieces[i+1].from
		}
		after[j.axis] = next - p.from - p.count
		parts = append(parts, w.pad(w.whole(p.gradient), before, after))
	}
	if len(parts) == 1 {
		return parts[0]
	}
	return w.Op("Concat", parts, onnx.Int("axis", j.axis))
}

// totalOfPieces is the sum of two gradients of one value in pieces. It is not ok if some
// overlap but are not the same.
func (w *walk) totalOfPieces(j, k *joined) (sum string, ok bool) {
	if j.axis != k.axis {
		return "", false
	}
	pieces := slices.Concat(j.pieces, k.pieces)
	slices.SortStableFunc(pieces, func(p, q piece) int { return p.from - q.from })
	all := pieces[:1]
	for _, p := range pieces[1:] {
		switch last := &all[len(all)-1]; {
		case p.from >= last.from+last.count:
			all = append(all, p)
		case p.from == last.from && p.count == last.count:
			last.gradient = w.total(last.gradient, p.gradient)
		default:
			return "", false
		}
	}
	return w.join(j.axis, j.of, all...), true
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
	var parts []piece
	from := 0
	for _, count := range channels {
		part := c
		part.weight = n.slice(c.weight, 1, from, count)
		part.wide = slices.Clone(c.wide)
		part.wide[1].Size = count
		parts = append(parts, piece{from, count, n.unconvolve(dy, part)})
		from += count
	}
	return n.join(1, c.wide, parts...)
}

// poolByPart is the gradient of a pool's input, a Concat of so many channels, as those of
// pools of the operands.
func (n *node) poolByPart(channels []int) string {
	var parts []piece
	from := 0
	for i, operand := range n.Maker(n.Operand(0)).Input {
		part := *n
		part.NodeProto = &onnx.NodeProto{
			OpType: n.OpType, Attribute: n.Attribute, Input: []string{operand},
			Output: []string{n.Op("MaxPool", []string{operand}, n.Attribute...)},
		}
		part.dy = n.part(n.dy, 1, from, channels[i])
		parts = append(parts, piece{from, channels[i], maxPoolGradient(&part)})
		from += channels[i]
	}
	return n.join(1, n.shape(n.Operand(0)), parts...)
}
