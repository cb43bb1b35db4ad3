package importer

import (
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/gradient"
	"github.com/ascood/ascood/internal/ort"
	"github.com/ascood/ascood/onnx"
)

// nodeTests is where Debian's package libonnx-testdata puts the tests of ONNX's own
// operators: a folder each, with a model, inputs and outputs.
const nodeTests = "/usr/share/libonnx-testdata/data/node"

// otherwise are tests that ONNX Runtime itself answers otherwise: it goes by the whole
// number of elements that there will be, ONNX by the product of size and scale. The
// third calls bfloat16 what its files say is uint16.
var otherwise = []string{"test_resize_downsample_scales_cubic_align_corners", "test_resize_downsample_scales_linear_align_corners", "test_castlike_FLOAT_to_BFLOAT16"}

// odd are the tests of operators that are handled, in forms that are refused, by words
// of the error.
var odd = map[string]string{
	"test_batchnorm_.*_training_mode":                         "training mode",
	"test_training_dropout.*":                                 "training mode",
	"test_bernoulli_.*_expanded":                              "drawn at random",
	"test_resize_tf_crop_and_resize":                          "it cuts out a part",
	"test_cast_FLOAT_to_.*":                                   "the output is",
	"test_castlike_FLOAT_to_.*|test_castlike_STRING_to_FLOAT": "the output is|holds STRING",
	"test_castlike_.*_to_FLOAT(_expanded)?":                   "does not depend on the image",
	"test_scatter(_elements_with|nd)_(multiply|max|min)":      "has the reduction",
	"test_pow_.*|test_pow":                                    "an exponent that is not one constant number|the output is FLOAT",
}

// isOdd reports whether a test is among these, and its error is theirs.
func isOdd(name string, err error) bool {
	for pattern, words := range odd {
		if regexp.MustCompile("^("+pattern+")$").MatchString(name) && regexp.MustCompile(words).MatchString(err.Error()) {
			return true
		}
	}
	return false
}

// fate is what becomes of a test.
type fate int

const (
	differentiated fate = iota // imported, its output as given, its gradient as its finite differences
	stepped                    // the same of what has no gradient: numbers of images that change in steps
	refused                    // by name, or no network on an image of float32
)

// TestNodes imports each of ONNX's own tests, with the first input of float32 in place
// of the image and all others as constants, and compares with the output that it gives,
// and its gradient with finite differences. All whose operator is handled must be
// imported but for those in odd; the others are refused. The package is no requirement,
// but must be there where CI=true.
func TestNodes(t *testing.T) {
	folders, err := filepath.Glob(filepath.Join(nodeTests, "test_*"))
	if err != nil || len(folders) == 0 {
		missing := t.Skipf
		if os.Getenv("CI") == "true" {
			missing = t.Fatalf
		}
		missing("Debian's libonnx-testdata is not installed (scripts/setup.sh checks): %v", err)
	}
	var count [3]int
	operators := map[string]bool{}
	for _, folder := range folders {
		name := filepath.Base(folder)
		op, fate, err := importNode(folder)
		switch code := ascood.CodeOf(err); {
		case slices.Contains(otherwise, name):
			fate = refused
		case err != nil && code != ascood.Unsupported && code != ascood.Invalid:
			t.Errorf("%s: %v", name, err)
		case err != nil && legal[op] != nil && !isOdd(name, err):
			t.Errorf("%s is not imported: %v", name, err)
		case err == nil:
			operators[op] = true
		}
		count[fate]++
	}
	t.Logf("%d tests: %d with gradient, %d without, %d refused; %d operators", len(folders), count[differentiated], count[stepped], count[refused], len(operators))
	if count[differentiated] < 420 || len(operators) < 90 {
		t.Error("these are few")
	}
}

// importNode runs one test. Its error has a code if the model is refused.
func importNode(folder string) (op string, is fate, err error) {
	data, err := os.ReadFile(filepath.Join(folder, "model.onnx"))
	if err != nil {
		return "", refused, err
	}
	m, err := onnx.Parse(data)
	if err != nil {
		return "", refused, ascood.Errorf(ascood.Invalid, "%w", err)
	}
	op = m.Graph.Node[len(m.Graph.Node)-1].OpType
	for _, o := range m.OpsetImport {
		// A test is of the opset that its operator was changed in last: it is the same in
		// all since then.
		o.Version = max(o.Version, minOpset)
	}
	g, err := newGraph(m)
	if err != nil {
		return op, refused, err
	}
	given := filepath.Join(folder, "test_data_set_0")
	var image *onnx.TensorProto
	g.inputs = nil
	for i, v := range m.Graph.Input {
		value, err := readTensor(given, "input", i)
		if err != nil {
			return op, refused, err
		}
		value.Name = v.Name
		if v.GetType().GetTensorType() == nil {
			return "no network", refused, ascood.Errorf(ascood.Unsupported, "an input is no tensor")
		}
		if image == nil && value.Type() == onnx.TensorProto_FLOAT && len(value.Dims) > 0 && product(ints(value.Dims)) > 0 {
			image = value
			g.inputs = m.Graph.Input[i : i+1]
		} else {
			g.consts[v.Name] = value
		}
	}
	if image == nil {
		return "no network", refused, ascood.Errorf(ascood.Unsupported, "no input is a tensor of float32")
	}
	g.outputs = g.outputs[:1]
	if f := g.refused(); len(f.reasons) > 0 {
		return op, refused, f.err()
	}
	if _, err := g.single(); err != nil {
		return op, refused, err
	}
	in := feed{image.Name: image}
	if err := g.observe(ort.Evaluate, in); err != nil {
		return op, refused, err
	}
	c, err := g.legalise(ort.Evaluate, in, image.Name, ints(image.Dims), nil)
	if err != nil {
		return op, refused, err
	}
	if err := compareNode(c, given, in, m.Graph.Output[0].Name); err != nil {
		return op, refused, err
	}
	is, err = differentiate(c, m.Graph.Output[0].Name, image)
	return op, is, err
}

// differentiate compares the gradient of a weighted sum of an output with its central
// differences along a direction. They are made of float32, and may cross kinks: that one
// of several steps agrees to a hundredth is enough to tell a rule from a wrong one.
func differentiate(c *canonical, output string, image *onnx.TensorProto) (fate, error) {
	rng := rand.New(rand.NewPCG(1, 2))
	normal := func(n int) []float32 {
		v := make([]float32, n)
		for i := range v {
			v[i] = float32(rng.NormFloat64())
		}
		return v
	}
	y := c.values[output]
	shape, err := c.Shape(y)
	if err != nil {
		return refused, err
	}
	sizes := shape.At(1)
	seeds := normal(product(sizes))
	c.Scope("test/")
	dx, err := gradient.Of(c.Builder, gradient.CPU, y, c.Weights("dy", seeds, sizes...), image.Name)
	switch {
	case err != nil && strings.Contains(err.Error(), "whose result changes in steps"):
		return stepped, nil
	case err != nil:
		return refused, err
	}
	m, err := valuesOf(c, onnx.TensorProto_FLOAT, y, dx)
	if err != nil {
		return refused, err
	}
	x, err := image.Floats()
	if err != nil {
		return refused, err
	}
	x = slices.Clone(x)
	direction := normal(len(x))
	for i, v := range normal(len(x)) {
		x[i] += .02 * v // off the kinks, at which many tests are
	}
	steps := []float32{0, .03, .01, .003, .001, .0003}
	var inputs []feed
	for _, step := range steps {
		for _, sign := range []float32{1, -1} {
			moved := slices.Clone(x)
			for i := range moved {
				moved[i] += sign * step * direction[i]
			}
			inputs = append(inputs, feed{image.Name: onnx.NewFloats("", moved, image.Dims...)})
		}
	}
	results, err := ort.Evaluate(m, inputs...)
	if err != nil {
		return refused, ascood.Errorf(ascood.Internal, "the gradient does not run: %w", err)
	}
	sum := func(i int) (sum float64) {
		values, err := results[i][y].Floats()
		if err != nil {
			return math.NaN()
		}
		for k, v := range values {
			sum += float64(v) * float64(seeds[k])
		}
		return sum
	}
	gradients, err := results[0][dx].Floats()
	if err != nil {
		return refused, err
	}
	slope, scale := 0.0, 1e-6
	for i, v := range gradients {
		slope += float64(v) * float64(direction[i])
		scale += math.Abs(float64(v) * float64(direction[i]))
	}
	var found []float64
	for i := 1; i < len(steps); i++ {
		found = append(found, (sum(2*i)-sum(2*i+1))/float64(2*steps[i]))
		if math.Abs(found[i-1]-slope) <= .01*scale {
			return differentiated, nil
		}
	}
	return refused, ascood.Errorf(ascood.Internal, "the gradient gives %.4g along a direction, finite differences %.4g", slope, found)
}

// valuesOf returns a model that computes values of a graph, all of one type.
func valuesOf(c *canonical, kind onnx.TensorProto_DataType, values ...string) (*onnx.ModelProto, error) {
	var outputs []*onnx.ValueInfoProto
	for _, v := range values {
		shape, err := c.Shape(v)
		if err != nil {
			return nil, err
		}
		outputs = append(outputs, onnx.Described(v, kind, shape))
	}
	m, err := c.Model("test", "1")
	if err != nil {
		return nil, err
	}
	m = onnx.WithGraph(m, onnx.WithOutputs(m.Graph, outputs))
	return onnx.Extract(m, values)
}

// compareNode runs a canonical graph, and compares with the output given.
func compareNode(c *canonical, given string, in feed, output string) error {
	want, err := readTensor(given, "output", 0)
	if err != nil {
		return err
	}
	y := c.values[output]
	if y == "" || c.Constant(y) != nil {
		return ascood.Errorf(ascood.Unsupported, "the output does not depend on the image")
	}
	if len(want.Dims) == 0 { // the runtime returns no scalars
		y = c.Op("Reshape", []string{y, c.Int64s(1)})
		c.values[output], want.Dims = y, []int64{1}
	}
	kind := onnx.TypeOf(c.Maker, y)
	if kind == onnx.TensorProto_STRING || kind == onnx.TensorProto_BFLOAT16 || kind != want.Type() && !(want.IsFloat() && kind == onnx.TensorProto_FLOAT) {
		return ascood.Errorf(ascood.Unsupported, "the output is %v", kind)
	}
	m, err := valuesOf(c, kind, y)
	if err != nil {
		return err
	}
	if len(m.Graph.Input) == 0 {
		return ascood.Errorf(ascood.Unsupported, "the output does not depend on the image")
	}
	results, err := ort.Evaluate(m, in)
	if err != nil {
		return err
	}
	return agree(results[0][y], want)
}

// agree compares two tensors.
func agree(got, want *onnx.TensorProto) error {
	if !want.IsFloat() {
		a, err := got.Ints()
		if b, err2 := want.Ints(); err != nil || err2 != nil || !slices.Equal(a, b) {
			return ascood.Errorf(ascood.Internal, "got %v, want %v; %v, %v", a, b, err, err2)
		}
		return nil
	}
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
