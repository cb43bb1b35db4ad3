package train

import (
	"github.com/ascood/ascood/gotorch"
	"github.com/ascood/ascood/models"
)

// memory keeps some features of each class, for methods that draw outliers around them:
// it is filled first, and from then on the oldest make room. It is in tensors of the
// method's own, so that a run goes on with it.
type memory struct {
	size int  // features of a class
	full bool // for all classes
}

const memoryFeatures, memoryCount = "queue", "queue.count"

func (m *memory) own(of sizes) []models.Param {
	return []models.Param{
		{Name: memoryFeatures, Shape: []int{of.classes, m.size, of.feature}},
		{Name: memoryCount, Shape: []int{of.classes}}, // features so far; then also where the next goes
	}
}

// add adds features [N,D] of classes y [N], and reports whether the memory was full
// before. Until it is, a class that has all of its own takes no more.
func (m *memory) add(s *Step, features, y gotorch.Tensor) bool {
	inner := gotorch.NewScope(gotorch.NoGrad)
	defer inner.Close()
	kept, count := inner.Keep(s.Own(memoryFeatures)), inner.Keep(s.Own(memoryCount))
	shape, size := kept.Shape(), float64(m.size)
	was := m.full
	if !was { // what a GPU says is waited for until then
		was = count.Min().Item() >= size
		m.full = was
	}
	is := gotorch.Call(inner, "one_hot", y, shape[0]).To(count.DType())
	before := gotorch.Call(nil, "cumsum", is, 0).Sub(is).Gather(1, y.Unsqueeze(1)).Squeeze(1)
	place := count.IndexSelect(0, y).Add(before)
	row := y.MulScalar(size).Add(gotorch.Call(nil, "remainder.Scalar", place, size)).To(gotorch.Int64)
	flat, latest := kept.View(-1, shape[2]), inner.Keep(features).Detach()
	count.AddI(is.Sum(0), 1)
	var taken gotorch.Tensor
	switch {
	case !was:
		taken = place.LtScalar(size)
		count.CopyI(count.Clamp(0, size))
	case m.size < y.Numel(): // there may be more of a class than are kept, of which the last are
		taken = is.Sum(0).IndexSelect(0, y).Sub(before).LeScalar(size)
		fallthrough
	default:
		count.CopyI(gotorch.Call(nil, "remainder.Scalar", count, size).AddScalar(size))
	}
	if taken != (gotorch.Tensor{}) {
		at := gotorch.Call(nil, "nonzero", taken).Squeeze(1)
		row, latest = row.IndexSelect(0, at), latest.IndexSelect(0, at)
	}
	gotorch.CallN(inner, 0, "index_copy_", flat, 0, row, latest)
	return was
}

// features are those of all classes [C,size,D], as constants, the oldest first. The memory is
// to be full.
func (m *memory) features(s *Step) gotorch.Tensor {
	quiet := gotorch.NewScope(gotorch.NoGrad)
	defer quiet.Close()
	kept := quiet.Keep(s.Own(memoryFeatures))
	shape := kept.Shape()
	ages := gotorch.Arange(quiet, 0, m.size, kept.Device())
	at := gotorch.Call(nil, "remainder.Scalar", quiet.Keep(s.Own(memoryCount)).Unsqueeze(1).Add(ages), float64(m.size)).To(gotorch.Int64)
	return s.Scope.Keep(kept.Gather(1, at.Unsqueeze(2).Expand(shape...)))
}
