package ort

import (
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/onnx"
)

// negation computes y = -x for x [N] and passes on the integers k and the bytes b.
func negation(t *testing.T) *onnx.ModelProto {
	t.Helper()
	b := onnx.NewBuilder("negation")
	b.Input("x", "", onnx.TensorProto_FLOAT, "N")
	b.Input("k", "", onnx.TensorProto_INT64, "N")
	b.Input("b", "", onnx.TensorProto_UINT8, "N")
	for _, v := range []struct {
		op, from, to string
		kind         onnx.TensorProto_DataType
	}{{"Neg", "x", "y", onnx.TensorProto_FLOAT}, {"Neg", "k", "l", onnx.TensorProto_INT64}, {"Identity", "b", "c", onnx.TensorProto_UINT8}} {
		b.Output(b.Rename(b.Op(v.op, []string{v.from}), v.to), "", v.kind, "N")
	}
	m, err := b.Model("test", "1")
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func open(t *testing.T) *Session {
	t.Helper()
	s, err := Open(negation(t), Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestRun(t *testing.T) {
	s := open(t)
	in := map[string]Value{
		"x": {[]int{3}, []float32{1, -2, float32(math.Inf(1))}}, "k": {[]int{2}, []int64{5, -6}}, "b": {[]int{1}, []uint8{7}}, "other": Scalar(1),
	}
	out, err := s.Run(in)
	if err != nil {
		t.Fatal(err)
	}
	if y := out["y"]; !slices.Equal(y.Floats(), []float32{-1, 2, float32(math.Inf(-1))}) || !slices.Equal(y.Shape, []int{3}) || y.Ints() != nil {
		t.Errorf("y is %v", y)
	}
	if l := out["l"]; !slices.Equal(l.Ints(), []int64{-5, 6}) || l.Floats() != nil {
		t.Errorf("l is %v", l)
	}
	if c, _ := out["c"].Data.([]uint8); !slices.Equal(c, []uint8{7}) {
		t.Errorf("c is %v", out["c"])
	}
	for name, test := range map[string]struct {
		input string
		value Value
		says  string
	}{
		"another shape": {"x", Value{[]int{4}, []float32{1}}, "input x"},
		"another type":  {"x", Value{[]int{1}, []string{"a"}}, "input x: elements of []string are not handled"},
	} {
		broken := map[string]Value{"k": in["k"], "b": in["b"], test.input: test.value}
		if _, err := s.Run(broken); err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: error %v, want %q", name, err, test.says)
		}
	}
	if _, err := s.Run(map[string]Value{"x": in["x"]}); err == nil || !strings.Contains(err.Error(), `no value for input "k"`) {
		t.Errorf("error %v", err)
	}
}

// TestOutputsAreCopiedOnce measures what a run allocates.
func TestOutputsAreCopiedOnce(t *testing.T) {
	s := open(t)
	x := make([]float32, 1<<20)
	in := map[string]Value{"x": {[]int{len(x)}, x}, "k": {[]int{1}, []int64{1}}, "b": {[]int{1}, []uint8{1}}}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := s.Run(in); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if got, size := after.TotalAlloc-before.TotalAlloc, uint64(4*len(x)); got > size*3/2 {
		t.Errorf("a run with %d bytes of outputs allocated %d", size, got)
	}
}

func TestOpen(t *testing.T) {
	before := Live()
	s, err := Open(negation(t), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if s.Device() != (ascood.Device{}) || !s.Takes("x") || s.Takes("y") || Live() != before+1 {
		t.Errorf("opened on %v, %d sessions", s.Device(), Live()-before)
	}
	if err := s.Close(); err != nil || Live() != before {
		t.Errorf("closing: %v, %d sessions are left", err, Live()-before)
	}
	m := negation(t)
	m.Graph.Node[0].OpType = "NoSuchOperator"
	if _, err := Open(m, Options{}); ascood.CodeOf(err) != ascood.Unavailable || !strings.Contains(err.Error(), "NoSuchOperator") || Live() != before {
		t.Errorf("error %v, %d sessions", err, Live()-before)
	}
}

// TestAuto takes the GPU or says why not, once.
func TestAuto(t *testing.T) {
	auto, err := ascood.ParseDevice("auto")
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	logger := textLogger(&log)
	for range 2 {
		s, err := Open(negation(t), Options{Device: auto, Logger: logger})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if s.Device().IsCUDA() == strings.Contains(log.String(), "because=") || !strings.Contains(log.String(), "device="+s.Device().String()) {
			t.Errorf("on %v the log is %s", s.Device(), &log)
		}
	}
	if lines := strings.Count(log.String(), "\n"); lines != 1 {
		t.Errorf("%d lines:\n%s", lines, &log)
	}
}
