package gradient

import (
	"slices"

	"github.com/ascood/ascood/onnx"
)

var movements = map[string]rule{
	"Reshape":   {vjp: []vjp{likeX, nil}, variants: "a constant shape, `allowzero` 0"},
	"Flatten":   unary("", likeX),
	"Squeeze":   {vjp: []vjp{likeX, nil}, variants: "constant axes"},
	"Unsqueeze": {vjp: []vjp{likeX, nil}, variants: "constant axes"},
	"Transpose": unary("", transposeGradient),
	"Expand":    {vjp: []vjp{same, nil}, broadcasts: true, variants: "a constant shape"},
	"Tile":      {vjp: []vjp{tileGradient, nil}, variants: "constant numbers of copies, of images one"},
	"Concat":    {each: concatGradient, variants: "any axis but that of the batch"},
	"Split":     {vjp: []vjp{splitGradient, nil}, outputs: true, variants: "any axis but that of the batch; not all parts need be used"},
	"Slice":     {vjp: []vjp{sliceGradient, nil, nil, nil, nil}, variants: "constant bounds and any constant steps, backwards too; all images of a batch"},
	"Gather":    {vjp: []vjp{gatherGradient, nil}, takes: takesGather, variants: "constant indices, none more than 64 times"},
	"GatherElements": {vjp: []vjp{func(n *node) string {
		return n.Op("ScatterElements", []string{n.zeros(n.x()), n.Operand(1), n.dy}, n.alongAxis(onnx.String("reduction", "add"))...)
	}, nil}, takes: func(n *node) { n.axis(0) }, variants: "any axis but that of the batch; the indices off the image's way"},
	"TopK": {vjp: []vjp{func(n *node) string {
		return n.Op("ScatterElements", []string{n.zeros(n.x()), n.Result(1), n.dy}, onnx.Int("axis", n.axis(-1)))
	}, nil}, takes: func(n *node) { n.axis(-1) }, variants: "any axis but that of the batch; the places change in steps"},
	"GatherND": {vjp: []vjp{func(n *node) string {
		return n.Op("ScatterND", []string{n.zeros(n.x()), n.Operand(1), n.dy}, onnx.String("reduction", "add"))
	}, nil}, takes: takesND, variants: "`batch_dims` 0, no axis of the batch; the indices off the image's way"},
	"ScatterElements": {vjp: []vjp{func(n *node) string {
		return n.overwritten("ScatterElements", n.alongAxis()...)
	}, nil, func(n *node) string {
		return n.Op("GatherElements", []string{n.dy, n.Operand(1)}, n.alongAxis()...)
	}}, takes: takesScatter, variants: "any axis but that of the batch, `reduction` none or add; the indices off the image's way"},
	"ScatterND": {vjp: []vjp{func(n *node) string {
		return n.overwritten("ScatterND")
	}, nil, func(n *node) string {
		return n.op("GatherND", n.dy, n.Operand(1))
	}}, takes: func(n *node) { takesScatter(n); takesND(n) }, variants: "no axis of the batch, `reduction` none or add; the indices off the image's way"},
	"Pad":          {vjp: []vjp{padGradient, nil, nil}, takes: takesPad, variants: "constant pads, `mode` constant"},
	"DepthToSpace": unary("both modes", depthToSpaceGradient),
	"SpaceToDepth": unary("", func(n *node) string {
		return n.Op("DepthToSpace", []string{n.dy}, onnx.Int("blocksize", n.IntAttr("blocksize", 0)))
	}),
	"Resize": {vjp: []vjp{resizeGradient, nil, nil, nil}, takes: takesResize, variants: "`mode` nearest to a whole multiple of the size"},
	"CumSum": {vjp: []vjp{cumSumGradient, nil}, variants: "forwards and backwards"},
}

// likeX gives dy the shape of x, in which it has as many elements.
func likeX(n *node) string { return n.reshape(n.dy, n.shape(n.x())) }

func transposeGradient(n *node) string {
	perm, err := onnx.Perm(n.NodeProto, len(n.shape(n.x())))
	n.note(err)
	inverse := make([]int, len(perm))
	for i, p := range perm {
		inverse[p] = i
	}
	return n.transpose(n.dy, inverse...)
}

// tileGradient sums over the copies.
func tileGradient(n *node) string {
	s := n.shape(n.x())
	repeats, err := n.Ints(n.Operand(1))
	if n.note(err); n.err != nil {
		return ""
	}
	var apart onnx.Shape
	var axes []int
	for i, d := range s {
		if repeats[i] != 1 {
			axes = append(axes, len(apart))
			apart = append(apart, onnx.Dim{Size: repeats[i]})
		}
		apart = append(apart, d)
	}
	if len(axes) == 0 {
		return n.dy
	}
	return n.reshape(n.sum(n.reshape(n.dy, apart), axes...), s)
}

// axis is the attribute of that name, of x, which must not be the axis of the batch.
func (n *node) axis(otherwise int) int {
	s := n.shape(n.x())
	axis, err := s.Axis(n.IntAttr("axis", otherwise))
	n.note(err)
	if n.err == nil && s[axis].Batch {
		n.refuse("is along the axis of the batch")
	}
	return axis
}

// concatGradient cuts dy into the operands.
func concatGradient(n *node, i int) string {
	axis, from := n.axis(0), 0
	for _, earlier := range n.Input[:i] {
		if s := n.shape(earlier); n.err == nil {
			from += s[axis].Size
		}
	}
	s := n.shape(n.Operand(i))
	if n.err != nil {
		return ""
	}
	return n.part(n.dy, axis, from, s[axis].Size)
}

// splitGradient has the parts' gradients as pieces. Some may have none.
func splitGradient(n *node) string {
	axis, from := n.axis(0), 0
	var parts []piece
	for i, g := range n.grads {
		s := n.shape(n.Output[i])
		if n.err != nil {
			return ""
		}
		if g != "" {
			parts = append(parts, piece{from, s[axis].Size, g})
		}
		from += s[axis].Size
	}
	return n.join(axis, n.shape(n.x()), parts...)
}

// sliceGradient puts each element back to where it was taken from, among zeros.
func sliceGradient(n *node) string {
	s := n.shape(n.x())
	ranges, err := n.Ranges(n.NodeProto, s)
	if n.note(err); n.err != nil {
		return ""
	}
	if axis := onlyCut(ranges, s); axis >= 0 {
		return n.join(axis, s, piece{ranges[axis].Start, ranges[axis].Count, n.dy})
	}
	g, strides := n.dy, make([]int, len(s))
	before, after := make([]int, len(s)), make([]int, len(s))
	for i, r := range ranges {
		if r.Step < 0 { // the same elements, taken forwards
			g = n.reverse(g, i)
			r = onnx.Range{Start: r.Start + (r.Count-1)*r.Step, Step: -r.Step, Count: r.Count}
		}
		if s[i].Batch {
			r.Step = 1
			strides[i] = 1
			continue
		}
		if r.Count == 1 {
			r.Step = 1
		}
		strides[i] = r.Step
		before[i], after[i] = r.Start, s[i].Size-r.Start-r.Count*r.Step
	}
	return n.pad(n.spaced(g, strides), before, after)
}

// onlyCut is the axis of a shape along which alone ranges leave elements out, in front or
// behind; -1 if there is none such.
func onlyCut(ranges []onnx.Range, s onnx.Shape) int {
	cut := -1
	for i, r := range ranges {
		switch {
		case s[i].Batch || r == onnx.Range{Step: 1, Count: s[i].Size}:
		case cut < 0 && r.Step == 1:
			cut = i
		default:
			return -1
		}
	}
	return cut
}

// mostRepeats is how often a Gather may take one element: its gradient has a part for
// each time.
const mostRepeats = 64

// mostGathered is the longest axis that a Gather may take elements of: its gradient
// holds a number for each.
const mostGathered = 1 << 20

func takesGather(n *node) {
	for i, p := range n.places() {
		if len(p) > mostRepeats {
			n.refuse("takes element %d of an axis %d times, want at most %d", i, len(p), mostRepeats)
		}
	}
}

// places tells for each element of the axis that a Gather takes from at which of the
// indices it is taken.
func (n *node) places() [][]int {
	s, axis := n.shape(n.x()), n.axis(0)
	indices, err := n.Ints(n.Operand(1))
	if n.note(err); n.err != nil {
		return nil
	}
	size := s[axis].Size
	if size > mostGathered {
		n.refuse("takes elements of an axis of %d, want at most %d", size, mostGathered)
		return nil
	}
	places := make([][]int, size)
	for at, i := range indices {
		if i < 0 {
			i += size
		}
		if i < 0 || i >= size {
			n.refuse("takes element %d of %d", indices[at], size)
			return nil
		}
		places[i] = append(places[i], at)
	}
	return places
}

// gatherGradient gathers for each element what became of it: of an element that was
// not taken a zero, which is put behind the others; for those taken several times
// there is a Gather for each time.
func gatherGradient(n *node) string {
	s, axis, places := n.shape(n.x()), n.axis(0), n.places()
	if n.err != nil {
		return ""
	}
	taken, rounds := 0, 0
	for _, p := range places {
		taken, rounds = taken+len(p), max(rounds, len(p))
	}
	if taken == 0 {
		return ""
	}
	flat := slices.Clone(s) // the indices' axes as one
	flat[axis].Size = taken
	g := n.reshape(n.dy, flat)
	if rounds > 1 || taken < len(places) {
		after := make([]int, len(s))
		after[axis] = 1
		g = n.pad(g, make([]int, len(s)), after)
	}
	sum := ""
	for k := range rounds {
		var pick []int
		for _, p := range places {
			if k < len(p) {
				pick = append(pick, p[k])
			} else {
				pick = append(pick, taken)
			}
		}
		part := n.gather(g, axis, pick...)
		if sum != "" {
			part = n.add(sum, part)
		}
		sum = part
	}
	return sum
}

// alongAxis are attributes of an operator along the same axis.
func (n *node) alongAxis(more ...onnx.Attr) []onnx.Attr {
	return append(more, onnx.Int("axis", n.axis(0)))
}

// zeros are as many as a value has elements.
func (n *node) zeros(like string) string {
	var attrs []onnx.Attr
	if n.wide {
		attrs = append(attrs, &onnx.AttributeProto{Name: "value", Type: onnx.AttributeProto_TENSOR, T: onnx.NewDoubles("", []float64{0}, 1)})
	}
	return n.Op("ConstantOfShape", []string{n.op("Shape", like)}, attrs...)
}

// overwritten is dy where a scatter keeps what there is: everywhere, if it adds.
func (n *node) overwritten(op string, attrs ...onnx.Attr) string {
	if n.StringAttr("reduction", "none") == "add" {
		return n.dy
	}
	return n.Op(op, []string{n.dy, n.Operand(1), n.zeros(n.Operand(2))}, attrs...)
}

func takesScatter(n *node) {
	if by := n.StringAttr("reduction", "none"); by != "none" && by != "add" {
		n.refuse("has the reduction %s, want none or add", by)
	}
	if n.OpType == "ScatterElements" {
		n.axis(0)
	}
}

// takesND keeps images of a batch apart.
func takesND(n *node) {
	s, at := n.shape(n.x()), n.shape(n.Operand(1))
	if n.err != nil {
		return
	}
	if shared := n.IntAttr("batch_dims", 0); shared != 0 {
		n.refuse("has batch_dims %d, want 0", shared)
	} else if batch := s.BatchAxis(); batch >= 0 && batch < at[len(at)-1].Size {
		n.refuse("takes elements along the axis of the batch")
	}
}

func takesPad(n *node) {
	if mode := n.StringAttr("mode", "constant"); mode != "constant" {
		n.refuse("is of the mode %s; a Gather of constant indices does the same", mode)
	}
}

func padGradient(n *node) string {
	pads, err := n.Ints(n.Operand(1))
	if n.note(err); n.err != nil {
		return ""
	}
	for i := range pads {
		pads[i] = -pads[i]
	}
	return n.pad(n.dy, pads[:len(pads)/2], pads[len(pads)/2:])
}

// depthToSpaceGradient is SpaceToDepth, whose channels are in the order of DCR: the
// place in the block first. Those of CRD have it last.
func depthToSpaceGradient(n *node) string {
	block := n.IntAttr("blocksize", 0)
	g := n.Op("SpaceToDepth", []string{n.dy}, onnx.Int("blocksize", block))
	if n.StringAttr("mode", "DCR") == "DCR" {
		return g
	}
	s := n.shape(n.x())
	apart := onnx.Shape{s[0], onnx.Dim{Size: block * block}, onnx.Dim{Size: s[1].Size / block / block}, s[2], s[3]}
	return n.reshape(n.transpose(n.reshape(g, apart), 0, 2, 1, 3, 4), s)
}

// takesResize accepts what repeats each pixel as often as the others.
func takesResize(n *node) {
	x, y := n.shape(n.x()), n.shape(n.y())
	mode, at, nearest := n.StringAttr("mode", "nearest"), n.StringAttr("coordinate_transformation_mode", "half_pixel"), n.StringAttr("nearest_mode", "round_prefer_floor")
	centred := (at == "half_pixel" || at == "pytorch_half_pixel") && (nearest == "round_prefer_floor" || nearest == "round_prefer_ceil")
	if mode != "nearest" || !centred && !(at == "asymmetric" && nearest == "floor") {
		n.refuse("is of the mode %s with %s and %s; two MatMul by constant matrices do the same", mode, at, nearest)
	}
	if len(x) < 3 || x[0] != y[0] || x[1] != y[1] {
		n.refuse("makes %v of %v, want other sizes of maps", y, x)
		return
	}
	for i := range x {
		if x[i].Size == 0 || y[i].Size%x[i].Size != 0 {
			n.refuse("makes %v of %v, want whole multiples", y, x)
		}
	}
}

// resizeGradient sums over the copies of each pixel, as averages of blocks.
func resizeGradient(n *node) string {
	x, y := n.shape(n.x()), n.shape(n.y())
	if n.err != nil {
		return ""
	}
	var block []int
	count := 1
	for i := 2; i < len(x); i++ {
		times := y[i].Size / x[i].Size
		block, count = append(block, times), count*times
	}
	if count == 1 {
		return n.dy
	}
	average := func(dy string) string {
		return n.Op("AveragePool", []string{dy}, onnx.Ints("kernel_shape", block...), onnx.Ints("strides", block...))
	}
	if maker := n.Maker(n.dy); maker != nil && maker.OpType == "Pad" {
		// ONNX Runtime would make one pool of the two, and then refuse it for pads that are
		// as wide as its kernel.
		return average(n.scale(n.dy, float64(count)))
	}
	return n.scale(average(n.dy), float64(count))
}

func cumSumGradient(n *node) string {
	return n.Op("CumSum", []string{n.dy, n.Operand(1)}, onnx.Int("reverse", 1-n.IntAttr("reverse", 0)), onnx.Int("exclusive", n.IntAttr("exclusive", 0)))
}
