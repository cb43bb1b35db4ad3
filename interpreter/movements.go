package interpreter

import (
	"slices"

	"github.com/ascood/ascood/gotorch"
	"github.com/ascood/ascood/onnx"
)

// reshape gives the elements the shape that the node is said to make.
func reshape(s *site) operation {
	target := s.out(0).Target()
	return one(func(x []gotorch.Tensor) gotorch.Tensor { return x[0].Reshape(target...) })
}

func transpose(s *site) operation {
	perm, err := onnx.Perm(s.NodeProto, len(s.in(0)))
	s.note(err)
	return one(func(x []gotorch.Tensor) gotorch.Tensor { return x[0].Permute(perm...) })
}

// slice takes what runs backwards forwards, and turns it around.
func slice(s *site) operation {
	shape := s.in(0)
	ranges, err := s.Ranges(s.NodeProto, shape)
	s.note(err)
	return one(func(x []gotorch.Tensor) gotorch.Tensor {
		y := x[0]
		for i, r := range ranges {
			switch {
			case shape[i].Batch || r == onnx.Range{Start: 0, Step: 1, Count: shape[i].Size}:
			case r.Count == 0:
				y = y.Narrow(i, 0, 0)
			case r.Step > 0:
				y = gotorch.Call(nil, "slice.Tensor", y, i, r.Start, r.Start+(r.Count-1)*r.Step+1, r.Step)
			default:
				y = gotorch.Call(nil, "slice.Tensor", y, i, r.Start+(r.Count-1)*r.Step, r.Start+1, -r.Step)
				y = gotorch.Call(nil, "flip", y, []int{i})
			}
		}
		return y
	})
}

func split(s *site) operation {
	axis := s.axis(0)
	var sizes []int
	shapes, err := s.Infer(s.NodeProto)
	s.note(err)
	for _, part := range shapes {
		sizes = append(sizes, part[axis].Size)
	}
	return func(x []gotorch.Tensor, _ Options) []gotorch.Tensor { return x[0].Split(axis, sizes...) }
}

// topK has its places as numbers, of which nothing else is computed.
func topK(s *site) operation {
	axis, k := s.axis(-1), s.ints(1)
	largest, sorted := s.IntAttr("largest", 1) == 1, s.IntAttr("sorted", 1) == 1
	return func(x []gotorch.Tensor, _ Options) []gotorch.Tensor {
		return gotorch.CallN(nil, 2, "topk", x[0], k[0], axis, largest, sorted)
	}
}

// gather: indices may count from the end.
func gather(s *site) operation {
	axis, target := s.axis(0), s.out(0).Target()
	if s.Constant(s.Operand(1)) == nil {
		s.refuse("its indices are computed, want constants")
	}
	size := s.in(0)[axis].Size
	return one(func(x []gotorch.Tensor) gotorch.Tensor {
		at := gotorch.Call(nil, "remainder.Scalar", x[1].Reshape(-1), size)
		return x[0].IndexSelect(axis, at).Reshape(target...)
	})
}

func pad(s *site) operation {
	if mode := s.StringAttr("mode", "constant"); mode != "constant" {
		s.refuse("is of the mode %s, want constant", mode)
	}
	amounts, value := s.ints(1), s.number(2, 0)
	rank := len(amounts) / 2
	w := onnx.Window{Before: amounts[:rank], After: amounts[rank:]}
	return one(func(x []gotorch.Tensor) gotorch.Tensor { return padded(x[0], w, value) })
}

func cumSum(s *site) operation {
	reverse, exclusive := s.IntAttr("reverse", 0) != 0, s.IntAttr("exclusive", 0) != 0
	given := s.ints(1)
	if len(given) != 1 {
		s.refuse("has %d axes, want one", len(given))
		return nil
	}
	axis, err := s.in(0).Axis(given[0])
	s.note(err)
	flip := func(x gotorch.Tensor) gotorch.Tensor { return gotorch.Call(nil, "flip", x, []int{axis}) }
	return one(func(x []gotorch.Tensor) gotorch.Tensor {
		y := x[0]
		if reverse {
			y = flip(y)
		}
		y = gotorch.Call(nil, "cumsum", y, axis)
		if reverse {
			y = flip(y)
		}
		if exclusive {
			y = y.Sub(x[0])
		}
		return y
	})
}

// depthToSpace turns channels into blocks of pixels. In the mode DCR a block's pixels
// are the slow axis of the channels, in CRD the fast one.
func depthToSpace(s *site) operation {
	k, in, out := s.IntAttr("blocksize", 1), s.in(0), s.out(0).Target()
	if s.StringAttr("mode", "DCR") == "CRD" {
		return with("pixel_shuffle", func(*site) []any { return []any{k} })(s)
	}
	apart := []int{-1, k, k, in[1].Size / k / k, in[2].Size, in[3].Size}
	return one(func(x []gotorch.Tensor) gotorch.Tensor {
		return x[0].Reshape(apart...).Permute(0, 3, 4, 1, 5, 2).Reshape(out...)
	})
}

func spaceToDepth(s *site) operation {
	k, in, out := s.IntAttr("blocksize", 1), s.in(0), s.out(0).Target()
	apart := []int{-1, in[1].Size, in[2].Size / k, k, in[3].Size / k, k}
	return one(func(x []gotorch.Tensor) gotorch.Tensor {
		return x[0].Reshape(apart...).Permute(0, 3, 5, 1, 2, 4).Reshape(out...)
	})
}

// resize repeats pixels.
func resize(s *site) operation {
	in, out := s.in(0), s.out(0)
	at, nearest := s.StringAttr("coordinate_transformation_mode", "half_pixel"), s.StringAttr("nearest_mode", "round_prefer_floor")
	centred := (at == "half_pixel" || at == "pytorch_half_pixel") && (nearest == "round_prefer_floor" || nearest == "round_prefer_ceil")
	if mode := s.StringAttr("mode", "nearest"); mode != "nearest" || !centred && !(at == "asymmetric" && nearest == "floor") {
		s.refuse("is of the mode %s with %s and %s, want copies of pixels", mode, at, nearest)
	}
	times := make([]int, len(in))
	for i := range in {
		if times[i] = 1; in[i] != out[i] {
			times[i] = out[i].Size / max(in[i].Size, 1)
		}
		if in[i].Size*times[i] != out[i].Size {
			s.refuse("makes %v of %v, want whole multiples", out, in)
		}
	}
	return one(func(x []gotorch.Tensor) gotorch.Tensor {
		y := x[0]
		for i, n := range slices.All(times) {
			if n > 1 {
				y = gotorch.Call(nil, "repeat_interleave.self_int", y, n, i)
			}
		}
		return y
	})
}
