package importer

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ascood/ascood/onnx"
)

// canonical is a graph in the canonical form, but for the batch: it takes as many
// images as the file does.
type canonical struct {
	*onnx.Builder
	from   *graph
	values map[string]string // of the file → of the builder
	uses   map[string]int    // of values of the file, by root
	roots  map[string]string // of what only hands a value on
	taken  []string          // names that constants may not keep
	run    Run
	feed   feed // what is run on
	faults faults
	looked int               // runs for what nodes with faults make
	images int               // that the graph takes
	origin map[string]string // of the builder's constants → of the file's, or of the builder's that they are made of
	way    map[string][]int  // sizes of the values on the way to the logits, nil if these are not of each image
}

// legalise returns the graph in the canonical form, for an input of the given sizes, such
// as is fed. All nodes that have none are named in the error.
func (g *graph) legalise(run Run, in feed, input string, sizes []int, taken []string) (*canonical, error) {
	c := &canonical{Builder: onnx.NewBuilder("network"), from: g, values: map[string]string{}, taken: taken, run: run, feed: in, images: sizes[0], origin: map[string]string{}}
	var dims []any
	for _, n := range sizes {
		dims = append(dims, n)
	}
	c.values[input] = c.Input(input, "", onnx.TensorProto_FLOAT, dims...)
	c.countUses()
	for _, n := range g.nodes {
		c.Scope(onnx.Prefix + strings.TrimPrefix(nameOf(n), "/") + "/")
		if err := c.add(n); err != nil {
			c.faults.add(n, "%v", err)
			if _, large := errors.AsType[tooLarge](err); !large {
				c.passOver(n)
			}
		}
	}
	return c, c.faults.err()
}

// mostLooked bounds the runs for the sake of a longer list of faults.
const mostLooked = 20

// passOver has inputs of the graph, which is not to be had any more, in place of what a
// node with a fault makes, so that the faults of the nodes after it are found, too. A
// run tells what that is.
func (c *canonical) passOver(n *onnx.NodeProto) {
	if c.looked++; c.looked > mostLooked {
		return
	}
	made, err := c.from.evaluate(c.run, c.feed, slices.DeleteFunc(slices.Clone(n.Output), func(out string) bool { return out == "" }))
	if err != nil {
		c.looked = mostLooked // nor are those after it to be had
		return
	}
	for out, t := range made {
		sizes := make([]any, len(t.Dims))
		for i, d := range t.Dims {
			sizes[i] = int(d)
		}
		c.values[out] = c.Input(c.from.fresh(out), "", t.Type(), sizes...)
	}
}

// countUses counts the nodes and outputs that take a value, directly or handed on.
func (c *canonical) countUses() {
	c.uses, c.roots = map[string]int{}, map[string]string{}
	for _, n := range c.from.nodes {
		switch n.OpType {
		case "Identity", "Dropout", "Cast":
			c.roots[first(n.Output)] = c.root(n.Operand(0))
		default:
			for _, in := range n.Input {
				c.uses[c.root(in)]++
			}
		}
	}
	for _, v := range c.from.outputs {
		c.uses[c.root(v.Name)]++
	}
}

func (c *canonical) root(value string) string {
	if root, ok := c.roots[value]; ok {
		return root
	}
	return value
}

// maxElements is the most that a value may have for one image, 1 GB: several times
// what the largest published networks have.
const maxElements = 1 << 28

// tooLarge is the error of a node that is not to be run.
type tooLarge string

func (e tooLarge) Error() string { return string(e) }

var errTaken = errors.New("it takes what another of these computes")

// add emits a node in its canonical form.
func (c *canonical) add(n *onnx.NodeProto) error {
	legal := legal[n.OpType]
	if legal == nil || !standard(n.Domain) {
		return errors.New("there is no gradient rule for it")
	}
	s := &step{NodeProto: n, canonical: c}
	for _, name := range n.Input {
		value, err := c.value(name)
		switch {
		case errors.Is(err, errTaken):
			return nil // what it takes has a fault of its own
		case err != nil:
			return err
		}
		s.in = append(s.in, value)
	}
	outputs, err := legal(s)
	if err != nil {
		return err
	}
	for i, value := range outputs {
		shape, err := c.Shape(value)
		if err != nil {
			return err
		}
		if n := shape.Elements().Size; n > maxElements {
			return tooLarge(fmt.Sprintf("it makes %v, of more than %d elements", shape, maxElements))
		}
		c.values[n.Result(i)] = value
	}
	for i, name := range n.Output {
		if i >= len(outputs) && name != "" && c.uses[c.root(name)] > 0 {
			return fmt.Errorf("its output %d is used", i)
		}
	}
	return nil
}

// value returns the builder's value for one of the file, adding constants when they are
// first needed.
func (c *canonical) value(name string) (string, error) {
	if name == "" {
		return "", nil
	}
	if value, ok := c.values[name]; ok {
		return value, nil
	}
	t := c.from.consts[name]
	if t == nil {
		return "", errTaken
	}
	own := name
	switch {
	case t.IsFloat() && len(t.Dims) > 0 && !c.from.weights[name]:
		own = onnx.Fixed(name)
	case slices.Contains(c.taken, name):
		own = onnx.Prefix + name
	}
	raw, err := t.Raw()
	if err != nil {
		return "", err
	}
	c.values[name] = c.derived(onnx.NewTensor(own, t.Type(), raw, t.Dims...), name)
	return c.values[name], nil
}

// step is a node on its way to the canonical form.
type step struct {
	*onnx.NodeProto // of the file
	*canonical
	in []string // the builder's values of its inputs, "" for those that are left out
}

// operand returns input i of the builder, "" if it is left out.
func (s *step) operand(i int) string {
	if i < len(s.in) {
		return s.in[i]
	}
	return ""
}

// shape returns the sizes of input i.
func (s *step) shape(i int) ([]int, error) { return s.sizes(s.operand(i)) }

func (s *step) sizes(value string) ([]int, error) {
	shape, err := s.Shape(value)
	return shape.At(1), err
}

// axis turns an axis of a shape of so many dimensions, which may be counted from the
// end, into one that is not.
func axis(a, rank int) (int, error) {
	if a < -rank || a >= rank {
		return 0, fmt.Errorf("there is no axis %d of %d", a, rank)
	}
	if a < 0 {
		a += rank
	}
	return a, nil
}

// same is an operator that is canonical as it is.
func same(s *step) ([]string, error) { return s.again(s.in, s.Attribute...) }

// again emits the operator with other inputs and attributes.
func (s *step) again(in []string, attrs ...onnx.Attr) ([]string, error) {
	return []string{s.Op(s.OpType, in, attrs...)}, nil
}

// handOn is an operator that changes nothing.
func handOn(s *step) ([]string, error) { return []string{s.operand(0)}, nil }

// without returns the node's attributes without some.
func (s *step) without(names ...string) []onnx.Attr {
	var all []onnx.Attr
	for _, a := range s.Attribute {
		if !slices.Contains(names, a.Name) {
			all = append(all, a)
		}
	}
	return all
}

// legal is the table of operators: each entry emits one in its canonical form, of
// opset 17, whatever opset the file is of.
var legal = map[string]func(s *step) ([]string, error){}

func register(f func(s *step) ([]string, error), ops ...string) {
	for _, op := range ops {
		legal[op] = f
	}
}

func init() {
	register(same,
		"Sub", "Mul", "Div", "Neg", "Sqrt", "Reciprocal", "Exp", "Log", "Abs", "Erf", "Sin", "Cos", "Min", "Max", "Where",
		"Relu", "LeakyRelu", "PRelu", "HardSigmoid", "HardSwish", "Sigmoid", "Tanh", "Elu", "Selu", "Celu", "Softplus", "Softsign", "ThresholdedRelu",
		"Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "And", "Or", "Not", "Xor", "Floor", "Ceil", "Round", "Sign", "IsNaN", "IsInf",
		"Einsum", "Transpose", "DepthToSpace", "SpaceToDepth", "ArgMax", "ArgMin", "GatherElements", "GatherND", "ScatterElements", "ScatterND", "CumSum", "Sum",
		"GlobalAveragePool", "GlobalMaxPool", "LpNormalization", "Flatten")
	register(handOn, "Identity")
	register(legalDropout, "Dropout")
	register(legalCast, "Cast", "CastLike")
	register(legalClip, "Clip")
	register(legalPow, "Pow")
	register(legalMean, "Mean")
	register(legalGelu, "Gelu")
	register(legalMish, "Mish")
	register(legalSwish, "Swish")
	register(legalSoftmax, "Softmax", "LogSoftmax")
	register(legalAdd, "Add")

	register(legalReshape, "Reshape")
	register(legalAxes, "Squeeze", "Unsqueeze")
	register(legalReduce, "ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceL1", "ReduceL2", "ReduceSumSquare", "ReduceLogSum", "ReduceLogSumExp", "ReduceProd")
	register(legalConcat, "Concat")
	register(legalSplit, "Split")
	register(legalTopK, "TopK")
	register(legalSlice, "Slice")
	register(legalGather, "Gather")
	register(legalExpand, "Expand")
	register(legalTile, "Tile")
	register(legalPad, "Pad")
	register(legalResize, "Resize", "Upsample")
	register(legalScatter, "Scatter")

	register(legalConv, "Conv")
	register(legalConvTranspose, "ConvTranspose")
	register(legalPool, "AveragePool", "MaxPool")
	register(legalGemm, "Gemm")
	register(legalMatMul, "MatMul")
	register(legalAttention, "Attention")

	register(legalBatchNorm, "BatchNormalization")
	register(legalLayerNorm, "LayerNormalization")
	register(legalRMSNorm, "RMSNormalization")
	register(legalGroupNorm, "GroupNormalization", "InstanceNormalization")
	register(legalLRN, "LRN")
}
