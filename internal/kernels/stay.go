package kernels

// #include "register.h"
import "C"

import (
	"fmt"
	"slices"

	"github.com/ascood/ascood/onnx"
)

// staying are the nodes that compute each element alone and are to stay in the blocked layout, which ONNX Runtime leaves for
// most of them, and where shapes differ.
type staying struct {
	*graph
	takers map[string][]*onnx.NodeProto // of values
	nodes  map[*onnx.NodeProto]bool
	added  []*onnx.NodeProto // that are needed before the next of them
}

// stay keeps nodes in the blocked layout that are between such as leave it and such as come back: there may be several, that
// take each other's results, and others that have something for each map.
func (g *graph) stay() {
	s := &staying{g, map[string][]*onnx.NodeProto{}, map[*onnx.NodeProto]bool{}, nil}
	for _, n := range g.Node {
		for _, in := range n.Input {
			s.takers[in] = append(s.takers[in], n)
		}
		if s.may(n) {
			s.nodes[n] = true
		}
	}
	for changed := true; changed; {
		changed = false
		for n := range s.nodes {
			if !s.between(n) {
				delete(s.nodes, n)
				changed = true
			}
		}
	}
	ones := map[*onnx.NodeProto][]string{} // before shapes change
	for n := range s.nodes {
		maps, _ := s.shapes.Shape(n.Output[0])
		for _, v := range n.Input {
			ones[n] = append(ones[n], s.spread(v, maps))
		}
	}
	var nodes []*onnx.NodeProto
	for _, n := range g.Node {
		if s.nodes[n] {
			s.keep(n, ones[n])
			nodes, s.added = append(nodes, s.added...), nil
		}
		nodes = append(nodes, n)
	}
	g.Node = slices.DeleteFunc(nodes, func(n *onnx.NodeProto) bool { return g.gone[n] })
	g.count()
}

// may reports whether a node does to maps what may be done in any layout. Where a block is not full that is done to anything,
// of which nothing may come that is no number.
func (s *staying) may(n *onnx.NodeProto) bool {
	maps, err := s.shapes.Shape(n.Output[0])
	if err != nil || len(maps) != 4 || n.Domain == blocked {
		return false
	}
	steps := s.steps(n)
	divides := slices.ContainsFunc(steps, func(st step) bool { return st.code == C.kDiv })
	return (len(steps) > 0 || n.Domain == microsoft && n.OpType == "Gelu") && !(divides && maps[1].Size%s.lanes != 0)
}

// between reports whether all operands of a node leave the blocked layout for it, but those of one number for each map, and
// all who take the result bring it back there, or are nodes that stay.
func (s *staying) between(n *onnx.NodeProto) bool {
	maps, _ := s.shapes.Shape(n.Output[0])
	for _, v := range n.Input {
		if _, isNumber := s.number(v); isNumber || s.spread(v, maps) != "" {
			continue
		}
		if of, err := s.shapes.Shape(v); err != nil || !of.Equal(maps) || !s.leaves(s.makers[v]) {
			return false
		}
	}
	takers := s.takers[n.Output[0]]
	return len(takers) == s.users[n.Output[0]] && !slices.ContainsFunc(takers, func(t *onnx.NodeProto) bool {
		return !s.nodes[t] && !(t.OpType == "ReorderInput" && isReorder(t))
	})
}

// spread is what an operand has for each map, "" for one that has more.
func (s *staying) spread(v string, maps onnx.Shape) string {
	if n := s.makers[v]; n != nil && n.OpType == "Resize" && n.StringAttr("mode", "nearest") == "nearest" {
		v = n.Input[0]
	}
	of, err := s.shapes.Shape(v)
	single := onnx.Shape{maps[0], maps[1], {Size: 1}, {Size: 1}}
	if err != nil || !of.Equal(single) || maps.Equal(single) {
		return ""
	}
	return v
}

// leaves reports whether a node makes a value that is there in the blocked layout.
func (s *staying) leaves(n *onnx.NodeProto) bool {
	return n != nil && (s.nodes[n] || n.OpType == "ReorderOutput" && isReorder(n))
}

// keep has a node take and make blocked maps, of operands of which some have one number for each map.
func (s *staying) keep(n *onnx.NodeProto, ones []string) {
	maps, _ := s.shapes.Shape(n.Output[0])
	inside := slices.Clone(maps)
	inside[1].Size = (maps[1].Size + s.lanes - 1) / s.lanes * s.lanes
	operands := slices.Clone(n.Input)
	for i, v := range n.Input {
		if ones[i] != "" {
			operands[i] = s.spreadInside(ones[i], inside)
		} else if r := s.makers[v]; r != nil && r.OpType == "ReorderOutput" {
			operands[i] = r.Input[0]
		}
	}
	for i, v := range n.Input {
		s.users[operands[i]]++
		s.release(v)
	}
	n.Input = operands
	s.shapes.Know(n.Output[0], inside)
	for _, t := range s.takers[n.Output[0]] {
		if t.OpType == "ReorderInput" {
			s.replace(t.Output[0], n.Output[0])
			s.gone[t] = true
		}
	}
}

// spreadInside adds what spreads one number for each map over blocked maps.
func (s *staying) spreadInside(one string, maps onnx.Shape) string {
	switch r := s.makers[one]; {
	case r != nil && r.OpType == "ReorderOutput" && isReorder(r):
		one = r.Input[0]
	case !s.nodes[r]:
		one = s.add("ReorderInput", one, onnx.Shape{maps[0], maps[1], {Size: 1}, {Size: 1}}, onnx.Int("channels_last", 0))
	}
	return s.add("Upsample", one, maps, onnx.Ints("scales", 1, 1, maps[2].Size, maps[3].Size))
}

// add adds an operator of the blocked layout, that makes values of a shape.
func (s *staying) add(op, from string, made onnx.Shape, attr onnx.Attr) string {
	to := fmt.Sprint(from, "/", op, "/", len(s.makers))
	n := &onnx.NodeProto{Name: to, Domain: blocked, OpType: op, Input: []string{from}, Output: []string{to}, Attribute: []onnx.Attr{attr}}
	s.added = append(s.added, n)
	s.makers[to] = n
	s.users[from]++
	s.shapes.Know(to, made)
	return to
}
