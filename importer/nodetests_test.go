package importer

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/internal/ort"
	"github.com/ascood/ascood/onnx"
)

// nodeTests is where Debian's package libonnx-testdata puts the tests of ONNX's own
// operators: a folder each, with a model, inputs and outputs.
const nodeTests = "/usr/share/libonnx-testdata/data/node"

// otherwise are tests that ONNX Runtime itself answers otherwise: it goes by the whole
// number of elements that there will be, ONNX by the product of size and scale.
var otherwise = []string{"test_resize_downsample_scales_cubic_align_corners", "test_resize_downsample_scales_linear_align_corners"}

// TestNodes imports each of ONNX's own tests whose operator is handled, with the first
// input in place of the image and all others as constants, and compares with the
// output that it gives. What is not handled must be refused by name, or be of another
// opset. The package is no requirement, but must be there where CI=true.
func TestNodes(t *testing.T) {
	folders, err := filepath.Glob(filepath.Join(nodeTests, "test_*"))
	if err != nil || len(folders) == 0 {
		missing := t.Skipf
		if os.Getenv("CI") == "true" {
			missing = t.Fatalf
		}
		missing("Debian's libonnx-testdata is not installed (scripts/setup.sh checks): %v", err)
	}
	imported := map[string]int{}
	for _, folder := range folders {
		op, err := importNode(folder)
		switch {
		case slices.Contains(otherwise, filepath.Base(folder)):
		case err == nil:
			imported[op]++
		case ascood.CodeOf(err) == ascood.Unsupported || ascood.CodeOf(err) == ascood.Invalid:
			t.Logf("%s: %v", filepath.Base(folder), err)
		default:
			t.Errorf("%s: %v", filepath.Base(folder), err)
		}
	}
	total := 0
	for _, n := range imported {
		total += n
	}
	t.Logf("%d tests of %d operators: %v", total, len(imported), imported)
	if total < 360 || len(imported) < 60 {
		t.Errorf("%d tests of %d operators were imported", total, len(imported))
	}
}

// importNode runs one test. Its error has a code if the model is refused.
func importNode(folder string) (op string, err error) {
	data, err := os.ReadFile(filepath.Join(folder, "model.onnx"))
	if err != nil {
		return "", err
	}
	m, err := onnx.Parse(data)
	if err != nil {
		return "", ascood.Errorf(ascood.Invalid, "%w", err)
	}
	g, err := newGraph(m)
	if err != nil {
		return "", err
	}
	given := filepath.Join(folder, "test_data_set_0")
	var first *onnx.TensorProto
	for i, v := range m.Graph.Input {
		value, err := readTensor(given, "input", i)
		if err != nil {
			return "", err
		}
		value.Name = v.Name
		if i == 0 {
			first = value
		} else {
			g.consts[v.Name] = value
		}
	}
	if first == nil || m.Graph.Input[0].GetType().GetTensorType() == nil || first.Type() != onnx.TensorProto_FLOAT || len(first.Dims) == 0 || product(ints(first.Dims)) == 0 {
		return "", ascood.Errorf(ascood.Unsupported, "its first input is no tensor of float32")
	}
	g.inputs, g.outputs = g.inputs[:1], g.outputs[:1]
	if err := g.refuse(); err != nil {
		return "", err
	}
	if _, err := g.single(); err != nil {
		return "", err
	}
	in := feed{first.Name: first}
	if err := g.observe(ort.Evaluate, in); err != nil {
		return "", err
	}
	c, err := g.legalise(ort.Evaluate, first.Name, ints(first.Dims), nil)
	if err != nil {
		return "", err
	}
	return m.Graph.Node[len(m.Graph.Node)-1].OpType, compareNode(c, given, in, m.Graph.Output[:1])
}

// compareNode runs a canonical graph, and compares with the outputs given.
func compareNode(c *canonical, given string, in feed, outputs []*onnx.ValueInfoProto) error {
	var names []string
	for i, v := range outputs {
		value := c.values[v.Name]
		want, err := readTensor(given, "output", i)
		if err != nil {
			return err
		}
		if !want.IsFloat() || len(want.Dims) == 0 || value == "" {
			continue
		}
		c.Output(value, "", onnx.TensorProto_FLOAT, slices.Repeat([]any{"d"}, len(want.Dims))...)
		names = append(names, value)
	}
	if len(names) == 0 {
		return ascood.Errorf(ascood.Unsupported, "no output is a tensor of floating-point numbers")
	}
	m, err := c.Model("test", "1")
	if err != nil {
		return err
	}
	for i := range m.Graph.Output {
		m.Graph.Output[i] = onnx.Shapeless(m.Graph.Output[i].Name, onnx.TensorProto_FLOAT)
	}
	if m, err = onnx.Extract(m, names); err != nil {
		return err
	}
	results, err := ort.Evaluate(m, in)
	if err != nil {
		return err
	}
	for i, v := range outputs {
		if value := c.values[v.Name]; slices.Contains(names, value) {
			want, err := readTensor(given, "output", i)
			if err != nil {
				return err
			}
			if err := agree(results[0][value], want); err != nil {
				return err
			}
		}
	}
	return nil
}

// agree compares two tensors.
func agree(got, want *onnx.TensorProto) error {
	a, err := got.Floats()
	if err != nil {
		return err
	}
	b, err := want.Floats()
	if err != nil {
		return err
	}
	limit := 1e-5
	if want.Type() == onnx.TensorProto_FLOAT16 {
		limit = 1e-3
	}
	finite := !slices.ContainsFunc(b, func(v float32) bool { return v-v != 0 })
	if !slices.Equal(got.Dims, want.Dims) || finite && difference(a, b) > limit {
		return ascood.Errorf(ascood.Internal, "got %v %v, want %v %v", got.Dims, a[:min(len(a), 8)], want.Dims, b[:min(len(b), 8)])
	}
	return nil
}

// readTensor reads one of a test's inputs or outputs.
func readTensor(folder, kind string, i int) (*onnx.TensorProto, error) {
	data, err := os.ReadFile(filepath.Join(folder, kind+"_"+string(rune('0'+i))+".pb"))
	if err != nil {
		return nil, ascood.Errorf(ascood.Unsupported, "%w", err)
	}
	value := &onnx.TensorProto{}
	if err := proto.Unmarshal(data, value); err != nil || strings.Contains(value.Name, "\x00") {
		return nil, ascood.Errorf(ascood.Unsupported, "%s %d is no tensor", kind, i)
	}
	return value, nil
}
