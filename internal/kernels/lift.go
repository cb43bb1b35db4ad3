package kernels

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/ascood/ascood/internal/windows"
	"github.com/ascood/ascood/onnx"
)

// lifting finds the whole of what a gradient does to each phase of maps by itself, so as to put them into place as late
// as possible: that costs more than it saves where an operator of ours makes the whole at once.
type lifting struct {
	*draft
	stride        int
	height, width int               // of the whole
	made          map[string]string // wholes by their phases, "" for one that is wanted, but not yet made
}

// key is of values that are phases of a whole.
func (l lifting) key(phases []string) string {
	key := fmt.Sprint(l.height, l.width)
	for _, p := range phases {
		key += " " + strconv.Quote(l.number(p))
	}
	return key
}

// whole returns maps whose phases are the given values, "" for those that are zero: if zero, they must be, and otherwise
// they may be anything. It is not ok if they would have to be put into place, unless they may, or are anyway.
func (l lifting) whole(phases []string, zero, may bool) (maps string, ok bool) {
	all, key := !slices.Contains(phases, ""), l.key(phases)
	made, wanted := l.made[key]
	if made != "" {
		return made, true
	}
	if zero || all {
		defer func() {
			if ok {
				l.made[key] = maps
			}
		}()
	}
	may = may || wanted
	if maps, ok = l.taken(phases); ok && (all || !zero) {
		return maps, true
	}
	if maps, ok = l.depthwise(phases); ok {
		return maps, true
	}
	if maps, ok = l.local(phases, zero && !all, may); ok || !may {
		return maps, ok
	}
	return l.interleaved(phases, 0)
}

// makers are what make the phases that are not zero, and a node for all if they do the same.
func (l lifting) makers(phases []string) (makers []*onnx.NodeProto, like *onnx.NodeProto) {
	for _, p := range phases {
		if p == "" {
			makers = append(makers, nil)
			continue
		}
		n := l.Maker(l.number(p))
		if n == nil || n.Domain != "" || like != nil && (n.OpType != like.OpType || len(n.Input) != len(like.Input)) {
			return nil, nil
		}
		makers, like = append(makers, n), n
	}
	return makers, like
}

// taken are the maps whose elements at the phases' places are taken.
func (l lifting) taken(phases []string) (string, bool) {
	_, like := l.makers(phases)
	if like == nil || like.OpType != "Conv" {
		return "", false
	}
	of := l.number(like.Input[0])
	s, err := l.Shape(of)
	if err != nil || len(s) != 4 || s[2].Size != l.height || s[3].Size != l.width {
		return "", false
	}
	for i, p := range phases {
		if p == "" {
			continue
		}
		pattern := onnx.NewBuilder("")
		pattern.Know("x", s)
		place := func(size, first int) windows.Places {
			return windows.Places{Stride: l.stride, First: first, Count: (size + l.stride - 1) / l.stride}
		}
		element := windows.Take(pattern, "x", 1, place(l.height, i/l.stride), place(l.width, i%l.stride))
		found := l.find(pattern, map[string]string{"x": of})
		if len(found) != 1 || found[0][element] != l.number(p) {
			return "", false
		}
	}
	return of, true
}

// local is what nodes do to the whole that do the same to each phase, and to each place alone. That it keeps is zeros.
func (l lifting) local(phases []string, zero, may bool) (string, bool) {
	makers, like := l.makers(phases)
	if like == nil {
		return "", false
	}
	for _, n := range makers {
		if n != nil && attributes(n) != attributes(like) {
			return "", false
		}
	}
	operand := func(i int, zero, may bool) (string, bool) {
		values := make([]string, len(makers))
		for p, n := range makers {
			if n != nil {
				values[p] = n.Input[i]
			}
		}
		return l.operand(values, zero, may)
	}
	var inputs []string
	switch ok := true; {
	case like.OpType == "Mul" || like.OpType == "Add":
		for i := range 2 {
			in, is := operand(i, zero && (i == 0 || like.OpType == "Add"), may)
			inputs, ok = append(inputs, in), ok && is
		}
		if !ok {
			return "", false
		}
	case slices.Contains([]string{"HardSigmoid", "Sigmoid", "Tanh"}, like.OpType) && !zero:
		in, is := operand(0, false, may)
		if !is {
			return "", false
		}
		inputs = []string{in}
	case like.OpType == "Conv" && isPlain(like) && like.IntAttr("group", 1) == 1 && len(like.Input) == 2:
		in, is := operand(0, zero, false)
		for _, n := range makers {
			is = is && (n == nil || l.number(n.Input[1]) == l.number(like.Input[1]))
		}
		if !is {
			return "", false
		}
		inputs = []string{in, like.Input[1]}
	default:
		return "", false
	}
	return l.same(like, inputs), true
}

// operand is the whole of what nodes take, or what all of them take where it is not of maps.
func (l lifting) operand(values []string, zero, may bool) (string, bool) {
	first := values[slices.IndexFunc(values, func(v string) bool { return v != "" })]
	s, err := l.Shape(first)
	if err == nil && (len(s) != 4 || s[2].Size*s[3].Size == 1) {
		same := !slices.ContainsFunc(values, func(v string) bool { return v != "" && l.number(v) != l.number(first) })
		return first, same && !zero
	}
	return l.whole(values, zero, may)
}

// same adds a node that does to its inputs what another does, unless there is one.
func (l lifting) same(like *onnx.NodeProto, inputs []string) string {
	n := &onnx.NodeProto{OpType: like.OpType, Input: inputs, Attribute: like.Attribute}
	key := nodeKey(n, 0, l.number)
	if l.first[key] == "" {
		l.numbers.add(l.Op(n.OpType, n.Input, n.Attribute...), key)
	}
	return l.first[key]
}

// depthwise puts a DepthwiseGradient in the place of phases that are convolutions of each channel of one value: the
// gradient of one with a stride.
func (l lifting) depthwise(phases []string) (string, bool) {
	makers, like := l.makers(phases)
	if like == nil || like.OpType != "Conv" || len(phases) != 4 {
		return "", false
	}
	s, err := l.Shape(like.Input[0])
	if err != nil || s[1].Size != like.IntAttr("group", 1) || s[1].Size%4 != 0 {
		return "", false
	}
	inputs := []string{like.Input[0]}
	var rows, columns, above, left []int
	for i, n := range makers {
		if n == nil {
			inputs = append(inputs, "")
			rows, columns, above, left = append(rows, 0), append(columns, 0), append(above, 0), append(left, 0)
			continue
		}
		w, unknown := l.Shape(n.Input[1])
		window, err := onnx.WindowOf(n, nil)
		made, uninferred := l.Shape(phases[i])
		if unknown != nil || err != nil || uninferred != nil || len(n.Input) != 2 || l.number(n.Input[0]) != l.number(inputs[0]) || w[0] != s[1] ||
			slices.Max(window.Strides) > 1 || slices.Max(window.Dilations) > 1 || made[2].Size*2 < l.height || made[3].Size*2 < l.width {
			return "", false
		}
		inputs = append(inputs, n.Input[1])
		rows, columns = append(rows, window.Kernel[0]), append(columns, window.Kernel[1])
		above, left = append(above, window.Before[0]), append(left, window.Before[1])
	}
	key := "depthwise " + strings.Join(phases, " ")
	if l.first[key] == "" {
		of := onnx.Shape{s[0], s[1], {Size: l.height}, {Size: l.width}}
		made := l.add("DepthwiseGradient", inputs, 1, []onnx.Shape{of}, 1, onnx.Int("height", l.height), onnx.Int("width", l.width),
			onnx.Ints("rows", rows...), onnx.Ints("columns", columns...), onnx.Ints("above", above...), onnx.Ints("left", left...))
		l.first[key] = l.blocks(made[0])
	}
	return l.first[key], true
}
