package onnx

import (
	"strings"
	"testing"
)

func TestShapesAreReadAsTheyAreWritten(t *testing.T) {
	for _, s := range []Shape{{}, Static(7), Images(3, 4), {Dim{64, true}, Dim{Size: 49}}, {Dim{Size: 2}, N}} {
		v := Described("x", TensorProto_FLOAT, s)
		got, err := v.Shape()
		if err != nil || !got.Equal(s) {
			t.Errorf("%v is read as %v (%v)", s, got, err)
		}
	}
}

func TestShapesThatAreNone(t *testing.T) {
	for want, v := range map[string]*ValueInfoProto{
		"without a shape":         Shapeless("x", TensorProto_FLOAT),
		`dimension 1 of "x" is`:   Value("x", TensorProto_FLOAT, 1, "height"),
		`"0*N", want a number`:    Value("x", TensorProto_FLOAT, "0*N"),
		`"-2*N", want a number`:   Value("x", TensorProto_FLOAT, "-2*N"),
		`dimension 0 of "x" is "`: Value("x", TensorProto_FLOAT, -1),
		"more than one axis":      Value("x", TensorProto_FLOAT, "N", "2*N"),
		"no tensor has the shape": Value("x", TensorProto_FLOAT, 1<<40, 1<<40),
	} {
		if s, err := v.Shape(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v is read as %v with error %v, want one that says %s", v, s, err, want)
		}
	}
}

func TestBroadcast(t *testing.T) {
	for _, c := range []struct {
		a, b Shape
		want string // "" is an error
	}{
		{Images(3, 4), Images(3, 4), "[N,3,4]"},
		{Images(3, 4), Static(3, 1), "[N,3,4]"},
		{Static(), Images(2), "[N,2]"},
		{Static(1, 1, 5), Images(4, 1), "[N,4,5]"},
		{Shape{Dim{64, true}, Dim{Size: 1}}, Static(49), "[64*N,49]"},
		{Images(3), Static(4), ""},
		{Images(3), Static(2, 3), ""},
		{Images(3), Shape{Dim{2, true}, Dim{Size: 3}}, ""},
		{Images(1), Shape{Dim{Size: 1}, N}, ""}, // images against images
	} {
		for _, pair := range [][2]Shape{{c.a, c.b}, {c.b, c.a}} {
			got, err := Broadcast(pair[0], pair[1])
			if (err != nil) != (c.want == "") || err == nil && got.String() != c.want {
				t.Errorf("%v and %v make %v (%v), want %s", pair[0], pair[1], got, err, c.want)
			}
		}
	}
}

func TestShapeMethods(t *testing.T) {
	s := Shape{Dim{Size: 2}, Dim{4, true}, Dim{Size: 5}}
	if got := s.At(3); got[0] != 2 || got[1] != 12 || got[2] != 5 {
		t.Errorf("at three images %v is %v", s, got)
	}
	if got := s.Target(); got[0] != 2 || got[1] != -1 || got[2] != 5 {
		t.Errorf("as a target %v is %v", s, got)
	}
	if got := s.Elements(); got != (Dim{40, true}) {
		t.Errorf("%v has %v elements", s, got)
	}
	if got := Static(2, 3).Target(); got[0] != 2 || got[1] != 3 {
		t.Errorf("without images a target is %v", got)
	}
	if s.BatchAxis() != 1 || Static(1).BatchAxis() != -1 {
		t.Error("the axis of images is another")
	}
	if axis, err := s.Axis(-1); axis != 2 || err != nil {
		t.Errorf("the last axis is %d (%v)", axis, err)
	}
	for _, axis := range []int{3, -4} {
		if _, err := s.Axis(axis); err == nil {
			t.Errorf("%v has an axis %d", s, axis)
		}
	}
}

func TestAttributes(t *testing.T) {
	tensor := NewFloats("", []float32{1})
	n := &NodeProto{Input: []string{"a", ""}, Output: []string{"y"}, Attribute: []Attr{
		Int("i", 3), Ints("is", 4, 5), Float("f", 0.5), String("s", "text"),
		{Name: "t", Type: AttributeProto_TENSOR, T: tensor},
	}}
	if n.IntAttr("i", 1) != 3 || n.IntsAttr("is")[1] != 5 || n.FloatAttr("f", 1) != 0.5 || n.StringAttr("s", "") != "text" || n.TensorAttr("t") != tensor {
		t.Errorf("attributes of %v are read as others", n)
	}
	if n.IntAttr("no", 1) != 1 || n.IntsAttr("no", 7, 8)[1] != 8 || n.IntsAttr("no") != nil || n.FloatAttr("no", 2) != 2 || n.StringAttr("no", "x") != "x" || n.TensorAttr("no") != nil {
		t.Error("what a node does not have is not the default")
	}
	if n.HasAttr("no") || !n.HasAttr("i") || n.Operand(0) != "a" || n.Operand(1) != "" || n.Operand(2) != "" || n.Result(0) != "y" || n.Result(1) != "" {
		t.Error("the node has what it has not")
	}
}
