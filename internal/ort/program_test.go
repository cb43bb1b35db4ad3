package ort

import (
	"strings"
	"testing"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/onnx"
)

// TestTry: a graph that loads and cannot run is found out by its first image; one
// whose images have no known size is not tried.
func TestTry(t *testing.T) {
	for name, test := range map[string]struct {
		dims []any
		rows int // that the graph makes of x's two
		says string
	}{
		"runs":         {[]any{"N", 2}, 2, ""},
		"cannot run":   {[]any{"N", 2}, 3, "try the model on cpu: run model: "},
		"unknown size": {[]any{"N", "C"}, 3, ""},
	} {
		b := onnx.NewBuilder(name)
		b.Input("x", "", onnx.TensorProto_FLOAT, test.dims...)
		b.Input("scale", "", onnx.TensorProto_FLOAT)
		y := b.Op("Reshape", []string{b.Op("Div", []string{"x", "scale"}), b.Int64s(test.rows)})
		b.Output(b.Rename(y, "y"), "", onnx.TensorProto_FLOAT, "M")
		m, err := b.Model("test", "1")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := loadLibrary(); err != nil {
			t.Fatal(err)
		}
		p, err := load(m, ascood.Device{}, Options{Threads: 1})
		if err != nil {
			t.Fatal(err)
		}
		defer p.close()
		err = try(p, onnx.WithDim(m, batchDim, 1), ascood.Device{})
		if (err != nil) != (test.says != "") || err != nil && (!strings.Contains(err.Error(), test.says) || ascood.CodeOf(err) != ascood.Unavailable) {
			t.Errorf("%s: error %v, want %q", name, err, test.says)
		}
	}
}
