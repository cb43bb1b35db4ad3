package interpreter

import (
	"slices"

	"github.com/ascood/ascood/gotorch"
	F "github.com/ascood/ascood/gotorch/nn/functional"
	"github.com/ascood/ascood/onnx"
)

// A BatchNormalization takes little computation and much memory traffic, so it is run
// together with its neighbours: by the batch's statistics, with the sum and the ReLU
// that follow it, in the same pass over the map; by the running ones, which make it one
// number to multiply each channel by and one to add, inside the convolution before it.

// fusion finds nodes that can be run together.
type fusion struct {
	*onnx.Builder
	uses map[string]int // how often a value is read, and is an output
	user map[string]int // the place of the node that reads it last
}

func newFusion(b *onnx.Builder, steps []step, outputs []string) *fusion {
	f := &fusion{Builder: b, uses: map[string]int{}, user: map[string]int{}}
	for i, s := range steps {
		for _, in := range s.Input {
			f.uses[in]++
			f.user[in] = i
		}
	}
	for _, out := range outputs {
		f.uses[out]++
	}
	return f
}

// after returns the place of the one node that reads a value, if it has the operator.
func (f *fusion) after(steps []step, value, op string) (int, bool) {
	at, read := f.user[value]
	return at, read && f.uses[value] == 1 && steps[at].OpType == op && steps[at].Domain == ""
}

// byBatch joins each BatchNormalization with an Add and a Relu after it. The whole stands
// where its last node did.
func (f *fusion) byBatch(steps []step) []step {
	joined := slices.Clone(steps)
	taken := map[int]bool{}
	for i, s := range steps {
		if s.OpType != "BatchNormalization" || s.Domain != "" {
			continue
		}
		parts, inputs, with := []int{i}, slices.Clone(s.Input), normalised{norm: normOf(s.NodeProto)}
		end := func() string { return steps[parts[len(parts)-1]].Output[0] }
		if at, ok := f.after(steps, end(), "Add"); ok && !taken[at] {
			if other, ok := f.added(steps[at], end()); ok {
				parts, inputs, with.added = append(parts, at), append(inputs, other), true
			}
		}
		if at, ok := f.after(steps, end(), "Relu"); ok {
			parts, with.relu = append(parts, at), true
		}
		for _, at := range parts {
			taken[at], joined[at].run = true, nil
		}
		last := parts[len(parts)-1]
		joined[last] = s.as(inputs, steps[last].Output, with.run)
	}
	return slices.DeleteFunc(joined, func(s step) bool { return s.run == nil })
}

// as is a step that takes and makes other values than s, but is s otherwise.
func (s step) as(inputs, outputs []string, run operation) step {
	s.NodeProto = &onnx.NodeProto{Name: s.Name, OpType: s.OpType, Input: inputs, Output: outputs}
	s.run = run
	return s
}

// added returns what a sum adds to a value, if it is of the same shape.
func (f *fusion) added(sum step, value string) (string, bool) {
	other := sum.Input[0]
	if other == value {
		other = sum.Input[1]
	}
	a, errA := f.Shape(value)
	b, errB := f.Shape(other)
	return other, other != value && errA == nil && errB == nil && a.Equal(b)
}

// normalised is a batch normalisation with what follows it.
type normalised struct {
	norm
	added, relu bool
}

func (n normalised) run(x []gotorch.Tensor, _ Options) []gotorch.Tensor {
	o := n.options(x)
	o.Training, o.ReLU = true, n.relu
	if n.added {
		o.Added = x[5]
	}
	return []gotorch.Tensor{F.BatchNorm(x[0], o)}
}

// byRunning joins each Conv with a BatchNormalization after it.
func (f *fusion) byRunning(steps []step) []step {
	joined := slices.Clone(steps)
	for i, s := range steps {
		if s.OpType != "Conv" || s.Domain != "" {
			continue
		}
		at, ok := f.after(steps, s.Output[0], "BatchNormalization")
		if !ok {
			continue
		}
		bn := steps[at]
		into := foldedConv{conv: s.run, norm: normOf(bn.NodeProto), bias: s.Operand(2) != ""}
		joined[i].run = nil
		joined[at] = s.as(slices.Concat(s.Input, bn.Input[1:]), bn.Output, into.run)
	}
	return slices.DeleteFunc(joined, func(s step) bool { return s.run == nil })
}

// foldedConv is a convolution with a batch normalisation inside.
type foldedConv struct {
	norm
	conv operation
	bias bool
}

func (f foldedConv) run(x []gotorch.Tensor, o Options) []gotorch.Tensor {
	bn := f.options(x[len(x)-5:]) // of whose operands the first is one of the convolution's
	maps, kernel := x[0], x[1]
	scale := bn.Weight.Beside(maps).Div(bn.RunningVar.Beside(maps).AddScalar(bn.Eps).Sqrt())
	shift := bn.RunningMean.Beside(maps)
	if f.bias {
		shift = shift.Sub(x[2])
	}
	shift = bn.Bias.Sub(shift.Mul(scale))
	each := make([]int, kernel.Dim())
	for i := range each {
		each[i] = 1
	}
	each[0] = -1
	return f.conv([]gotorch.Tensor{maps, kernel.Mul(scale.View(each...)), shift}, o)
}
