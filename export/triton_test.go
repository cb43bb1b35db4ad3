package export_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/export"
	"github.com/ascood/ascood/internal/testmodel"
	"github.com/ascood/ascood/models"
)

const tritonLeNet = `name: "clothes"
platform: "onnxruntime_onnx"
max_batch_size: 32
input [
  { name: "pixels" data_type: TYPE_UINT8 dims: [ 28, 28, 3 ] }
]
output [
  { name: "logits" data_type: TYPE_FP32 dims: [ 10 ] },
  { name: "feature" data_type: TYPE_FP32 dims: [ 84 ] },
  { name: "prediction" data_type: TYPE_INT64 dims: [ 1 ] reshape { shape: [ ] } },
  { name: "gradient" data_type: TYPE_FP32 dims: [ 3, 28, 28 ] },
  { name: "iodin_index" data_type: TYPE_INT64 dims: [ 1 ] reshape { shape: [ ] } },
  { name: "odin" data_type: TYPE_FP32 dims: [ 1 ] reshape { shape: [ ] } },
  { name: "iodin" data_type: TYPE_FP32 dims: [ 1 ] reshape { shape: [ ] } },
  { name: "iodin_fast" data_type: TYPE_FP32 dims: [ 1 ] reshape { shape: [ ] } },
  { name: "msp" data_type: TYPE_FP64 dims: [ 1 ] reshape { shape: [ ] } },
  { name: "mls" data_type: TYPE_FP64 dims: [ 1 ] reshape { shape: [ ] } },
  { name: "ebo" data_type: TYPE_FP64 dims: [ 1 ] reshape { shape: [ ] } },
  { name: "score" data_type: TYPE_FP64 dims: [ 1 ] reshape { shape: [ ] } }
]
dynamic_batching { }
instance_group [ { kind: KIND_CPU } ]
parameters { key: "threshold" value { string_value: "0.125" } }
`

// TestTriton: a model repository has the artifact, and says its inputs and outputs in the
// words of Triton.
func TestTriton(t *testing.T) {
	m, meta := testmodel.Random(t, models.Spec{Arch: "lenet", Classes: 10, Head: models.HeadLinear}, testmodel.Square(28), artifact.ScoreIODIN)
	meta.Name, meta.Calibration = "clothes", &artifact.Calibration{Samples: 3, TPR: 0.9, Threshold: 0.125, Quantiles: []float64{0, 1}, Score: meta.Score}
	dir := t.TempDir()
	if err := export.SaveTriton(dir, m, meta); err != nil {
		t.Fatal(err)
	}
	config, err := os.ReadFile(filepath.Join(dir, "clothes", "config.pbtxt"))
	if err != nil || string(config) != tritonLeNet {
		t.Errorf("%v, %s", err, config)
	}
	if _, saved, err := artifact.Load(filepath.Join(dir, "clothes", "1", "model.onnx")); err != nil || saved.Name != "clothes" {
		t.Errorf("the model is %+v, %v", saved, err)
	}
	meta.Target = artifact.CUDA
	if err := export.SaveTriton(dir, m, meta); err != nil {
		t.Fatal(err)
	}
	if config, err = os.ReadFile(filepath.Join(dir, "clothes", "config.pbtxt")); err != nil || !strings.Contains(string(config), "KIND_GPU") {
		t.Errorf("%v, %s", err, config)
	}
	for _, name := range []string{"", "a/b", "..", ".hidden"} {
		meta.Name = name
		if err := export.SaveTriton(dir, m, meta); ascood.CodeOf(err) != ascood.Invalid {
			t.Errorf("name %q: %v", name, err)
		}
	}
}
