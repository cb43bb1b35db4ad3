// Package interpreter runs graphs in the canonical form of ONNX (onnx.Check) with
// libtorch, whose autograd records what it does: networks are trained so. A table has
// an entry for each operator.
package interpreter

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/gotorch"
	"github.com/ascood/ascood/onnx"
)

// Program is a graph made ready to run. It may be run by several goroutines.
type Program struct {
	byBatch   []step // with Options.BatchStatistics
	byRunning []step // without
	inputs    []string
	outputs   []string
}

// step is a node of a program.
type step struct {
	*onnx.NodeProto
	run   operation
	apart bool // what it computes does not depend on an input
	early bool // the feature depends on it
}

// operation is an operator in the form that its node has.
type operation func(x []gotorch.Tensor, o Options) []gotorch.Tensor

// Options say how a program is run.
type Options struct {
	// BatchStatistics has BatchNormalization normalise by the batch's statistics, and
	// update the running ones in place.
	BatchStatistics bool
	// BF16 has products compute in bfloat16, with sums in float32, as far as the feature
	// (onnx.Tap); what follows does not. Operators that are sensitive to rounding take
	// float32, as in PyTorch's autocast, the others what comes.
	BF16 bool

	float gotorch.DType // of the first input
}

// New makes a graph ready to run. All nodes that cannot be run are in one error, of code
// ascood.Unsupported. Initializers need no values but for those that say shapes, axes
// and bounds.
func New(g *onnx.GraphProto) (*Program, error) {
	p := &Program{}
	b := onnx.Extend(g)
	depends := map[string]bool{}
	for _, v := range g.Input {
		p.inputs = append(p.inputs, v.Name)
		depends[v.Name] = true
	}
	for _, v := range g.Output {
		p.outputs = append(p.outputs, v.Name)
	}
	var faults []string
	var steps []step
	for _, n := range b.Nodes() {
		s := &site{NodeProto: n, Builder: b}
		st := step{NodeProto: n, run: s.operation(), apart: !slices.ContainsFunc(n.Input, func(in string) bool { return depends[in] })}
		if s.err != nil {
			faults = append(faults, fmt.Sprintf("%s (%q): %v", n.OpType, n.Name, s.err))
		}
		for _, out := range n.Output {
			depends[out] = depends[out] || !st.apart && out != ""
		}
		steps = append(steps, st)
	}
	if len(faults) > 0 {
		return nil, ascood.Errorf(ascood.Unsupported, "the network cannot be trained:\n  %s", strings.Join(faults, "\n  "))
	}
	findEarly(steps, onnx.Tap("feature"))
	f := newFusion(b, steps, p.outputs)
	p.byBatch, p.byRunning = f.byBatch(steps), f.byRunning(steps)
	return p, nil
}

// findEarly marks the nodes that a value depends on; all if there is none such.
func findEarly(steps []step, value string) {
	needed := map[string]bool{value: true}
	found := false
	for i := range slices.Backward(steps) {
		s := &steps[i]
		if !slices.ContainsFunc(s.Output, func(out string) bool { return needed[out] }) {
			continue
		}
		found, s.early = true, true
		for _, in := range s.Input {
			needed[in] = true
		}
	}
	for i := range steps {
		steps[i].early = steps[i].early || !found
	}
}

// Run computes the outputs, given values for all inputs and initializers by name. Tensors
// belong to the scope of the first input; what is made between dies at once, but for what
// autograd needs.
func (p *Program) Run(given map[string]gotorch.Tensor, o Options) []gotorch.Tensor {
	scope, first := given[p.inputs[0]].Inside()
	defer scope.Close()
	o.float = first.DType()
	made := map[string]gotorch.Tensor{p.inputs[0]: first}
	steps := p.byRunning
	if o.BatchStatistics {
		steps = p.byBatch
	}
	for _, s := range steps {
		cast := s.castFor(o)
		x := make([]gotorch.Tensor, len(s.Input))
		for i, name := range s.Input {
			if name == "" {
				continue
			}
			t, ok := made[name]
			if !ok {
				t = given[name]
				if s.apart || cast != nil { // it may be of a scope that outlives this run
					t = t.Beside(first)
				}
			}
			if cast != nil {
				t = cast(t)
			}
			x[i] = t
		}
		for i, t := range s.run(x, o) {
			if name := s.Result(i); name != "" {
				made[name] = t
			}
		}
	}
	results := make([]gotorch.Tensor, len(p.outputs))
	for i, name := range p.outputs {
		results[i] = made[name].Beside(given[p.inputs[0]])
	}
	return results
}

// Constant makes a tensor of s on a device of an initializer. Floating-point numbers are
// of the given type.
func Constant(s *gotorch.Scope, t *onnx.TensorProto, device gotorch.Device, float gotorch.DType) (gotorch.Tensor, error) {
	host := gotorch.NewScope(gotorch.NoGrad)
	defer host.Close()
	shape := t.Shape().At(1)
	if t.IsFloat() {
		values, err := t.Floats()
		if err != nil {
			return gotorch.Tensor{}, err
		}
		return s.Keep(gotorch.FromSlice(host, values, shape...).To(device, float)), host.Err()
	}
	values, err := t.Ints()
	if err != nil {
		return gotorch.Tensor{}, err
	}
	of := gotorch.Int64
	if t.Type() == onnx.TensorProto_BOOL {
		of = gotorch.Bool
	}
	return s.Keep(gotorch.FromSlice(host, values, shape...).To(device, of)), host.Err()
}

// products compute in bfloat16 if they may, with sums in float32.
var products = []string{"Conv", "ConvTranspose", "Gemm", "MatMul", "Einsum"}

// insensitive are operators that lose nothing in bfloat16 that their operands have. Of
// Clip and HardSigmoid not every libtorch has the gradient in it.
var insensitive = []string{
	"Add", "BatchNormalization", "Concat", "DepthToSpace", "Dropout", "Flatten", "Gather", "HardSwish",
	"Identity", "LeakyRelu", "MaxPool", "Mul", "Pad", "PRelu", "Relu", "Reshape", "Sigmoid", "Slice", "SpaceToDepth", "Split",
	"Squeeze", "Transpose", "Unsqueeze",
}

// castFor returns what converts the operands of a step to the type that it computes in,
// nil if they stay as they are.
func (s step) castFor(o Options) func(gotorch.Tensor) gotorch.Tensor {
	if !o.BF16 {
		return nil
	}
	to := o.float
	switch {
	case slices.Contains(products, s.OpType):
		if s.early {
			to = gotorch.BFloat16
		}
	case slices.Contains(insensitive, s.OpType):
		return nil
	}
	return func(t gotorch.Tensor) gotorch.Tensor {
		if !t.DType().IsFloat() {
			return t
		}
		return t.To(to)
	}
}
