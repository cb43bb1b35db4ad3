package kernels

import (
	"slices"

	"github.com/ascood/ascood/internal/windows"
	"github.com/ascood/ascood/onnx"
)

// maxPool puts a MaxPoolGradient in the place of what finds a MaxPool's gradient by comparisons.
func (d *draft) maxPool(n *onnx.NodeProto) {
	if n.OpType != "MaxPool" || n.Domain != "" || len(n.Output) != 1 {
		return
	}
	x, _ := d.Shape(n.Input[0])
	y, _ := d.Shape(n.Output[0])
	p, ok := windows.MaxPoolOf(n, x, y)
	if !ok || x[1].Size%4 != 0 {
		return
	}
	given := map[string]string{"x": d.number(n.Input[0]), "y": d.number(n.Output[0])}
	for _, p.Positive = range []bool{false, true} {
		pattern := onnx.NewBuilder("")
		pattern.Know("x", x)
		pattern.Know("y", y)
		pattern.Know("dy", y)
		rows := p.Rows(pattern, &onnx.NodeProto{Input: []string{"x"}, Attribute: n.Attribute})
		made := p.Gradient(pattern, "x", rows, "y", "dy")
		found := d.find(pattern, given)
		if p.Stride > 1 {
			whole := pattern.Op("Concat", slices.Clone(made), onnx.Int("axis", 1))
			whole = windows.Crop(pattern, windows.Interleave(pattern, whole, p.Stride), 0, x)
			if inPlace := d.find(pattern, given); len(inPlace) == len(found) {
				found, made = inPlace, []string{whole}
			}
		}
		if len(made) != 1 && len(made) != 4 {
			return
		}
		for _, at := range found {
			outputs := slices.Clone(made)
			for i, value := range outputs {
				outputs[i] = at[value]
			}
			if d.replaced[outputs[0]] != "" { // the pool of rows is one in the gradient of another
				continue
			}
			d.put("MaxPoolGradient", []string{at["dy"], n.Input[0], n.Output[0]}, outputs, onnx.Int("rows", p.Kernel[0]), onnx.Int("columns", p.Kernel[1]),
				onnx.Int("stride", p.Stride), onnx.Int("above", p.Before[0]), onnx.Int("left", p.Before[1]), onnx.Int("outputs", len(made)))
		}
	}
}
