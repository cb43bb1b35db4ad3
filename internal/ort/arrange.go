package ort

import (
	"encoding/binary"
	"maps"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/ascood/ascood/onnx"
)

// arranged does what a graph's Gather and Transpose do to large weights, as those of a gradient that turn the kernels of
// convolutions around: ONNX Runtime takes longer for it, element by element, than for all else that loading a network's
// gradient is.
func arranged(m *onnx.ModelProto) *onnx.ModelProto {
	a := arranging{onnx.Constants(m.Graph), map[string]arrangement{}}
	g := onnx.WithOutputs(m.Graph, m.Graph.Output)
	g.Node = slices.DeleteFunc(slices.Clone(g.Node), a.take)
	if len(a.values) == 0 {
		return m
	}
	a.copy(g)
	return onnx.WithGraph(m, g)
}

// copy adds those of the values to a graph that it takes, several at once.
func (a arranging) copy(g *onnx.GraphProto) {
	taken := takenIn(g)
	var wanted []string
	for _, name := range slices.Sorted(maps.Keys(a.values)) {
		if taken[name] {
			wanted = append(wanted, name)
		}
	}
	made := make([]*onnx.TensorProto, len(wanted))
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, name := range wanted {
		group.Go(func() error {
			made[i] = a.values[name].tensor(name)
			return nil
		})
	}
	_ = group.Wait() // nothing fails
	g.Initializer = slices.Concat(g.Initializer, made)
}

type arranging struct {
	constants map[string]*onnx.TensorProto
	values    map[string]arrangement
}

// arrangement is a float32 tensor of which each axis is one of another's, or of some of the elements along it.
type arrangement struct {
	of   *onnx.TensorProto
	axes []int   // of the other
	rows [][]int // which elements along each
}

// take reports whether a node only arranges a tensor that is known, and keeps what it makes.
func (a arranging) take(n *onnx.NodeProto) bool {
	if n.Domain != "" || n.OpType != "Gather" && n.OpType != "Transpose" {
		return false
	}
	v, ok := a.value(n.Input[0])
	if !ok {
		return false
	}
	switch n.OpType {
	case "Gather":
		v, ok = v.gather(n.IntAttr("axis", 0), a.constants[n.Input[1]])
	case "Transpose":
		v, ok = v.transpose(n.IntsAttr("perm"))
	}
	if ok {
		a.values[n.Output[0]] = v
	}
	return ok
}

func (a arranging) value(name string) (arrangement, bool) {
	if v, ok := a.values[name]; ok {
		return v, true
	}
	t := a.constants[name]
	if t == nil || t.Type() != onnx.TensorProto_FLOAT || len(t.RawData) < shareable {
		return arrangement{}, false
	}
	v := arrangement{of: t}
	for axis, size := range t.Dims {
		rows := make([]int, size)
		for i := range rows {
			rows[i] = i
		}
		v.axes, v.rows = append(v.axes, axis), append(v.rows, rows)
	}
	return v, true
}

// gather is a Gather by a list of indices.
func (v arrangement) gather(axis int, indices *onnx.TensorProto) (arrangement, bool) {
	if axis < 0 {
		axis += len(v.axes)
	}
	if indices == nil || len(indices.Dims) != 1 || axis < 0 || axis >= len(v.axes) {
		return v, false
	}
	picks, err := indices.Ints()
	if err != nil {
		return v, false
	}
	rows := make([]int, len(picks))
	for i, pick := range picks {
		if pick < 0 {
			pick += int64(len(v.rows[axis]))
		}
		if pick < 0 || pick >= int64(len(v.rows[axis])) {
			return v, false
		}
		rows[i] = v.rows[axis][pick]
	}
	v.rows = slices.Clone(v.rows)
	v.rows[axis] = rows
	return v, true
}

func (v arrangement) transpose(perm []int) (arrangement, bool) {
	if len(perm) != len(v.axes) {
		return v, false
	}
	turned := arrangement{of: v.of}
	for _, axis := range perm {
		if axis < 0 || axis >= len(v.axes) {
			return v, false
		}
		turned.axes, turned.rows = append(turned.axes, v.axes[axis]), append(turned.rows, v.rows[axis])
	}
	return turned, true
}

// tensor copies the elements.
func (v arrangement) tensor(name string) *onnx.TensorProto {
	var dims []int64
	for _, rows := range v.rows {
		dims = append(dims, int64(len(rows)))
	}
	within := v.places(1, len(v.rows))
	raw := make([]byte, 0, 4*len(within)*len(v.rows[0]))
	for _, row := range v.places(0, 1) {
		for _, place := range within {
			raw = binary.LittleEndian.AppendUint32(raw, binary.LittleEndian.Uint32(v.of.RawData[row+place:]))
		}
	}
	return onnx.NewTensor(name, onnx.TensorProto_FLOAT, raw, dims...)
}

// places are where the elements of axes [from,to) begin in the other's data, in bytes.
func (v arrangement) places(from, to int) []int {
	places := []int{0}
	for axis := from; axis < to; axis++ {
		apart := 4 // elements along the axis
		for _, size := range v.of.Dims[v.axes[axis]+1:] {
			apart *= int(size)
		}
		next := make([]int, 0, len(places)*len(v.rows[axis]))
		for _, place := range places {
			for _, row := range v.rows[axis] {
				next = append(next, place+row*apart)
			}
		}
		places = next
	}
	return places
}
