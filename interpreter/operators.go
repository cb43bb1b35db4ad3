package interpreter

import (
	"math"

	"github.com/ascood/ascood/gotorch"
	F "github.com/ascood/ascood/gotorch/nn/functional"
	"github.com/ascood/ascood/onnx"
)

// operators is the table of all operators that can be run. An entry takes a node apart,
// and returns what runs it.
var operators = map[string]func(s *site) operation{
	// Element by element.
	"Add": plain("add.Tensor"), "Sub": plain("sub.Tensor"), "Mul": plain("mul.Tensor"), "Div": plain("div.Tensor"),
	"Sum": folded("add.Tensor"), "Max": folded("maximum"), "Min": folded("minimum"),
	"Pow": pow, "Where": plain("where.self"), "Cast": cast, "Identity": same, "Dropout": same,
	"Neg": plain("neg"), "Reciprocal": plain("reciprocal"), "Exp": plain("exp"), "Log": plain("log"), "Abs": plain("abs"),
	"Erf": plain("erf"), "Sin": plain("sin"), "Cos": plain("cos"), "Sqrt": sqrt,

	// Activations.
	"Relu": plain("relu"), "Sigmoid": plain("sigmoid"), "Tanh": plain("tanh"), "Selu": plain("selu"),
	"HardSwish": plain("hardswish"), "Softplus": plain("softplus"), "PRelu": prelu, "Clip": clip,
	"LeakyRelu":       with("leaky_relu", func(s *site) []any { return []any{s.DecimalAttr("alpha", 0.01)} }),
	"Elu":             with("elu", func(s *site) []any { return []any{s.DecimalAttr("alpha", 1)} }),
	"Celu":            with("celu", func(s *site) []any { return []any{s.DecimalAttr("alpha", 1)} }),
	"ThresholdedRelu": with("threshold", func(s *site) []any { return []any{s.DecimalAttr("alpha", 1), 0.0} }),
	"HardSigmoid": func(s *site) operation {
		alpha, beta := s.DecimalAttr("alpha", 0.2), s.DecimalAttr("beta", 0.5)
		return one(func(x []gotorch.Tensor) gotorch.Tensor {
			return gotorch.Call(nil, "hardtanh", x[0].MulScalar(alpha).AddScalar(beta), 0.0, 1.0)
		})
	},
	"Softsign": func(*site) operation {
		return one(func(x []gotorch.Tensor) gotorch.Tensor { return x[0].Div(x[0].Abs().AddScalar(1)) })
	},

	// Products.
	"Gemm": gemm, "MatMul": plain("matmul"), "Einsum": einsum, "Conv": conv, "ConvTranspose": convTranspose,

	// Pools.
	"MaxPool": maxPool, "AveragePool": averagePool,
	"GlobalAveragePool": with("mean.dim", func(s *site) []any { return []any{spatial(s.in(0)), true} }),
	"GlobalMaxPool":     with("amax", func(s *site) []any { return []any{spatial(s.in(0)), true} }),

	// Normalisations.
	"BatchNormalization": batchNorm, "LayerNormalization": layerNorm, "LpNormalization": lpNorm,
	"Softmax":    with("softmax.int", func(s *site) []any { return []any{s.axis(-1)} }),
	"LogSoftmax": with("log_softmax.int", func(s *site) []any { return []any{s.axis(-1)} }),

	// Reductions.
	"ReduceMean": reduce("mean.dim"), "ReduceSum": reduce("sum.dim_IntList"), "ReduceMax": reduce("amax"), "ReduceMin": reduce("amin"),
	"ReduceLogSumExp": reduce("logsumexp"), "ReduceLogSum": reduce("sum.dim_IntList", after("log")),
	"ReduceL1": reduce("sum.dim_IntList", before("abs")), "ReduceSumSquare": reduce("sum.dim_IntList", before("square")),
	"ReduceL2": func(s *site) operation {
		axes, keep := s.axes()
		return one(func(x []gotorch.Tensor) gotorch.Tensor {
			return gotorch.Call(nil, "norm.ScalarOpt_dim", x[0], 2.0, axes, keep)
		})
	},

	"ReduceProd": reduceProd,

	// Movements.
	"Reshape": reshape, "Flatten": reshape, "Squeeze": reshape, "Unsqueeze": reshape,
	"Transpose": transpose, "Slice": slice, "Split": split, "Gather": gather, "Pad": pad, "CumSum": cumSum,
	"TopK": topK, "GatherElements": gatherElements, "GatherND": gatherND, "ScatterElements": scatterElements, "ScatterND": scatterND,
	"DepthToSpace": depthToSpace, "SpaceToDepth": spaceToDepth, "Resize": resize,
	"Expand": with("expand", func(s *site) []any { return []any{s.out(0).Target()} }),
	"Tile":   with("repeat", func(s *site) []any { return []any{s.ints(1)} }),
	"Concat": func(s *site) operation {
		axis := s.axis(0)
		return one(func(x []gotorch.Tensor) gotorch.Tensor { return gotorch.Cat(x, axis) })
	},

	// What no gradient goes through.
	"Equal": plain("eq.Tensor"), "Greater": plain("gt.Tensor"), "GreaterOrEqual": plain("ge.Tensor"), "Less": plain("lt.Tensor"),
	"LessOrEqual": plain("le.Tensor"), "And": plain("logical_and"), "Or": plain("logical_or"), "Xor": plain("logical_xor"),
	"Not": plain("logical_not"), "Floor": plain("floor"), "Ceil": plain("ceil"), "Round": plain("round"), "Sign": plain("sign"),
	"IsNaN": plain("isnan"), "IsInf": plain("isinf"),
	"ArgMax": with("argmax", func(s *site) []any { return []any{s.axis(0), s.IntAttr("keepdims", 1) != 0} }),
	"ArgMin": with("argmin", func(s *site) []any { return []any{s.axis(0), s.IntAttr("keepdims", 1) != 0} }),
}

func pow(s *site) operation {
	exponent := s.number(1, 1)
	return one(func(x []gotorch.Tensor) gotorch.Tensor { return x[0].Pow(exponent) })
}

// cast: numbers keep the precision that the network is run in.
func cast(s *site) operation {
	switch to := onnx.TensorProto_DataType(s.IntAttr("to", 0)); {
	case onnx.IsFloat(to):
		return func(x []gotorch.Tensor, o Options) []gotorch.Tensor {
			if x[0].DType().IsFloat() {
				return x
			}
			return []gotorch.Tensor{x[0].To(o.float)}
		}
	case to == onnx.TensorProto_BOOL:
		return with("to.dtype", func(*site) []any { return []any{gotorch.Bool} })(s)
	case to == onnx.TensorProto_INT64 || to == onnx.TensorProto_INT32:
		return with("to.dtype", func(*site) []any { return []any{gotorch.Int64} })(s)
	default:
		s.refuse("makes %v", to)
		return nil
	}
}

// sqrt has the gradient 0 at 0, as a standard deviation has in libtorch, not infinity:
// what it takes there is the smallest number.
func sqrt(*site) operation {
	const smallest = 0x1p-126
	return one(func(x []gotorch.Tensor) gotorch.Tensor {
		return gotorch.Call(nil, "clamp", x[0], smallest, nil).Sqrt()
	})
}

// prelu: the slope broadcasts.
func prelu(*site) operation {
	return one(func(x []gotorch.Tensor) gotorch.Tensor {
		return F.ReLU(x[0]).Sub(x[1].Mul(F.ReLU(x[0].Neg())))
	})
}

// clip between two bounds has the gradient 0 at them, as ReLU6.
func clip(s *site) operation {
	low, high := s.number(1, math.Inf(-1)), s.number(2, math.Inf(1))
	switch {
	case math.IsInf(low, -1) && math.IsInf(high, 1):
		return same(s)
	case math.IsInf(low, -1):
		return with("clamp", func(*site) []any { return []any{nil, high} })(s)
	case math.IsInf(high, 1):
		return with("clamp", func(*site) []any { return []any{low, nil} })(s)
	}
	return with("hardtanh", func(*site) []any { return []any{low, high} })(s)
}

// gemm is alpha·a·b + beta·c.
func gemm(s *site) operation {
	alpha, beta := s.DecimalAttr("alpha", 1), s.DecimalAttr("beta", 1)
	transA, transB := s.IntAttr("transA", 0) != 0, s.IntAttr("transB", 0) != 0
	bias := s.Operand(2) != ""
	if !transA && transB && alpha == 1 && beta == 1 && (!bias || len(s.in(2)) == 1) {
		return one(func(x []gotorch.Tensor) gotorch.Tensor { return F.Linear(x[0], x[1], optional(x, 2)) })
	}
	return one(func(x []gotorch.Tensor) gotorch.Tensor {
		a, b := x[0], x[1]
		if transA {
			a = a.Transpose(0, 1)
		}
		if transB {
			b = b.Transpose(0, 1)
		}
		y := a.MatMul(b)
		if alpha != 1 {
			y = y.MulScalar(alpha)
		}
		switch {
		case bias && beta != 1:
			y = y.Add(x[2].MulScalar(beta))
		case bias:
			y = y.Add(x[2])
		}
		return y
	})
}

func einsum(s *site) operation {
	equation := s.StringAttr("equation", "")
	return one(func(x []gotorch.Tensor) gotorch.Tensor { return gotorch.Call(nil, "einsum", equation, x) })
}

// optional is operand i, the zero Tensor if it is left out.
func optional(x []gotorch.Tensor, i int) gotorch.Tensor {
	if i < len(x) {
		return x[i]
	}
	return gotorch.Tensor{}
}

func batchNorm(s *site) operation {
	if s.IntAttr("training_mode", 0) != 0 {
		s.refuse("is in training mode, want inference: whether batches are normalised by their own statistics is for the trainer to say")
	}
	n := normOf(s.NodeProto)
	return func(x []gotorch.Tensor, o Options) []gotorch.Tensor {
		of := n.options(x)
		of.Training = o.BatchStatistics
		return []gotorch.Tensor{F.BatchNorm(x[0], of)}
	}
}

// norm is what a BatchNormalization says.
type norm struct{ momentum, eps float64 }

func normOf(n *onnx.NodeProto) norm {
	// ONNX counts what stays of the running statistics, PyTorch what is new.
	return norm{1 - n.DecimalAttr("momentum", 0.9), n.DecimalAttr("epsilon", 1e-5)}
}

// options are those of the node's five operands.
func (n norm) options(x []gotorch.Tensor) F.BatchNormOptions {
	return F.BatchNormOptions{Weight: x[1], Bias: x[2], RunningMean: x[3], RunningVar: x[4], Momentum: n.momentum, Eps: n.eps}
}

func layerNorm(s *site) operation {
	sizes, eps := s.in(0)[s.axis(-1):].At(1), s.DecimalAttr("epsilon", 1e-5)
	return one(func(x []gotorch.Tensor) gotorch.Tensor {
		return gotorch.Call(nil, "layer_norm", x[0], sizes, x[1], optional(x, 2), eps)
	})
}

func lpNorm(s *site) operation {
	axis, p := s.axis(-1), float64(s.IntAttr("p", 2))
	return one(func(x []gotorch.Tensor) gotorch.Tensor {
		return x[0].Div(gotorch.Call(nil, "norm.ScalarOpt_dim", x[0], p, []int{axis}, true))
	})
}

// axes are those that a reduction reduces.
func (s *site) axes() (axes []int, keep bool) {
	axes, keep, err := s.Axes(s.NodeProto, s.in(0))
	s.note(err)
	return axes, keep
}

// reduce is an operator of libtorch that takes axes, and whether they stay.
func reduce(op string, around ...around) func(s *site) operation {
	return func(s *site) operation {
		axes, keep := s.axes()
		return one(func(x []gotorch.Tensor) gotorch.Tensor {
			y := x[0]
			for _, a := range around {
				if !a.after {
					y = gotorch.Call(nil, a.op, y)
				}
			}
			if len(axes) > 0 {
				y = gotorch.Call(nil, op, y, axes, keep)
			}
			for _, a := range around {
				if a.after {
					y = gotorch.Call(nil, a.op, y)
				}
			}
			return y
		})
	}
}

// around is an operator before or after a reduction.
type around struct {
	op    string
	after bool
}

func before(op string) around { return around{op, false} }
func after(op string) around  { return around{op, true} }
