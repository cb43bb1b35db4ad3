package kernels

import (
	"slices"

	"github.com/ascood/ascood/onnx"
)

// source is a channel of maps.
type source struct {
	maps    string
	channel int
}

// channels puts a Channels in the place of nodes that move channels alone, whole maps each, such as a Split or a
// shuffle of channels: ONNX Runtime does that outside the blocked layout, but for a Concat of whole blocks. It takes
// them from where they were computed.
func (d *draft) channels(n *onnx.NodeProto) {
	for _, out := range n.Output {
		from := d.sources(out)
		if from[0].maps == out || d.replaced[out] != "" || !slices.ContainsFunc(d.users[d.number(out)], d.computes) {
			continue
		}
		var maps []string
		var which, channels []int
		for _, s := range from {
			i := slices.Index(maps, s.maps)
			if i < 0 {
				i, maps = len(maps), append(maps, s.maps)
			}
			which, channels = append(which, i), append(channels, s.channel)
		}
		s, err := d.Shape(out)
		if err != nil || len(from)%4 != 0 || len(maps) > maxSources || slices.ContainsFunc(maps, func(v string) bool { return !d.inBlocks(v) }) || n.OpType == "Concat" && d.joinsBlocks(n) {
			continue
		}
		d.replaced[out] = d.blocks(d.add("Channels", maps, len(maps), []onnx.Shape{s}, 1, onnx.Ints("from", which...), onnx.Ints("channel", channels...))[0])
	}
}

// maxSources is how many maps a Channels takes.
const maxSources = 16

// computes reports whether a node does more than to move channels.
func (d *draft) computes(n *onnx.NodeProto) bool {
	if n.OpType == "Reshape" || n.OpType == "Transpose" { // which may be a part of a shuffle
		return false
	}
	return d.sources(n.Output[0])[0].maps == n.Output[0]
}

// sources are where the channels of maps come from. Those of maps that are computed are their own.
func (d *draft) sources(maps string) []source {
	if known := d.moved[maps]; known != nil {
		return known
	}
	s, err := d.Shape(maps)
	own := []source{{maps, 0}}
	if err == nil && len(s) == 4 {
		own = make([]source, s[1].Size)
		for i := range own {
			own[i] = source{maps, i}
		}
		if n := d.Maker(maps); n != nil && n.Domain == "" {
			if from := d.movedBy(n, slices.Index(n.Output, maps), s); len(from) == len(own) {
				own = from
			}
		}
	}
	d.moved[maps] = own
	return own
}

// movedBy are the sources of a node's output, nil if it is not known to move channels alone.
func (d *draft) movedBy(n *onnx.NodeProto, output int, s onnx.Shape) []source {
	part := func(from, to int) []source {
		all := d.sources(n.Input[0])
		if from < 0 || from > to || to > len(all) {
			return nil
		}
		return all[from:to]
	}
	switch n.OpType {
	case "Concat":
		if n.IntAttr("axis", 0) != 1 {
			return nil
		}
		var all []source
		for _, in := range n.Input {
			all = append(all, d.sources(in)...)
		}
		return all
	case "Slice":
		from, axis, step := d.integer(n.Operand(1)), d.integer(n.Operand(3)), 1
		if n.Operand(4) != "" {
			step = d.integer(n.Operand(4))
		}
		if axis == 1 && step == 1 {
			return part(from, from+s[1].Size)
		}
	case "Split":
		if n.IntAttr("axis", 0) != 1 {
			return nil
		}
		from := 0
		for _, out := range n.Output[:output] {
			before, err := d.Shape(out)
			if err != nil {
				return nil
			}
			from += before[1].Size
		}
		return part(from, from+s[1].Size)
	case "Reshape":
		return d.shuffled(n, s)
	}
	return nil
}

// integer is a constant of one integer, -1 for others.
func (d *draft) integer(value string) int {
	if v, err := d.Ints(value); err == nil && len(v) == 1 {
		return v[0]
	}
	return -1
}

// shuffled are the sources of channels that a Transpose has turned, as a matrix, between two of Reshape.
func (d *draft) shuffled(n *onnx.NodeProto, s onnx.Shape) []source {
	turn := d.Maker(n.Input[0])
	if turn == nil || turn.OpType != "Transpose" || !slices.Equal(turn.IntsAttr("perm"), []int{0, 2, 1, 3, 4}) {
		return nil
	}
	split := d.Maker(turn.Input[0])
	if split == nil || split.OpType != "Reshape" {
		return nil
	}
	x, errX := d.Shape(split.Input[0])
	matrix, errM := d.Shape(turn.Input[0])
	if errX != nil || errM != nil || len(x) != 4 || len(matrix) != 5 || !x.Equal(s) || matrix[0] != s[0] || !matrix[3:].Equal(s[2:]) {
		return nil
	}
	from := d.sources(split.Input[0])
	rows, columns := matrix[1].Size, matrix[2].Size
	turned := make([]source, len(from))
	for i := range turned {
		turned[i] = from[i%rows*columns+i/rows]
	}
	return turned
}

// inBlocks reports whether ONNX Runtime has maps in its blocked layout: those of convolutions and of pools, and what is
// computed of them element by element.
func (d *draft) inBlocks(maps string) bool {
	s, err := d.Shape(maps)
	n := d.Maker(maps)
	if err != nil || len(s) != 4 || s[1].Size%4 != 0 || n == nil {
		return false
	}
	if d.replaced[maps] != "" {
		return true
	}
	switch n.OpType {
	case "Conv":
		return true
	case "MaxPool", "AveragePool":
		return s[1].Size%d.lanes == 0
	case "Add", "Mul", "BatchNormalization", "Relu", "Clip", "HardSigmoid", "Sigmoid":
		return d.inBlocks(n.Input[0]) || len(n.Input) == 2 && d.inBlocks(n.Input[1])
	}
	if from := d.sources(maps); from[0].maps != maps {
		return !slices.ContainsFunc(from, func(s source) bool { return !d.inBlocks(s.maps) })
	}
	return false
}

// joinsBlocks reports whether a Concat is of whole blocks, each computed: ONNX Runtime has that in the blocked layout.
func (d *draft) joinsBlocks(n *onnx.NodeProto) bool {
	return !slices.ContainsFunc(n.Input, func(in string) bool {
		from := d.sources(in)
		return len(from)%d.lanes != 0 || from[0].maps != in
	})
}
