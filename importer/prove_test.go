package importer

import (
	"math"
	"strings"
	"testing"

	"github.com/ascood/ascood/internal/ort"
	"github.com/ascood/ascood/onnx"
)

// disturbed runs graphs, but adds something to the logits of canonical ones, depending
// on how many images there are.
func disturbed(by func(images int) float32) Run {
	return func(m *onnx.ModelProto, inputs ...map[string]*onnx.TensorProto) ([]map[string]*onnx.TensorProto, error) {
		results, err := ort.Evaluate(m, inputs...)
		for i, r := range results {
			for name, out := range r {
				if !strings.HasPrefix(name, onnx.Prefix) || out.Type() != onnx.TensorProto_FLOAT {
					continue
				}
				values, err := out.Floats()
				if err != nil {
					return nil, err
				}
				for k := range values {
					values[k] += by(int(inputs[i]["image"].Dims[0])) * float32(k%2)
				}
				r[name] = onnx.NewFloats(name, values, out.Dims...)
			}
		}
		return results, err
	}
}

// TestProof: logits that differ from the file's are an error, and those that differ
// beside other images make the network one of single images.
func TestProof(t *testing.T) {
	opt := normal(8)
	opt.Run = disturbed(func(int) float32 { return 0.01 })
	if _, err := Import(sound(t), opt); err == nil || !strings.Contains(err.Error(), "off from what the file computes of image 1 of the proof, more than 0.0001") {
		t.Errorf("error %v on logits that differ", err)
	}
	opt.Run = disturbed(func(int) float32 { return float32(math.NaN()) })
	if _, err := Import(sound(t), opt); err == nil || !strings.Contains(err.Error(), "off from what the file computes") {
		t.Errorf("error %v on logits that are no numbers", err)
	}
	opt.Run = disturbed(func(images int) float32 { return 0.01 * float32(images-1) })
	net, err := Import(sound(t), opt)
	if err != nil {
		t.Fatal(err)
	}
	if !net.Single || describeValue(net.Model.Graph.Input[0]) != "FLOAT [1,3,8,8]" || !strings.Contains(strings.Join(net.Notes, ""), "one at a time") {
		t.Errorf("single %v, notes %q", net.Single, net.Notes)
	}
}
