package export

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/internal/atomicfile"
	"github.com/ascood/ascood/onnx"
)

// tritonBatch is the most images that Triton puts in a run: more gain little.
const tritonBatch = 32

// SaveTriton writes an artifact into a model repository of NVIDIA's Triton Inference
// Server: dir/NAME/1/model.onnx and dir/NAME/config.pbtxt, which is written last. NAME is
// the artifact's, and must be a file name.
func SaveTriton(dir string, m *onnx.ModelProto, meta *artifact.Metadata) error {
	if meta.Name != filepath.Base(meta.Name) || strings.HasPrefix(meta.Name, ".") {
		return ascood.Errorf(ascood.Invalid, "name %q: a model repository has a folder of that name: want one without %q, that does not begin with a dot", meta.Name, "/")
	}
	config, err := tritonConfig(m, meta)
	if err != nil {
		return err
	}
	folder := filepath.Join(dir, meta.Name)
	if err := os.MkdirAll(filepath.Join(folder, "1"), 0o777); err != nil {
		return ascood.Errorf(ascood.Invalid, "%w", err)
	}
	if err := artifact.Save(filepath.Join(folder, "1", "model.onnx"), m, meta); err != nil {
		return err
	}
	return atomicfile.WriteFile(filepath.Join(folder, "config.pbtxt"), []byte(config))
}

// tritonConfig is the configuration of a model, as protocol buffer text of Triton's
// ModelConfig.
func tritonConfig(m *onnx.ModelProto, meta *artifact.Metadata) (string, error) {
	var b strings.Builder
	batch := tritonBatch
	if input := m.GetGraph().GetInput(); len(input) == 1 && fixed(dimensions(input[0])) {
		batch = 0 // Triton's word for a network whose dimensions are all its own
	}
	fmt.Fprintf(&b, "name: %q\nplatform: \"onnxruntime_onnx\"\nmax_batch_size: %d\n", meta.Name, batch)
	for _, side := range []struct {
		field string
		all   []*onnx.ValueInfoProto
	}{{"input", m.GetGraph().GetInput()}, {"output", m.GetGraph().GetOutput()}} {
		fmt.Fprintf(&b, "%s [\n", side.field)
		for i, v := range side.all {
			described, err := tritonTensor(v, batch > 0)
			if err != nil {
				return "", err
			}
			if i > 0 {
				b.WriteString(",\n")
			}
			b.WriteString("  " + described)
		}
		b.WriteString("\n]\n")
	}
	kind := map[artifact.Target]string{artifact.CPU: "KIND_CPU", artifact.CUDA: "KIND_GPU"}[meta.Target]
	if kind == "" { // files of before there was a target
		kind = "KIND_CPU"
	}
	if batch > 0 {
		b.WriteString("dynamic_batching { }\n")
	}
	fmt.Fprintf(&b, "instance_group [ { kind: %s } ]\n", kind)
	if c := meta.Calibration; c != nil { // for clients: Triton has no verdicts
		fmt.Fprintf(&b, "parameters { key: \"threshold\" value { string_value: %q } }\n", strconv.FormatFloat(c.Threshold, 'g', -1, 64))
	}
	return b.String(), nil
}

var tritonTypes = map[onnx.TensorProto_DataType]string{
	onnx.TensorProto_UINT8: "TYPE_UINT8", onnx.TensorProto_FLOAT: "TYPE_FP32", onnx.TensorProto_DOUBLE: "TYPE_FP64", onnx.TensorProto_INT64: "TYPE_INT64",
}

func dimensions(v *onnx.ValueInfoProto) []*onnx.TensorShapeProto_Dimension {
	return v.GetType().GetTensorType().GetShape().GetDim()
}

// fixed reports whether the dimension that counts images has a size.
func fixed(dims []*onnx.TensorShapeProto_Dimension) bool {
	return len(dims) > 0 && dims[0].GetDimValue() > 0
}

// tritonTensor describes a tensor, in batches without the dimension that counts images.
// Where that is the only one, Triton wants one of size 1 that it then leaves out.
func tritonTensor(v *onnx.ValueInfoProto, batched bool) (string, error) {
	kind := tritonTypes[onnx.TensorProto_DataType(v.GetType().GetTensorType().GetElemType())]
	dims := dimensions(v)
	if kind == "" || len(dims) == 0 || fixed(dims) == batched {
		return "", ascood.Errorf(ascood.Unsupported, "Triton: %s is not of a type and shape of an artifact's", v.GetName())
	}
	if batched {
		dims = dims[1:]
	}
	var sizes []string
	for _, d := range dims {
		sizes = append(sizes, strconv.FormatInt(d.GetDimValue(), 10))
	}
	shape := ""
	if len(sizes) == 0 {
		sizes, shape = []string{"1"}, " reshape { shape: [ ] }"
	}
	return fmt.Sprintf("{ name: %q data_type: %s dims: [ %s ]%s }", v.GetName(), kind, strings.Join(sizes, ", "), shape), nil
}
