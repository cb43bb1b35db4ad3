package importer

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ascood/ascood/onnx"
)

// legalConv writes kernel and padding as numbers.
func legalConv(s *step) ([]string, error) {
	kernel, err := s.kernel()
	if err != nil {
		return nil, err
	}
	attrs, err := s.window(kernel)
	if err != nil {
		return nil, err
	}
	return s.again(s.in, append(attrs, onnx.Int("group", s.IntAttr("group", 1)))...)
}

// kernel returns the size of each axis of a convolution's weights.
func (s *step) kernel() ([]int, error) {
	weight := s.from.consts[s.Operand(1)]
	if weight == nil {
		return nil, errors.New("its weights depend on the image")
	}
	if len(weight.Dims) < 3 {
		return nil, fmt.Errorf("its weights have %d dimensions; want 3 or more", len(weight.Dims))
	}
	return ints(weight.Dims[2:]), nil
}

// legalConvTranspose writes padding as numbers, also where the size of the result is
// given in its place, or is to be that of the image times the stride.
func legalConvTranspose(s *step) ([]string, error) {
	kernel, err := s.kernel()
	if err != nil {
		return nil, err
	}
	attrs, err := s.window(kernel)
	if err != nil {
		return nil, err
	}
	extra := slices.Clone(s.IntsAttr("output_padding", make([]int, len(kernel))...))
	auto := s.StringAttr("auto_pad", "NOTSET")
	if s.HasAttr("output_shape") || strings.HasPrefix(auto, "SAME") {
		pads, err := s.fittingPads(kernel, extra, auto)
		if err != nil {
			return nil, err
		}
		attrs = append(slices.DeleteFunc(attrs, func(a onnx.Attr) bool { return a.Name == "pads" }), onnx.Ints("pads", pads...))
	}
	attrs = append(attrs, onnx.Int("group", s.IntAttr("group", 1)))
	if slices.Max(extra) > 0 {
		attrs = append(attrs, onnx.Ints("output_padding", extra...))
	}
	return s.again(s.in, attrs...)
}

// fittingPads are those by which a transposed convolution makes a result of the size
// that is given, or of as many times the image's as the stride is.
func (s *step) fittingPads(kernel, extra []int, auto string) ([]int, error) {
	shape, err := s.shape(0)
	if err != nil {
		return nil, err
	}
	rank, ones := len(kernel), slices.Repeat([]int{1}, len(kernel))
	strides, dilations := s.IntsAttr("strides", ones...), s.IntsAttr("dilations", ones...)
	var sizes []int
	for i := range rank {
		sizes = append(sizes, shape[2+i]*strides[i])
	}
	if s.HasAttr("output_shape") {
		sizes = s.IntsAttr("output_shape")
	}
	if len(sizes) > rank {
		sizes = sizes[len(sizes)-rank:] // of the maps alone
	}
	if len(sizes) != rank || len(extra) != rank {
		return nil, fmt.Errorf("output_shape %v and output_padding %v do not go together with a kernel of %v", sizes, extra, kernel)
	}
	pads := make([]int, 2*rank)
	for i, size := range sizes {
		total := strides[i]*(shape[2+i]-1) + extra[i] + (kernel[i]-1)*dilations[i] + 1 - size
		if total < 0 { // nothing reaches the rest
			extra[i], total = extra[i]-total, 0
		}
		pads[i], pads[rank+i] = total-total/2, total/2
		if auto == "SAME_UPPER" {
			pads[i], pads[rank+i] = total/2, total-total/2
		}
		if extra[i] >= max(strides[i], dilations[i]) {
			return nil, fmt.Errorf("its output_shape %v is too large for maps of %v", sizes, shape[2:])
		}
	}
	return pads, nil
}

// legalPool writes the padding as numbers.
func legalPool(s *step) ([]string, error) {
	attrs, err := s.window(s.IntsAttr("kernel_shape"))
	if err != nil {
		return nil, err
	}
	if s.OpType == "AveragePool" {
		if slices.ContainsFunc(s.IntsAttr("dilations"), func(d int) bool { return d != 1 }) {
			return nil, errors.New("it has dilations, which opset 17 has not")
		}
		attrs = slices.DeleteFunc(attrs, func(a onnx.Attr) bool { return a.Name == "dilations" })
		attrs = append(attrs, onnx.Int("count_include_pad", s.IntAttr("count_include_pad", 0)))
	}
	in := s.in
	if n := s.Maker(s.operand(0)); n != nil && n.OpType == "Pad" {
		// ONNX Runtime would make one pool of the two: it refuses an average of pads as wide as
		// its kernel, and a maximum leaves pads out, which zeros may be. A Reshape is between.
		shape, err := s.shape(0)
		if err != nil {
			return nil, err
		}
		in = []string{s.Op("Reshape", []string{s.operand(0), s.Int64s(shape...)})}
	}
	attrs, ceil, err := s.lastWindows(attrs)
	if err != nil {
		return nil, err
	}
	return s.again(in, append(attrs, onnx.Int("ceil_mode", ceil))...)
}

// lastWindows writes ceil_mode as padding, or leaves it out, where a last window would begin
// behind the maps: there is none then, but ONNX Runtime counts it when it infers shapes.
func (s *step) lastWindows(attrs []onnx.Attr) (written []onnx.Attr, ceil int, err error) {
	ceil = s.IntAttr("ceil_mode", 0)
	w, err := onnx.WindowOf(&onnx.NodeProto{Attribute: attrs}, nil)
	shape, shapeErr := s.shape(0)
	if err = cmp.Or(err, shapeErr); err != nil || ceil == 0 {
		return attrs, ceil, err
	}
	behind, whole := false, true
	after := slices.Clone(w.After)
	for i, size := range shape[2:] {
		room := size + w.Before[i] + w.After[i] - w.Span(i)
		rest := room % w.Strides[i]
		switch {
		case rest == 0:
		case (room/w.Strides[i]+1)*w.Strides[i] >= size+w.Before[i]:
			behind = true
		default:
			whole = false
			after[i] += w.Strides[i] - rest
		}
	}
	if !behind || !whole && s.IntAttr("count_include_pad", 0) != 0 {
		return attrs, ceil, nil
	}
	pads := onnx.Ints("pads", slices.Concat(w.Before, after)...)
	for i, a := range attrs {
		if a.Name == pads.Name {
			attrs[i] = pads
		}
	}
	return attrs, 0, nil
}

// window returns the attributes of an operator that slides a kernel over maps.
func (s *step) window(kernel []int) ([]onnx.Attr, error) {
	shape, err := s.shape(0)
	if err != nil {
		return nil, err
	}
	rank, ones := len(kernel), slices.Repeat([]int{1}, len(kernel))
	strides, dilations := s.IntsAttr("strides", ones...), s.IntsAttr("dilations", ones...)
	pads := s.IntsAttr("pads", make([]int, 2*rank)...)
	if rank == 0 || len(shape) != rank+2 || len(strides) != rank || len(dilations) != rank || len(pads) != 2*rank ||
		slices.Min(strides) < 1 || slices.Min(dilations) < 1 || slices.Min(kernel) < 1 {
		return nil, fmt.Errorf("kernel %v, strides %v, dilations %v and pads %v do not go together with %v", kernel, strides, dilations, pads, shape)
	}
	switch auto := s.StringAttr("auto_pad", "NOTSET"); auto {
	case "NOTSET", "":
	case "VALID":
		pads = make([]int, 2*rank)
	case "SAME_UPPER", "SAME_LOWER":
		pads = make([]int, 2*rank)
		for i, stride := range strides {
			steps := (shape[2+i] + stride - 1) / stride
			total := max((steps-1)*stride+(kernel[i]-1)*dilations[i]+1-shape[2+i], 0)
			less, more := total/2, total-total/2
			pads[i], pads[rank+i] = less, more
			if auto == "SAME_LOWER" {
				pads[i], pads[rank+i] = more, less
			}
		}
	default:
		return nil, fmt.Errorf("auto_pad is %q", auto)
	}
	return []onnx.Attr{
		onnx.Ints("kernel_shape", kernel...), onnx.Ints("strides", strides...), onnx.Ints("dilations", dilations...), onnx.Ints("pads", pads...),
	}, nil
}
