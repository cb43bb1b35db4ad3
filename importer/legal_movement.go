package importer

import (
	"errors"
	"fmt"
	"slices"

	"github.com/ascood/ascood/onnx"
)

// reshape gives a value another shape.
func (s *step) reshape(value string, sizes ...int) string {
	if now, err := s.sizes(value); err == nil && slices.Equal(now, sizes) {
		return value
	}
	return s.Op("Reshape", []string{value, s.Int64s(sizes...)})
}

// given returns the integers that a setting has, as an attribute, in the older
// opsets, or as an input.
func (s *step) given(attribute string, input int) (values []int, given bool, err error) {
	if s.HasAttr(attribute) {
		return s.IntsAttr(attribute), true, nil
	}
	if s.Operand(input) == "" {
		return nil, false, nil
	}
	t := s.from.consts[s.Operand(input)]
	if t == nil {
		return nil, false, fmt.Errorf("its %s depend on the image", attribute)
	}
	v, err := t.Ints()
	return ints(v), true, err
}

// legalReshape writes the target as numbers.
func legalReshape(s *step) ([]string, error) {
	shape, err := s.shape(0)
	if err != nil {
		return nil, err
	}
	target, _, err := s.given("shape", 1)
	if err != nil {
		return nil, err
	}
	rest := -1
	target = slices.Clone(target)
	for i, size := range target {
		switch {
		case size == 0 && s.IntAttr("allowzero", 0) == 0 && i < len(shape):
			target[i] = shape[i]
		case size == -1 && rest < 0:
			rest, target[i] = i, 1
		}
	}
	if rest >= 0 && product(target) > 0 {
		target[rest] = product(shape) / product(target)
	}
	return []string{s.reshape(s.operand(0), target...)}, nil
}

// legalAxes: since opset 13 the axes are an input.
func legalAxes(s *step) ([]string, error) {
	shape, err := s.shape(0)
	if err != nil {
		return nil, err
	}
	axes, given, err := s.given("axes", 1)
	if err != nil {
		return nil, err
	}
	rank := len(shape)
	if s.OpType == "Unsqueeze" {
		rank += len(axes)
	}
	if !given {
		for i, size := range shape {
			if size == 1 {
				axes = append(axes, i)
			}
		}
	}
	axes = slices.Clone(axes)
	for i := range axes {
		if axes[i], err = axis(axes[i], rank); err != nil {
			return nil, err
		}
	}
	return s.again([]string{s.operand(0), s.Int64s(axes...)})
}

// legalReduce: of opset 17 the axes of ReduceSum alone are an input.
func legalReduce(s *step) ([]string, error) {
	shape, err := s.shape(0)
	if err != nil {
		return nil, err
	}
	axes, _, err := s.given("axes", 1)
	if err != nil {
		return nil, err
	}
	if len(axes) == 0 {
		if s.IntAttr("noop_with_empty_axes", 0) != 0 {
			return handOn(s)
		}
		for i := range shape {
			axes = append(axes, i)
		}
	}
	axes = slices.Clone(axes)
	for i := range axes {
		if axes[i], err = axis(axes[i], len(shape)); err != nil {
			return nil, err
		}
	}
	keep := onnx.Int("keepdims", s.IntAttr("keepdims", 1))
	if s.OpType == "ReduceSum" {
		return s.again([]string{s.operand(0), s.Int64s(axes...)}, keep)
	}
	return s.again(s.in[:1], onnx.Ints("axes", axes...), keep)
}

// legalConcat: constants, such as a class token, are added to zeros in their places.
// Beside the images of a batch they would have to be repeated as often as there are
// images.
func legalConcat(s *step) ([]string, error) {
	shape, err := s.shape(0)
	if err != nil {
		return nil, err
	}
	at, err := axis(s.IntAttr("axis", 0), len(shape))
	if err != nil {
		return nil, err
	}
	var maps, constants []string
	before, pads := 0, map[string][2]int{}
	for i, name := range s.Input {
		size, err := s.shape(i)
		if err != nil {
			return nil, err
		}
		value, length := s.operand(i), size[at]
		if s.from.consts[name] != nil {
			before += length
			constants = append(constants, name)
			continue
		}
		maps = append(maps, value)
		if before > 0 {
			pads[value] = [2]int{before, 0}
		}
		before = 0
	}
	if len(constants) == 0 {
		return s.again(s.in, onnx.Int("axis", at))
	}
	if len(slices.Compact(slices.Sorted(slices.Values(maps)))) < len(maps) {
		return nil, errors.New("it joins a value to itself and to constants")
	}
	last := maps[len(maps)-1]
	pads[last] = [2]int{pads[last][0], before}
	for i, value := range maps {
		if pad, ok := pads[value]; ok && pad != [2]int{} {
			amounts := make([]int, 2*len(shape))
			amounts[at], amounts[len(shape)+at] = pad[0], pad[1]
			maps[i] = s.Op("Pad", []string{value, s.Int64s(amounts...)})
		}
	}
	joined := maps[0]
	if len(maps) > 1 {
		joined = s.Op("Concat", maps, onnx.Int("axis", at))
	}
	offset, err := s.offsets(at)
	if err != nil {
		return nil, err
	}
	return []string{s.Op("Add", []string{joined, offset})}, nil
}

// offsets returns a constant that holds the constants among a Concat's operands in
// their places, and zeros elsewhere.
func (s *step) offsets(at int) (string, error) {
	var parts [][]float32
	var rows []int // elements of each part for one index of the axes before
	outer, total := 0, 0
	var dims []int64
	for i, name := range s.Input {
		size, err := s.shape(i)
		if err != nil {
			return "", err
		}
		var values []float32
		if t := s.from.consts[name]; t != nil {
			if values, err = t.Floats(); err != nil {
				return "", err
			}
			outer = product(size[:at])
			dims = slices.Clone(t.Dims)
		}
		parts, rows = append(parts, values), append(rows, product(size[at:]))
		total += size[at]
	}
	var all []float32
	for o := range outer {
		for i, values := range parts {
			if values == nil {
				all = append(all, make([]float32, rows[i])...)
			} else {
				all = append(all, values[o*rows[i]:(o+1)*rows[i]]...)
			}
		}
	}
	dims[at] = int64(total)
	return s.Tensor(onnx.NewFloats(onnx.Prefix+nameOf(s.NodeProto)+"/offset", all, dims...)), nil
}

// legalSplit writes the sizes of the parts, which are equal if the file does not say.
func legalSplit(s *step) ([]string, error) {
	shape, err := s.shape(0)
	if err != nil {
		return nil, err
	}
	at, err := axis(s.IntAttr("axis", 0), len(shape))
	if err != nil {
		return nil, err
	}
	sizes, given, err := s.given("split", 1)
	if err != nil {
		return nil, err
	}
	if !given {
		part := (shape[at] + len(s.Output) - 1) / len(s.Output) // the last may be smaller
		for rest := shape[at]; len(sizes) < len(s.Output); rest -= part {
			sizes = append(sizes, min(part, rest))
		}
	}
	return s.Ops("Split", len(s.Output), []string{s.operand(0), s.Int64s(sizes...)}, onnx.Int("axis", at)), nil
}

// legalTopK writes how many as a number.
func legalTopK(s *step) ([]string, error) {
	k, given, err := s.given("", 1)
	if s.HasAttr("k") { // before opset 10
		k, given = []int{s.IntAttr("k", 0)}, true
	}
	if err == nil && !given {
		err = fmt.Errorf("does not say how many it takes")
	}
	if err != nil {
		return nil, err
	}
	return s.Ops("TopK", len(s.Output), []string{s.operand(0), s.Int64s(k...)}, s.without("k")...), nil
}

// legalSlice writes starts, ends, axes and steps as numbers.
func legalSlice(s *step) ([]string, error) {
	in := []string{s.operand(0)}
	starts, _, err := s.given("starts", 1)
	if err != nil {
		return nil, err
	}
	var axes, steps []int
	for i := range starts {
		axes, steps = append(axes, i), append(steps, 1)
	}
	ends, _, err := s.given("ends", 2)
	if err != nil {
		return nil, err
	}
	for i, setting := range []*[]int{&axes, &steps} {
		values, given, err := s.given([]string{"axes", "steps"}[i], 3+i)
		if err != nil {
			return nil, err
		}
		if given {
			*setting = values
		}
	}
	for _, values := range [][]int{starts, ends, axes, steps} {
		in = append(in, s.Int64s(values...))
	}
	return s.again(in)
}

// legalGather: what is picked must be known. All elements of a vector, one after the
// other, only have another shape: torch.export writes as_strided so.
func legalGather(s *step) ([]string, error) {
	index := s.from.consts[s.Operand(1)]
	if index == nil {
		return nil, errors.New("what it picks depends on the image")
	}
	shape, err := s.shape(0)
	if err != nil {
		return nil, err
	}
	picks, err := index.Ints()
	if err != nil {
		return nil, err
	}
	for i, pick := range picks {
		if int(pick) != i {
			return same(s)
		}
	}
	if len(shape) == 1 && len(picks) == shape[0] {
		return []string{s.reshape(s.operand(0), ints(index.Dims)...)}, nil
	}
	return same(s)
}

// legalExpand: what is repeated as often as there are images already is.
func legalExpand(s *step) ([]string, error) {
	shape, err := s.shape(0)
	if err != nil {
		return nil, err
	}
	target, _, err := s.given("shape", 1)
	if err != nil {
		return nil, err
	}
	target = slices.Clone(target)
	changes := len(target) > len(shape)
	for i := range target {
		k := i + len(shape) - len(target)
		if k < 0 {
			continue
		}
		if target[i] == shape[k] {
			target[i] = 1
		}
		changes = changes || target[i] != 1
	}
	if !changes {
		return handOn(s)
	}
	return s.again([]string{s.operand(0), s.Int64s(target...)})
}

// legalScatter has today's name for an operator of opsets 9 and 10.
func legalScatter(s *step) ([]string, error) {
	return []string{s.Op("ScatterElements", s.in, s.Attribute...)}, nil
}

func legalTile(s *step) ([]string, error) {
	repeats, _, err := s.given("repeats", 1)
	if err != nil {
		return nil, err
	}
	return s.again([]string{s.operand(0), s.Int64s(repeats...)})
}

// legalPad: before opset 18 all axes are padded. Borders that are copied are picked by
// index.
func legalPad(s *step) ([]string, error) {
	shape, err := s.shape(0)
	if err != nil {
		return nil, err
	}
	amounts, _, err := s.given("pads", 1)
	if err != nil {
		return nil, err
	}
	axes, given, err := s.given("axes", 3)
	if err != nil {
		return nil, err
	}
	if !given {
		for i := range shape {
			axes = append(axes, i)
		}
	}
	if len(amounts) != 2*len(axes) {
		return nil, fmt.Errorf("pads %v are not two for each of %d axes", amounts, len(axes))
	}
	rank := len(shape)
	pads := make([]int, 2*rank)
	for i := range axes {
		at, err := axis(axes[i], rank)
		if err != nil {
			return nil, err
		}
		pads[at], pads[rank+at] = amounts[i], amounts[len(axes)+i]
	}
	mode := s.StringAttr("mode", "constant")
	if mode == "constant" {
		in := []string{s.operand(0), s.Int64s(pads...)}
		switch {
		case s.operand(2) != "":
			in = append(in, s.operand(2))
		case s.HasAttr("value"): // before opset 11
			in = append(in, s.Scalar(s.FloatAttr("value", 0)))
		}
		return s.again(in)
	}
	value := s.operand(0)
	for at, size := range shape {
		if pads[at] == 0 && pads[rank+at] == 0 {
			continue
		}
		const most = 1 << 14 // on a side; each is an index
		if max(pads[at], pads[rank+at]) > most || min(pads[at], pads[rank+at]) < -most {
			return nil, tooLarge(fmt.Sprintf("pads of %d and %d are out of proportion", pads[at], pads[rank+at]))
		}
		var picks []int
		for i := -pads[at]; i < size+pads[rank+at]; i++ {
			picks = append(picks, border(i, size, mode))
		}
		if slices.Contains(picks, -1) {
			return nil, fmt.Errorf("pads of %d and %d by %s are more than the %d there are", pads[at], pads[rank+at], mode, size)
		}
		value = s.Op("Gather", []string{value, s.Int64s(picks...)}, onnx.Int("axis", at))
	}
	return []string{value}, nil
}

// border returns which of size elements stands at index i outside of them, -1 if none
// does.
func border(i, size int, mode string) int {
	switch {
	case mode == "edge":
		return min(max(i, 0), size-1)
	case mode == "wrap":
		return (i%size + size) % size
	case mode == "reflect" && i < 0:
		i = -i
	case mode == "reflect" && i >= size:
		i = 2*(size-1) - i
	}
	if i < 0 || i >= size {
		return -1
	}
	return i
}
