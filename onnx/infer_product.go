package onnx

import (
	"fmt"
	"slices"
	"strings"
)

func inferGemm(o *operands) []Shape {
	a, w := o.rank(0, 2), o.rank(1, 2)
	if o.err != nil {
		return nil
	}
	if len(a) == 2 && len(w) == 2 {
		if o.IntAttr("transA", 0) != 0 {
			a = Shape{a[1], a[0]}
		}
		if o.IntAttr("transB", 0) != 0 {
			w = Shape{w[1], w[0]}
		}
		if a[1] == w[0] {
			return []Shape{{a[0], w[1]}}
		}
	}
	return o.wrong("%v and %v cannot be multiplied", a, w)
}

func inferMatMul(o *operands) []Shape {
	a, w := o.rank(0, 2), o.rank(1, 2)
	if o.err != nil {
		return nil
	}
	m, n := len(a)-2, len(w)-2
	if a[m+1] != w[n] || a[m+1].Batch {
		return o.wrong("%v and %v cannot be multiplied", a, w)
	}
	lead, err := Broadcast(a[:m], w[:n])
	o.note(err)
	return []Shape{append(slices.Clone(lead), a[m], w[n+1])}
}

// Equation is what an Einsum computes, a label an axis.
type Equation struct {
	In  []string
	Out string
}

// EquationOf reads the equation of an Einsum. Labels that occur twice in an operand,
// and axes that are not named, are errors.
func EquationOf(n *NodeProto) (Equation, error) {
	text := strings.ReplaceAll(n.StringAttr("equation", ""), " ", "")
	in, out, said := strings.Cut(text, "->")
	eq := Equation{strings.Split(in, ","), out}
	if !said { // the labels that occur once, sorted
		for label := 'A'; label <= 'z'; label++ {
			if strings.Count(in, string(label)) == 1 {
				eq.Out += string(label)
			}
		}
	}
	if len(eq.In) != len(n.Input) {
		return eq, fmt.Errorf("the equation %q has %d operands, and the node %d", text, len(eq.In), len(n.Input))
	}
	for _, term := range append(slices.Clone(eq.In), eq.Out) {
		for _, label := range term {
			if !(label >= 'A' && label <= 'Z' || label >= 'a' && label <= 'z') || strings.Count(term, string(label)) > 1 {
				return eq, fmt.Errorf("in the equation %q the term %q does not have a letter of its own for each axis", text, term)
			}
		}
	}
	return eq, nil
}

func inferEinsum(o *operands) []Shape {
	eq, err := EquationOf(o.NodeProto)
	if err != nil {
		return o.wrong("%w", err)
	}
	sizes := map[rune]Dim{}
	for i, term := range eq.In {
		s := o.shape(i)
		if o.err == nil && len(s) != len(term) {
			return o.wrong("the term %q is not for the shape %v", term, s)
		}
		for k, label := range term {
			if o.err != nil {
				return nil
			}
			if known, ok := sizes[label]; ok && known != s[k] {
				return o.wrong("the label %c is for %v and for %v", label, known, s[k])
			}
			sizes[label] = s[k]
		}
	}
	var out Shape
	for _, label := range eq.Out {
		d, ok := sizes[label]
		if !ok {
			return o.wrong("the label %c of the result is in no operand", label)
		}
		out = append(out, d)
	}
	return []Shape{out}
}
