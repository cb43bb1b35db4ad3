package export

import (
	"cmp"
	"maps"
	"math"
	"slices"

	"github.com/ascood/ascood/onnx"
)

// stage is a part of a network between two maps, on each of which alone all that follows
// depends, of operators that see no farther than a window: where a block of from changes, a
// block of to does.
type stage struct {
	from, to string
	nodes    []*onnx.NodeProto
	along    [2]extent // height and width
}

// extent is one axis of a stage.
type extent struct {
	onnx.Reach
	from, to int // places of the maps
	window   int // of to, next to each other, that change
	margin   int // of to, before the window, that see what is before the patch
	patch    int // of from, that the window is computed from
}

// newExtent is the axis of a stage where so many places change, next to each other. It is
// not ok if the window is computed from all of the maps.
//
// A patch begins where the stage's windows may, and can lie at either end of the maps. What
// is computed of it is what is computed of the maps, but where that sees beyond a side of the
// patch which is none of the maps.
func newExtent(r onnx.Reach, from, to, changed int) (e extent, ok bool) {
	e = extent{Reach: r, from: from, to: to}
	e.window = (changed-1+r.Before+r.After)/r.Stride + 1
	e.margin = (r.Before + r.Stride - 1) / r.Stride
	e.patch = (e.margin+e.window-1)*r.Stride + r.After + 1
	if e.patch < from {
		e.patch += (from - e.patch) % r.Stride
	}
	return e, e.patch < from
}

// share is how much of the maps a patch is.
func (s stage) share() float64 {
	h, w := s.along[0], s.along[1]
	return float64(h.patch*w.patch) / float64(h.from*w.from)
}

// What takes as long as how many multiplications of a convolution, on a CPU.
const (
	perStage   = 4_000_000 // for finding out where blocks lie
	perElement = 10        // computed by an operator
	perMoved   = 20        // that is put into another place
	perCopied  = 40        // of maps in which a block is replaced
)

// work is what a stage takes, in multiplications.
func (s stage) work(from, to cut) float64 {
	h, w := s.along[0], s.along[1]
	moved := from.shape[1].Size*h.patch*w.patch + 2*to.shape[1].Size*h.window*w.window
	return perStage + s.share()*(to.work-from.work) + float64(perMoved*moved+perCopied*to.shape[1:].Elements().Size)
}

// cut is a map on which alone all that follows depends.
type cut struct {
	value  string
	shape  onnx.Shape // [N,C,H,W]
	before int        // nodes
	work   float64    // of these, in multiplications
	least  float64    // by the stages, infinite if there are none
	stages []stage    // from the image to here
}

// saved is how many multiplications the stages to a cut take less than all nodes.
func (c cut) saved() float64 { return c.work - c.least }

// nearby returns the stages, one behind the other from the image on, by which it takes least
// to compute a network again when one element of the image has changed; none if that takes
// as much as all of it. What is behind them is to be computed as a whole.
func nearby(g *onnx.GraphProto) []stage {
	return slices.MaxFunc(planStages(g), func(a, b cut) int { return cmp.Compare(a.saved(), b.saved()) }).stages
}

// planStages returns the image and the cuts behind it, each with the best stages to it.
func planStages(g *onnx.GraphProto) []cut {
	p := &planner{Builder: onnx.Extend(g), nodes: g.Node, takers: map[string][]int{g.Output[0].Name: {len(g.Node)}}}
	for i, n := range g.Node {
		for _, in := range n.Input {
			p.takers[in] = append(p.takers[in], i)
		}
	}
	p.findCuts(g.Input[0].Name)
	for i, c := range p.cuts {
		if c.least < math.Inf(1) {
			p.extend(c, p.cuts[i+1:])
		}
	}
	return p.cuts
}

// planner looks for the stages of a network.
type planner struct {
	*onnx.Builder
	nodes  []*onnx.NodeProto
	takers map[string][]int // of each value, which nodes; that behind the last takes the output
	cuts   []cut            // the image, and those behind it
}

// findCuts finds the cuts before the first node that sees more than a window.
func (p *planner) findCuts(image string) {
	p.cut(cut{value: image})
	live, work := map[string]bool{image: true}, 0.0
	for i, n := range p.nodes {
		if _, ok := p.Reaches(n); !ok {
			return
		}
		work += p.multiplications(n)
		for _, out := range n.Output {
			live[out] = true
		}
		maps.DeleteFunc(live, func(v string, _ bool) bool { return len(p.takers[v]) == 0 || slices.Max(p.takers[v]) <= i })
		if y := n.Result(0); len(live) == 1 && live[y] && !p.fused(y) {
			p.cut(cut{value: y, before: i + 1, work: work, least: math.Inf(1)})
		}
	}
}

// cut adds a cut.
func (p *planner) cut(c cut) {
	shape, err := p.Shape(c.value)
	if err == nil && len(shape) == 4 {
		c.shape = shape
		p.cuts = append(p.cuts, c)
	}
}

// fused reports whether only an activation takes a value: the runtime computes it with that.
func (p *planner) fused(value string) bool {
	takers := p.takers[value]
	return len(takers) == 1 && takers[0] < len(p.nodes) && onnx.IsPointwise(p.nodes[takers[0]])
}

// multiplications is what a node takes.
func (p *planner) multiplications(n *onnx.NodeProto) float64 {
	y, err := p.Shape(n.Result(0))
	if err != nil {
		return 0
	}
	each := perElement
	if weight := p.Constant(n.Operand(1)); n.OpType == "Conv" && weight != nil {
		each += weight.Shape()[1:].Elements().Size
	}
	return float64(each * y[1:].Elements().Size)
}

// extend gives later cuts the stages of an earlier one and one more from there, where they
// have none that take less.
func (p *planner) extend(from cut, later []cut) {
	reaches := map[string][2]onnx.Reach{from.value: {{Stride: 1}, {Stride: 1}}}
	done := from.before
	for i := range later {
		to := &later[i]
		for ; done < to.before; done++ {
			if !p.follow(p.nodes[done], reaches) {
				return
			}
		}
		s, ok := newStage(from, *to, reaches[to.value])
		if !ok {
			return
		}
		s.nodes = p.nodes[from.before:to.before]
		if least := from.least + s.work(from, *to); least < to.least {
			to.least, to.stages = least, append(slices.Clip(from.stages), s)
		}
	}
}

// newStage is the one between two cuts, behind the earlier one's.
func newStage(from, to cut, reach [2]onnx.Reach) (s stage, ok bool) {
	s = stage{from: from.value, to: to.value}
	for i, r := range reach {
		changed := 1
		if n := len(from.stages); n > 0 {
			changed = from.stages[n-1].along[i].window
		}
		if s.along[i], ok = newExtent(r, from.shape[2+i].Size, to.shape[2+i].Size, changed); !ok {
			return s, false
		}
	}
	return s, true
}

// follow adds what a node computes to the reaches of values. It is not ok if its operands
// see the maps at different strides.
func (p *planner) follow(n *onnx.NodeProto, reaches map[string][2]onnx.Reach) bool {
	own, ok := p.Reaches(n)
	var seen [2]onnx.Reach
	for _, in := range n.Input {
		for i, r := range reaches[in] {
			if r.Stride == 0 { // of a constant
				continue
			}
			ok = ok && (seen[i].Stride == 0 || seen[i].Stride == r.Stride)
			seen[i] = onnx.Reach{Stride: r.Stride, Before: max(seen[i].Before, r.Before), After: max(seen[i].After, r.After)}
		}
	}
	for _, out := range n.Output {
		reaches[out] = [2]onnx.Reach{seen[0].Then(own[0]), seen[1].Then(own[1])}
	}
	return ok
}
