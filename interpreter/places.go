package interpreter

import "github.com/ascood/ascood/gotorch"

// gatherElements and the like take elements, or put them, by indices of which negative
// ones count from the end.
func gatherElements(s *site) operation {
	axis := s.axis(0)
	size := s.sizes(axis + 1)[axis]
	return one(func(x []gotorch.Tensor) gotorch.Tensor { return x[0].Gather(axis, counted(x[1], size)) })
}

func scatterElements(s *site) operation {
	axis, op := s.axis(0), s.scattering("scatter.src", "scatter_add")
	size := s.sizes(axis + 1)[axis]
	return one(func(x []gotorch.Tensor) gotorch.Tensor {
		return gotorch.Call(nil, op, x[0], axis, counted(x[1], size), x[2])
	})
}

func gatherND(s *site) operation {
	if s.IntAttr("batch_dims", 0) != 0 {
		s.refuse("has batch_dims %d, want 0", s.IntAttr("batch_dims", 0))
	}
	sizes, target := s.indexed(), s.out(0).Target()
	return one(func(x []gotorch.Tensor) gotorch.Tensor {
		return x[0].Flatten(0, len(sizes)-1).IndexSelect(0, rows(x[1], sizes)).Reshape(target...)
	})
}

func scatterND(s *site) operation {
	sizes, target, op := s.indexed(), s.out(0).Target(), s.scattering("index_copy", "index_add")
	return one(func(x []gotorch.Tensor) gotorch.Tensor {
		flat, at := x[0].Flatten(0, len(sizes)-1), rows(x[1], sizes)
		updates := x[2].Reshape(append([]int{at.Shape()[0]}, flat.Shape()[1:]...)...)
		args := []any{flat, 0, at, updates}
		if op == "index_add" {
			args = append(args, 1.0)
		}
		return gotorch.Call(nil, op, args...).Reshape(target...)
	})
}

// scattering is the operator of libtorch for the node's reduction.
func (s *site) scattering(none, add string) string {
	switch by := s.StringAttr("reduction", "none"); by {
	case "none":
		return none
	case "add":
		return add
	default:
		s.refuse("has the reduction %s, want none or add", by)
		return ""
	}
}

// indexed are the sizes of the axes that the last axis of the indices counts.
func (s *site) indexed() []int {
	at := s.in(1)
	if s.err != nil || len(at) == 0 {
		return []int{1}
	}
	return s.sizes(at[len(at)-1].Size)
}

// sizes are those of the first axes of input 0, none of which may be that of the batch.
func (s *site) sizes(count int) []int {
	shape := s.in(0)
	if count < 1 || count > len(shape) {
		s.refuse("has indices that do not fit %v", shape)
		return make([]int, max(count, 1))
	}
	return shape[:count].At(1)
}

// counted are indices from 0 on.
func counted(indices gotorch.Tensor, size int) gotorch.Tensor {
	return gotorch.Call(nil, "remainder.Scalar", indices, size)
}

// rows are the indices of the elements of axes of the given sizes, taken as one axis.
func rows(indices gotorch.Tensor, sizes []int) gotorch.Tensor {
	at := counted(indices.Select(-1, 0), sizes[0])
	for i, size := range sizes[1:] {
		at = gotorch.Call(nil, "add.Tensor", gotorch.Call(nil, "mul.Scalar", at, size), counted(indices.Select(-1, i+1), size))
	}
	return at.Reshape(-1)
}

// reduceProd multiplies along one axis after the other.
func reduceProd(s *site) operation {
	axes, _ := s.axes()
	target := s.out(0).Target()
	return one(func(x []gotorch.Tensor) gotorch.Tensor {
		y := x[0]
		for _, axis := range axes {
			y = gotorch.Call(nil, "prod.dim_int", y, axis, true)
		}
		return y.Reshape(target...)
	})
}
