package gradient

import (
	"math"

	"github.com/ascood/ascood/gotorch"
	"github.com/ascood/ascood/onnx"
)

// slice is a Slice in libtorch along one axis, forwards.
func slice(dim, from, to, step int) func(x tensors) gotorch.Tensor {
	return call("slice.Tensor", dim, from, to, step)
}

var movementCases = []ruleCase{
	{op: "Reshape", in: in(images(6, 4), ints(-1, 3, 8)), torch: call("reshape", []int{-1, 3, 8})},
	{op: "Reshape", in: in(images(6, 4), ints(-1, 8)), torch: call("reshape", []int{-1, 8})}, // the batch becomes 3·N
	{op: "Reshape", in: in(of(onnx.Dim{Size: 3, Batch: true}, onnx.Dim{Size: 8}), ints(-1, 24)), torch: call("reshape", []int{-1, 24})},
	{op: "Flatten", in: in(images(3, 4, 5)), torch: call("flatten.using_ints", 1, -1)},
	{op: "Flatten", in: in(images(3, 4)), attrs: []onnx.Attr{axis(2)}, torch: call("reshape", []int{-1, 4})},
	{op: "Squeeze", in: in(images(1, 4, 1), ints(1, -1)), torch: func(x tensors) gotorch.Tensor { return x[0].Squeeze(3).Squeeze(1) }},
	{op: "Unsqueeze", in: in(images(4), ints(-1, 1)), torch: func(x tensors) gotorch.Tensor { return x[0].Unsqueeze(1).Unsqueeze(-1) }},
	{op: "Transpose", in: in(images(3, 4)), attrs: []onnx.Attr{onnx.Ints("perm", 2, 0, 1)}, torch: call("permute", []int{2, 0, 1})},
	{op: "Transpose", in: in(images(3, 4)), torch: call("permute", []int{2, 1, 0})},
	{op: "Expand", in: in(images(1, 4), ints(1, 3, 1)), torch: func(x tensors) gotorch.Tensor { return x[0].Expand(-1, 3, -1) }},
	{op: "Expand", in: in(images(4), ints(2, 1, 4)), torch: func(x tensors) gotorch.Tensor { return x[0].Unsqueeze(0).Expand(2, -1, -1) }},
	{op: "Tile", in: in(images(2, 3), ints(1, 3, 2)), torch: call("repeat", []int{1, 3, 2})},
	{op: "Tile", in: in(images(2), ints(1, 1)), torch: call("clone")},
	{op: "Concat", in: in(images(2, 3), constant(1, 1, 3), images(4, 3)), attrs: []onnx.Attr{axis(1)}, graph: func(b *onnx.Builder, x []string) string {
		token := b.Op("Add", []string{b.Op("Mul", []string{cut(b, x[0], 1, 0, 1), b.Scalar(0)}), x[1]})
		return b.Op("Concat", []string{x[0], token, x[2]}, axis(1))
	}, torch: func(x tensors) gotorch.Tensor {
		token := x[0].Narrow(1, 0, 1).MulScalar(0).Add(x[1])
		return gotorch.Cat([]gotorch.Tensor{x[0], token, x[2]}, 1)
	}},
	{op: "Concat", in: in(images(2, 3)), graph: func(b *onnx.Builder, x []string) string {
		return b.Op("Concat", []string{x[0], x[0]}, axis(-1))
	}, torch: func(x tensors) gotorch.Tensor { return gotorch.Cat([]gotorch.Tensor{x[0], x[0]}, 2) }},
	// The pool of the Resize's gradient comes after a Pad as wide as its kernel.
	{op: "Resize", in: in(images(2, 4, 3)), graph: func(b *onnx.Builder, x []string) string {
		large := b.Op("Resize", []string{x[0], "", b.Const([]int{4}, 1, 1, 2, 2)})
		return cut(b, large, 2, 2, 5)
	}, torch: func(x tensors) gotorch.Tensor {
		return gotorch.Call(nil, "upsample_nearest2d", x[0], []int{8, 6}, nil, nil).Narrow(2, 2, 5)
	}},
	{op: "Split", in: in(images(6, 2), ints(1, 2, 3)), graph: func(b *onnx.Builder, x []string) string {
		parts := b.Ops("Split", 3, x, axis(1))
		return b.Op("Concat", []string{parts[2], parts[0], parts[1]}, axis(1))
	}, torch: func(x tensors) gotorch.Tensor {
		return gotorch.Cat(tensors{x[0].Narrow(1, 3, 3), x[0].Narrow(1, 0, 3)}, 1)
	}},
	{op: "Split", in: in(images(6, 2)), graph: func(b *onnx.Builder, x []string) string { // the middle part is not used
		parts := b.Ops("Split", 3, x, axis(-2))
		return b.Op("Mul", []string{parts[0], parts[2]})
	}, torch: func(x tensors) gotorch.Tensor { return x[0].Narrow(1, 0, 2).Mul(x[0].Narrow(1, 4, 2)) }},
	{op: "Slice", in: in(images(9), ints(2), ints(7), ints(1)), torch: slice(1, 2, 7, 1)},
	{op: "Slice", in: in(images(9), ints(-4), ints(math.MaxInt64), ints(-1)), torch: slice(1, 5, 9, 1)},
	{op: "Slice", in: in(images(9), ints(1), ints(9), ints(1), ints(3)), torch: slice(1, 1, 9, 3)},
	{op: "Slice", in: in(images(8), ints(0), ints(8), ints(1), ints(2)), torch: slice(1, 0, 8, 2)},
	{op: "Slice", in: in(images(9, 8), ints(1, 0), ints(9, 8), ints(1, 2), ints(2, 2)), torch: func(x tensors) gotorch.Tensor {
		return slice(2, 0, 8, 2)(tensors{slice(1, 1, 9, 2)(x)})
	}},
	{op: "Slice", in: in(images(9), ints(-1), ints(math.MinInt64), ints(1), ints(-1)), torch: call("flip", []int{1})},
	{op: "Slice", in: in(images(9), ints(7), ints(0), ints(1), ints(-3)), torch: func(x tensors) gotorch.Tensor {
		return gotorch.Call(nil, "flip", slice(1, 1, 8, 3)(x), []int{1})
	}},
	{op: "Slice", in: in(images(9), ints(0), ints(math.MaxInt32), ints(0)), torch: call("clone")},
	{op: "Slice", in: in(images(9), ints(4), ints(6), ints(1), ints(5)), torch: slice(1, 4, 5, 1)},
	// Pieces that overlap; of two axes.
	{op: "Slice", in: in(images(10)), graph: func(b *onnx.Builder, x []string) string {
		return b.Op("Mul", []string{cut(b, x[0], 1, 0, 4), cut(b, x[0], 1, 2, 4)})
	}, torch: func(x tensors) gotorch.Tensor { return x[0].Narrow(1, 0, 4).Mul(x[0].Narrow(1, 2, 4)) }},
	{op: "Slice", in: in(images(4, 4)), graph: func(b *onnx.Builder, x []string) string {
		return b.Op("MatMul", []string{cut(b, x[0], 1, 0, 2), cut(b, x[0], 2, 1, 2)})
	}, torch: func(x tensors) gotorch.Tensor {
		return gotorch.Call(nil, "matmul", x[0].Narrow(1, 0, 2), x[0].Narrow(2, 1, 2))
	}},
	{op: "Gather", in: in(images(5, 3), ints(2)), graph: func(b *onnx.Builder, x []string) string {
		b.Constant(x[1]).Dims = nil // one index, not a vector of one
		return b.Op("Gather", x, axis(1))
	}, torch: func(x tensors) gotorch.Tensor { return x[0].Select(1, 2) }},
	{op: "Gather", in: in(images(3, 4), ints(2, 0, 1)), attrs: []onnx.Attr{axis(1)}, torch: pick(1, 2, 0, 1)},
	{op: "Gather", in: in(images(3, 4), ints(-1, 0)), attrs: []onnx.Attr{axis(-1)}, torch: pick(2, 3, 0)},
	{op: "Gather", in: in(images(4), ints(1, 1, 3, 1, 0)), attrs: []onnx.Attr{axis(1)}, torch: pick(1, 1, 1, 3, 1, 0)},
	{op: "Gather", in: in(images(3), ints(0, 1, 1, 2, 2, 0)), graph: func(b *onnx.Builder, x []string) string { // indices of two axes
		b.Constant(x[1]).Dims = []int64{2, 3}
		return b.Op("Gather", x, axis(1))
	}, torch: func(x tensors) gotorch.Tensor { return pick(1, 0, 1, 1, 2, 2, 0)(x).Reshape(-1, 2, 3) }},
	{op: "TopK", in: in(images(5, 4), ints(3)), attrs: []onnx.Attr{axis(1)}, torch: func(x tensors) gotorch.Tensor {
		return gotorch.CallN(nil, 2, "topk", x[0], 3, 1, true, true)[0]
	}},
	{op: "TopK", in: in(images(5, 4), ints(3)), graph: func(b *onnx.Builder, x []string) string { // no gradient goes through the places
		return b.Op("GatherElements", []string{x[0], b.Ops("TopK", 2, x, axis(1))[1]}, axis(1))
	}, torch: func(x tensors) gotorch.Tensor { return gotorch.CallN(nil, 2, "topk", x[0], 3, 1, true, true)[0] }},
	{op: "TopK", in: in(images(5, 4), ints(2)), attrs: []onnx.Attr{onnx.Int("largest", 0)}, torch: func(x tensors) gotorch.Tensor {
		return gotorch.CallN(nil, 2, "topk", x[0], 2, -1, false, true)[0]
	}},
	{op: "GatherElements", in: in(of(static(2, 4)...), ints(0, 3, 3, 1, -1, 2)), graph: at("GatherElements", two(2, 3), axis(1)), torch: taken(two(2, 3), 0, 3, 3, 5, 7, 6)},
	{op: "GatherND", in: in(of(static(2, 4, 2)...), ints(0, 1, 1, 3, 0, 1)), graph: at("GatherND", two(3, 2)), torch: taken(two(3, 2), 2, 3, 14, 15, 2, 3)},
	{op: "ScatterElements", in: in(of(static(2, 4)...), ints(2, 0, 1, 3), of(static(2, 2)...)), graph: at("ScatterElements", two(2, 2), axis(1)), torch: placed(false, 2, 0, 5, 7)},
	{op: "ScatterElements", in: in(of(static(2, 4)...), ints(2, 2, 1, -1), of(static(2, 2)...)), graph: at("ScatterElements", two(2, 2), axis(1), onnx.String("reduction", "add")), torch: placed(true, 2, 2, 5, 7)},
	{op: "ScatterND", in: in(of(static(4, 2)...), ints(1, 3), of(static(2, 2)...)), graph: at("ScatterND", two(2, 1)), torch: placed(false, 2, 3, 6, 7)},
	{op: "ScatterND", in: in(of(static(4, 2)...), ints(1, 1), of(static(2, 2)...)), graph: at("ScatterND", two(2, 1), onnx.String("reduction", "add")), torch: placed(true, 2, 3, 2, 3)},
	{op: "Pad", in: in(images(4, 4), ints(0, 1, 2, 0, 3, 0)), torch: call("constant_pad_nd", []int{2, 0, 1, 3}, 0.0)},
	{op: "Pad", in: in(images(4, 4), ints(0, -1, 2, 0, 3, -2), number(7)), torch: call("constant_pad_nd", []int{2, -2, -1, 3}, 7.0)},
	{op: "DepthToSpace", in: in(images(8, 3, 2)), attrs: []onnx.Attr{onnx.Int("blocksize", 2), onnx.String("mode", "CRD")}, torch: call("pixel_shuffle", 2)},
	{op: "DepthToSpace", in: in(images(8, 3, 2)), attrs: []onnx.Attr{onnx.Int("blocksize", 2)}, torch: func(x tensors) gotorch.Tensor {
		return x[0].Reshape(-1, 2, 2, 2, 3, 2).Permute(0, 3, 4, 1, 5, 2).Reshape(-1, 2, 6, 4)
	}},
	{op: "SpaceToDepth", in: in(images(2, 6, 4)), attrs: []onnx.Attr{onnx.Int("blocksize", 2)}, torch: func(x tensors) gotorch.Tensor {
		return x[0].Reshape(-1, 2, 3, 2, 2, 2).Permute(0, 3, 5, 1, 2, 4).Reshape(-1, 8, 3, 2)
	}},
	resize(two(3, 4, 5), 2, 3, onnx.String("coordinate_transformation_mode", "asymmetric"), onnx.String("nearest_mode", "floor")),
	resize(two(3, 4, 5), 2, 2),
	{op: "CumSum", in: in(images(5), operand{ints: []int{1}}), torch: call("cumsum", 1)},
	{op: "CumSum", in: in(images(5), operand{ints: []int{1}}), attrs: []onnx.Attr{onnx.Int("reverse", 1), onnx.Int("exclusive", 1)}, torch: func(x tensors) gotorch.Tensor {
		return gotorch.Call(nil, "flip", gotorch.Call(nil, "cumsum", gotorch.Call(nil, "flip", x[0], []int{1}), 1), []int{1}).Sub(x[0])
	}},
}

func static(sizes ...int) onnx.Shape { return onnx.Static(sizes...) }

// at is an operator whose second input is indices of some shape.
func at(op string, dims []int, attrs ...onnx.Attr) func(b *onnx.Builder, x []string) string {
	return func(b *onnx.Builder, x []string) string {
		indices := b.Constant(x[1])
		indices.Dims = nil
		for _, d := range dims {
			indices.Dims = append(indices.Dims, int64(d))
		}
		return b.Op(op, x, attrs...)
	}
}

// taken are elements, by their places in x as a vector.
func taken(shape []int, places ...int) func(x tensors) gotorch.Tensor {
	return func(x tensors) gotorch.Tensor {
		return pick(0, places...)(tensors{x[0].Reshape(-1)}).Reshape(shape...)
	}
}

// placed is x[0] with the elements of x[2] at places, in place of what is there or added to
// it.
func placed(add bool, places ...int) func(x tensors) gotorch.Tensor {
	return func(x tensors) gotorch.Tensor {
		var all tensors
		old, updates := x[0].Reshape(-1), x[2].Reshape(-1)
		for i := range old.Shape()[0] {
			element := old.Select(0, i)
			for k, place := range places {
				if place == i && add {
					element = element.Add(updates.Select(0, k))
				} else if place == i {
					element = updates.Select(0, k)
				}
			}
			all = append(all, element)
		}
		return gotorch.Stack(all, 0).Reshape(x[0].Shape()...)
	}
}

// pick is a Gather in libtorch.
func pick(dim int, indices ...int) func(x tensors) gotorch.Tensor {
	return func(x tensors) gotorch.Tensor {
		var picked tensors
		for _, i := range indices {
			picked = append(picked, x[0].Select(dim, i))
		}
		return gotorch.Stack(picked, dim)
	}
}

// resize enlarges maps by repeating pixels.
func resize(maps []int, rows, columns int, attrs ...onnx.Attr) ruleCase {
	scales := []float32{1, 1, float32(rows), float32(columns)}
	return ruleCase{
		op: "Resize", in: in(images(maps...)), attrs: attrs, graph: func(b *onnx.Builder, x []string) string {
			return b.Op("Resize", []string{x[0], "", b.Const([]int{4}, scales...)}, attrs...)
		},
		torch: call("upsample_nearest2d", []int{maps[1] * rows, maps[2] * columns}, nil, nil),
	}
}
