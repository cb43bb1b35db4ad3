package train

import (
	"fmt"
	"strings"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/checkpoint"
	"github.com/ascood/ascood/gotorch"
	F "github.com/ascood/ascood/gotorch/nn/functional"
	"github.com/ascood/ascood/models"
)

// network interprets a graph with libtorch.
type network struct {
	graph   *models.Graph
	at      placement
	scope   *gotorch.Scope            // owns the tensors
	state   map[string]gotorch.Tensor // parameters and buffers by state-dict name
	frozen  map[string]gotorch.Tensor // the same memory, constant to autograd
	batches int64                     // num_batches_tracked of every BatchNorm
}

// mode says how a forward pass treats weights and batch statistics.
type mode int

const (
	inference   mode = iota // weights are constants, BatchNorm uses the running statistics
	observation             // weights are constants, BatchNorm does as in training
	training                // weights are variables, BatchNorm uses the batch's statistics and updates the running ones
)

// newNetwork copies a state dict of the graph to the device.
func newNetwork(s *gotorch.Scope, g *models.Graph, state checkpoint.StateDict, at placement) (*network, error) {
	if err := g.Check(state.Shapes()); err != nil {
		return nil, ascood.Errorf(ascood.Invalid, "%w", err)
	}
	n := &network{graph: g, at: at, scope: s, state: map[string]gotorch.Tensor{}, frozen: map[string]gotorch.Tensor{}}
	for _, p := range g.Params() {
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
	last := n.graph.Nodes[n.graph.Logits-1].Param("")
	for _, p := range n.graph.Params() {
		switch t := (named{p.Name, n.state[p.Name]}); {
		case !p.Trainable:
		case strings.HasPrefix(p.Name, last):
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

// forward returns the logits [N,classes] of normalised images x [N,3,H,W].
func (n *network) forward(x gotorch.Tensor, m mode) gotorch.Tensor {
	state := n.frozen
	if m == training {
		state = n.state
	}
	if m != inference {
		n.batches++
	}
	values := []gotorch.Tensor{models.Image: x}
	for _, node := range n.graph.Nodes {
		cast := n.castFor(models.Value(len(values)), node.Op, m)
		in := make([]gotorch.Tensor, len(node.Inputs))
		for i, v := range node.Inputs {
			in[i] = cast(values[v])
		}
		param := func(name string) gotorch.Tensor { return cast(state[node.Param(name)]) }
		values = append(values, apply(node.Op, in, param, m))
	}
	return values[n.graph.Logits]
}

// castFor returns what converts the operands of the operation that makes v to the
// type that it computes in. With bfloat16, convolutions and products up to the feature
// compute in it, with sums in float32; the feature and what follows do not. The others
// take what comes, as in PyTorch's autocast. Weights and batch statistics are kept in
// float32.
func (n *network) castFor(v models.Value, op models.Op, m mode) func(gotorch.Tensor) gotorch.Tensor {
	to := func(dtype gotorch.DType) func(gotorch.Tensor) gotorch.Tensor {
		return func(t gotorch.Tensor) gotorch.Tensor {
			if t == (gotorch.Tensor{}) {
				return t
			}
			return t.To(dtype)
		}
	}
	if n.at.bf16 && m == training {
		switch op.(type) {
		case models.Conv2d, models.Linear:
			if v <= n.graph.Feature {
				return to(gotorch.BFloat16)
			}
			return to(n.at.dtype)
		case models.GlobalAvgPool, models.ZScore:
			return to(n.at.dtype)
		}
	}
	return func(t gotorch.Tensor) gotorch.Tensor { return t }
}

// apply runs one operation; param returns its parameters, the zero Tensor where
// it has none of that name.
func apply(op models.Op, in []gotorch.Tensor, param func(name string) gotorch.Tensor, m mode) gotorch.Tensor {
	x := in[0]
	switch op := op.(type) {
	case models.Conv2d:
		return F.Conv2d(x, param("weight"), param("bias"), F.ConvOptions{Stride: op.Stride, Padding: op.Padding})
	case models.BatchNorm2d:
		return F.BatchNorm(x, F.BatchNormOptions{
			Weight: param("weight"), Bias: param("bias"),
			RunningMean: param("running_mean"), RunningVar: param("running_var"),
			Training: m != inference, Momentum: op.Momentum, Eps: op.Eps,
		})
	case models.ReLU:
		return F.ReLU(x)
	case models.MaxPool2d:
		return F.MaxPool2d(x, F.PoolOptions{Kernel: op.Kernel, Stride: op.Stride, Padding: op.Padding})
	case models.Add:
		return x.Add(in[1])
	case models.GlobalAvgPool:
		return x.Mean(2, 3)
	case models.Flatten:
		return x.Flatten(1, -1)
	case models.ZScore:
		return zscore(x, op.Eps).Mul(param("sigma"))
	case models.Linear:
		return F.Linear(x, param("weight"), param("bias"))
	}
	return gotorch.Tensor{} // the operation that takes it fails; models.Op is a closed set
}

// zscore standardises each feature vector of x [N,D].
func zscore(x gotorch.Tensor, eps float64) gotorch.Tensor {
	mean, std := x.Mean(1).Unsqueeze(1), x.Std(1).Unsqueeze(1)
	return x.Sub(mean).Div(std.AddScalar(eps))
}

// stateDict copies the parameters and buffers from the device. A number that is
// not finite is an error that names its tensor.
func (n *network) stateDict() (checkpoint.StateDict, error) {
	state := checkpoint.StateDict{}
	for _, p := range n.graph.Params() {
		if p.Integer {
			state[p.Name] = checkpoint.FromInt64s([]int64{n.batches})
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
