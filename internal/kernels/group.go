package kernels

import (
	"slices"

	"github.com/ascood/ascood/onnx"
)

// maxWider is how many times as many multiplications a convolution may take in the blocked layout as outside it.
const maxWider = 4

// widen makes groups of a convolution as large as a block, if several fill one: with zeros for the weights between
// them. ONNX Runtime has those of fewer channels outside the blocked layout, where they are slower, however few
// multiplications they take.
func (d *draft) widen(n *onnx.NodeProto) {
	group := n.IntAttr("group", 1)
	if n.OpType != "Conv" || n.Domain != "" || group == 1 {
		return
	}
	w, err := d.Shape(n.Input[1])
	if err != nil || len(w) != 4 {
		return
	}
	out, channels := w[0].Size, w[1].Size // of a group
	if channels*maxWider < d.lanes || channels >= d.lanes || d.lanes%channels != 0 || out != group*channels || out%d.lanes != 0 {
		return
	}
	groups := d.lanes / channels
	mask := make([]float32, out*d.lanes)
	for i := range mask {
		if i/d.lanes%d.lanes/channels == i%d.lanes/channels {
			mask[i] = 1
		}
	}
	tiled := d.Op("Tile", []string{n.Input[1], d.Int64s(1, groups, 1, 1)})
	n.Input = slices.Clone(n.Input)
	n.Input[1] = d.Op("Mul", []string{tiled, d.Const([]int{out, d.lanes, 1, 1}, mask...)})
	for i, a := range n.Attribute {
		if a.Name == "group" {
			n.Attribute[i] = onnx.Int("group", group/groups)
		}
	}
	d.changed = true
}
