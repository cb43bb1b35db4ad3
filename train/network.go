package train

import (
	"fmt"
	"maps"
	"slices"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/checkpoint"
	"github.com/ascood/ascood/gotorch"
	"github.com/ascood/ascood/interpreter"
	"github.com/ascood/ascood/models"
	"github.com/ascood/ascood/onnx"
)

// network is a graph that libtorch runs.
type network struct {
	*models.Network
	program   *interpreter.Program
	head      *interpreter.Program // what follows the feature; nil unless openHead was called
	shown     []string             // names of its values that are outputs besides the logits
	at        placement
	scope     *gotorch.Scope            // owns the tensors
	state     map[string]gotorch.Tensor // parameters and buffers by state-dict name
	frozen    map[string]gotorch.Tensor // the same memory, constant to autograd
	constants map[string]gotorch.Tensor // the graph's other initializers
	batches   int64                     // num_batches_tracked of every BatchNorm
	fixedNorm bool                      // BatchNorm uses the running statistics in every mode
}

// mode says how a forward pass treats weights and batch statistics.
type mode int

const (
	inference   mode = iota // weights are constants, BatchNorm uses the running statistics
	observation             // weights are constants, BatchNorm does as in training
	training                // weights are variables, BatchNorm uses the batch's statistics and updates the running ones
)

// newNetwork copies a state dict of the network to the device.
func newNetwork(s *gotorch.Scope, net *models.Network, state checkpoint.StateDict, at placement) (*network, error) {
	if err := net.Check(state.Shapes()); err != nil {
		return nil, ascood.Errorf(ascood.Invalid, "%w", err)
	}
	shown := shownBy(net)
	outputs := slices.Clone(net.Graph.Output)
	for _, name := range shown {
		outputs = append(outputs, onnx.Shapeless(onnx.Tap(name), onnx.TensorProto_FLOAT))
	}
	program, err := interpreter.New(onnx.WithOutputs(net.Graph, outputs))
	if err != nil {
		return nil, err
	}
	n := &network{
		Network: net, program: program, shown: shown, at: at, scope: s,
		state: map[string]gotorch.Tensor{}, frozen: map[string]gotorch.Tensor{}, constants: map[string]gotorch.Tensor{},
	}
	for _, p := range net.Params {
		if p.Values != nil {
			continue
		}
		if p.Integer {
			if err := n.setBatches(state[p.Name]); err != nil {
				return nil, fmt.Errorf("%s: %w", p.Name, err)
			}
			continue
		}
		values, err := state[p.Name].Float32s()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.Name, err)
		}
		t := upload(s, values, p.Shape, at).SetRequiresGrad(p.Trainable)
		n.state[p.Name], n.frozen[p.Name] = t, t.Detach()
	}
	for _, t := range net.Graph.Initializer {
		if _, ok := n.state[t.Name]; ok {
			continue
		}
		if n.constants[t.Name], err = interpreter.Constant(s, t, at.device, at.dtype); err != nil {
			return nil, err
		}
	}
	return n, s.Err()
}

// upload makes a tensor of s.
func upload(s *gotorch.Scope, values []float32, shape []int, at placement) gotorch.Tensor {
	host := gotorch.NewScope(gotorch.NoGrad)
	defer host.Close()
	t := gotorch.FromSlice(host, values, shape...).To(at.device, at.dtype)
	if len(shape) == 4 {
		t = at.layout.arrange(t)
	}
	return s.Keep(t)
}

// freezeBatchNorm keeps the running statistics as they are from now on. A network without
// batch normalisation is an error.
func (n *network) freezeBatchNorm() error {
	if !slices.ContainsFunc(n.Graph.Node, func(node *onnx.NodeProto) bool { return node.OpType == "BatchNormalization" }) {
		return ascood.Errorf(ascood.Invalid, "%s has no meaning here: the network has no batch normalisation, or its export computed it into the convolutions, where it stays as it is",
			ascood.Field("freeze_batch_norm"))
	}
	n.fixedNorm = true
	return nil
}

func (n *network) setBatches(t *checkpoint.Tensor) error {
	if t == nil {
		return nil
	}
	v, err := t.Int64s()
	if err != nil {
		return err
	}
	n.batches = v[0]
	return nil
}

// named is a tensor with its state-dict name.
type named struct {
	name   string
	tensor gotorch.Tensor
}

func tensors(list []named) []gotorch.Tensor {
	bare := make([]gotorch.Tensor, len(list))
	for i, t := range list {
		bare[i] = t.tensor
	}
	return bare
}

// params returns the trainable tensors in state-dict order: those of the last
// layer, and all before it.
func (n *network) params() (backbone, fc []named) {
	for _, p := range n.Params {
		switch t := (named{p.Name, n.state[p.Name]}); {
		case !p.Trainable:
		case p.Last:
			fc = append(fc, t)
		default:
			backbone = append(backbone, t)
		}
	}
	return backbone, fc
}

// size is the number of trainable values.
func (n *network) size() int {
	total := 0
	backbone, fc := n.params()
	for _, p := range append(backbone, fc...) {
		total += p.tensor.Numel()
	}
	return total
}

const feature = "feature"

// shownBy are the names of the values of a network that methods may look at.
func shownBy(net *models.Network) []string {
	shown := net.Spec.Head.Outputs()
	if onnx.Makers(net.Graph)[onnx.Tap(feature)] != nil {
		shown = append([]string{feature}, shown...)
	}
	return shown
}

// forward returns the logits [N,classes] of normalised images x [N,3,H,W].
func (n *network) forward(x gotorch.Tensor, m mode) gotorch.Tensor { return n.pass(x, m).Logits }

// pass returns all that the network says of normalised images x [N,3,H,W].
func (n *network) pass(x gotorch.Tensor, m mode) Outputs {
	given := maps.Clone(n.constants)
	weights := n.frozen
	if m == training {
		weights = n.state
	}
	maps.Copy(given, weights)
	given[n.Graph.Input[0].Name] = x
	byBatch := m != inference && !n.fixedNorm
	if byBatch {
		n.batches++
	}
	values := n.program.Run(given, interpreter.Options{BatchStatistics: byBatch, BF16: n.at.bf16 && m == training})
	out := Outputs{Logits: values[0], Further: map[string]gotorch.Tensor{}}
	for i, name := range n.shown {
		if name == feature {
			out.Feature = values[i+1]
			continue
		}
		out.Further[name] = values[i+1]
	}
	return out
}

// openHead makes the part of the network that follows the feature.
func (n *network) openHead() error {
	shape := onnx.Shapes(n.Graph)[onnx.Tap(feature)]
	if shape == nil {
		return errNoFeature
	}
	cut := onnx.Described(onnx.Tap(feature), onnx.TensorProto_FLOAT, shape)
	rest, err := onnx.Extract(&onnx.ModelProto{Graph: n.Graph}, []string{n.Graph.Output[0].Name}, cut)
	if err != nil {
		return err
	}
	n.head, err = interpreter.New(rest.Graph)
	return err
}

// errNoFeature is of networks that do not end in a linear layer of a feature.
var errNoFeature = ascood.Errorf(ascood.Invalid, "the method learns from the network's feature, and this network has none")

// classify passes features [N,D] through the head in training mode, and returns the logits
// [N,C].
func (n *network) classify(features gotorch.Tensor) gotorch.Tensor {
	given := maps.Clone(n.constants)
	maps.Copy(given, n.state)
	given[onnx.Tap(feature)] = features
	return n.head.Run(given, interpreter.Options{BatchStatistics: !n.fixedNorm})[0]
}

// stateDict copies the parameters and buffers from the device. A number that is
// not finite is an error that names its tensor.
func (n *network) stateDict() (checkpoint.StateDict, error) {
	state := checkpoint.StateDict{}
	for _, p := range n.Params {
		if p.Integer {
			state[p.Name] = integers(p, n.batches)
			continue
		}
		t, err := download(n.frozen[p.Name])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.Name, err)
		}
		state[p.Name] = t
	}
	return state, nil
}

// integers is an integer tensor after so many batches.
func integers(p models.Param, batches int64) *checkpoint.Tensor {
	if p.Values != nil {
		return checkpoint.FromInt64s(p.Values, p.Shape...)
	}
	return checkpoint.FromInt64s([]int64{batches})
}

// download copies a tensor from the device, as float32.
func download(t gotorch.Tensor) (*checkpoint.Tensor, error) {
	s := gotorch.NewScope(gotorch.NoGrad)
	defer s.Close()
	values := gotorch.ToSlice[float32](s.Keep(t).To(gotorch.Float32))
	if err := s.Err(); err != nil {
		return nil, err
	}
	for _, v := range values {
		if !finite(float64(v)) {
			return nil, ascood.Errorf(ascood.Invalid, "the value %g is not finite: training has diverged; lower %s", v, ascood.Field("lr"))
		}
	}
	return checkpoint.FromFloat32s(values, t.Shape()...), nil
}
