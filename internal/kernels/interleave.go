package kernels

import (
	"slices"

	"github.com/ascood/ascood/internal/windows"
	"github.com/ascood/ascood/onnx"
)

// interleaving is what puts every stride-th row and column of maps into place, and cuts off what is beyond them.
type interleaving struct {
	lifting
	phases []string // from before they are put together
	whole  string
	row    int // of what the phases make, that the whole begins at
}

// interleave puts operators in the place of all that puts phases into place.
func (d *draft) interleave(nodes []*onnx.NodeProto) {
	var all []interleaving
	made := map[string]string{}
	for _, n := range nodes {
		for _, i := range d.interleavings(n) {
			i.made = made
			if i.lifts() {
				made[i.key(i.phases)] = ""
			}
			all = append(all, i)
		}
	}
	for _, i := range all {
		maps, ok := "", false
		if i.lifts() {
			maps, ok = i.lifting.whole(i.phases, true, true)
		} else {
			maps, ok = i.interleaved(i.phases, i.row)
		}
		if ok {
			d.replaced[i.whole] = maps
		}
	}
}

func (i interleaving) lifts() bool { return len(i.phases) > 1 && i.row == 0 }

// interleavings are those that begin at a node.
func (d *draft) interleavings(n *onnx.NodeProto) (all []interleaving) {
	if n.OpType != "Reshape" || n.Domain != "" {
		return nil
	}
	apart, err := d.Ints(n.Input[1])
	x, unknown := d.Shape(n.Input[0])
	if err != nil || unknown != nil || len(apart) != 6 || len(x) != 4 || apart[1] < 2 {
		return nil
	}
	stride := apart[1]
	pattern := onnx.NewBuilder("")
	pattern.Know("x", x)
	whole := windows.Interleave(pattern, "x", stride)
	for _, at := range d.find(pattern, map[string]string{"x": d.number(n.Input[0])}) {
		out, row := d.cropped(at[whole])
		if s, err := d.Shape(out); err == nil && d.replaced[out] == "" {
			l := lifting{draft: d, stride: stride, height: s[2].Size, width: s[3].Size}
			all = append(all, interleaving{l, d.phases(n.Input[0], stride*stride), out, row})
		}
	}
	return all
}

// interleaved puts phases into place, a value each or all in one, which begin at a row.
func (l lifting) interleaved(phases []string, row int) (maps string, ok bool) {
	s, err := l.Shape(phases[slices.IndexFunc(phases, func(p string) bool { return p != "" })])
	if err != nil || slices.ContainsFunc(phases, func(p string) bool {
		other, err := l.Shape(p)
		return p != "" && (err != nil || !other.Equal(s))
	}) {
		return "", false
	}
	s = slices.Clone(s)
	if len(phases) == 1 {
		s[1].Size /= l.stride * l.stride
	}
	channels := s[1].Size
	of := []onnx.Shape{{s[0], s[1], {Size: l.height}, {Size: l.width}}}
	attrs := []onnx.Attr{onnx.Int("stride", l.stride), onnx.Int("phases", len(phases)), onnx.Int("channels", channels),
		onnx.Int("row", row), onnx.Int("height", l.height), onnx.Int("width", l.width)}
	switch {
	case len(phases) <= maxPhases && channels%4 == 0 && (len(phases) > 1 || channels%l.lanes == 0):
		return l.blocks(l.add("Interleave", phases, len(phases), of, 1, attrs...)[0]), true
	case len(phases) == 1 && channels*l.stride*l.stride%4 == 0:
		return l.add("InterleavePlain", phases, 1, of, 0, attrs...)[0], true
	}
	return "", false
}

// maxPhases is how many values an Interleave takes.
const maxPhases = 16

// cropped is what a value is cut to, if it is taken for that alone, and the row that this begins at.
func (d *draft) cropped(whole string) (value string, row int) {
	users := d.users[whole]
	if len(users) != 1 || users[0].OpType != "Slice" || len(users[0].Input) != 4 {
		return whole, 0
	}
	from, _ := d.Ints(users[0].Input[1])
	axes, _ := d.Ints(users[0].Input[3])
	if len(from) != 2 || from[0] < 0 || from[1] != 0 || !slices.Equal(axes, []int{2, 3}) {
		return whole, 0
	}
	return users[0].Output[0], from[0]
}

// phases are the values that so many were put together from, "" for one that is zero; the value itself if none were.
func (d *draft) phases(x string, count int) []string {
	maker := d.Maker(x)
	if maker == nil || maker.OpType != "Concat" || maker.IntAttr("axis", 0) != 1 || len(maker.Input) != count {
		return []string{x}
	}
	var phases []string
	first, _ := d.Shape(maker.Input[0])
	for _, in := range maker.Input {
		if s, err := d.Shape(in); err != nil || !s.Equal(first) {
			return []string{x}
		}
		if of := d.Maker(in); of != nil && of.OpType == "HardSigmoid" && of.FloatAttr("alpha", 1) == 0 && of.FloatAttr("beta", 1) == 0 {
			in = ""
		}
		phases = append(phases, in)
	}
	return phases
}
