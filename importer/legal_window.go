package importer

import (
	"errors"
	"fmt"
	"slices"

	"github.com/ascood/ascood/onnx"
)

// legalConv writes kernel and padding as numbers.
func legalConv(s *step) ([]string, error) {
	weight := s.from.consts[s.Operand(1)]
	if weight == nil {
		return nil, errors.New("its weights depend on the image")
	}
	if len(weight.Dims) != 4 {
		return nil, fmt.Errorf("its weights have %d dimensions; want maps of two axes, 4", len(weight.Dims))
	}
	attrs, err := s.window(ints(weight.Dims[2:]))
	if err != nil {
		return nil, err
	}
	return s.again(s.in, append(attrs, onnx.Int("group", s.IntAttr("group", 1)))...)
}

// legalPool writes the padding as numbers.
func legalPool(s *step) ([]string, error) {
	kernel := s.IntsAttr("kernel_shape")
	if len(kernel) != 2 {
		return nil, fmt.Errorf("its kernel is %v; want one of two axes", kernel)
	}
	attrs, err := s.window(kernel)
	if err != nil {
		return nil, err
	}
	if s.OpType == "AveragePool" {
		if slices.Max(s.IntsAttr("dilations", 1, 1)) > 1 {
			return nil, errors.New("it has dilations, which opset 17 has not")
		}
		attrs = slices.DeleteFunc(attrs, func(a onnx.Attr) bool { return a.Name == "dilations" })
		attrs = append(attrs, onnx.Int("count_include_pad", s.IntAttr("count_include_pad", 0)))
	}
	return s.again(s.in, append(attrs, onnx.Int("ceil_mode", s.IntAttr("ceil_mode", 0)))...)
}

// window returns the attributes of an operator that slides a kernel over maps of two
// axes.
func (s *step) window(kernel []int) ([]onnx.Attr, error) {
	shape, err := s.shape(0)
	if err != nil {
		return nil, err
	}
	if len(shape) != 4 {
		return nil, fmt.Errorf("it takes maps of %d axes; want 2", len(shape)-2)
	}
	strides, dilations := s.IntsAttr("strides", 1, 1), s.IntsAttr("dilations", 1, 1)
	pads := s.IntsAttr("pads", 0, 0, 0, 0)
	if len(kernel) != 2 || len(strides) != 2 || len(dilations) != 2 || len(pads) != 4 || slices.Min(strides) < 1 || slices.Min(dilations) < 1 || slices.Min(kernel) < 1 {
		return nil, fmt.Errorf("kernel %v, strides %v, dilations %v and pads %v do not go together", kernel, strides, dilations, pads)
	}
	switch auto := s.StringAttr("auto_pad", "NOTSET"); auto {
	case "NOTSET", "":
	case "VALID":
		pads = make([]int, 4)
	case "SAME_UPPER", "SAME_LOWER":
		pads = make([]int, 4)
		for i := range 2 {
			size, stride := shape[2+i], strides[i]
			steps := (size + stride - 1) / stride
			total := max((steps-1)*stride+(kernel[i]-1)*dilations[i]+1-size, 0)
			less, more := total/2, total-total/2
			pads[i], pads[2+i] = less, more
			if auto == "SAME_LOWER" {
				pads[i], pads[2+i] = more, less
			}
		}
	default:
		return nil, fmt.Errorf("auto_pad is %q", auto)
	}
	return []onnx.Attr{
		onnx.Ints("kernel_shape", kernel...), onnx.Ints("strides", strides...), onnx.Ints("dilations", dilations...), onnx.Ints("pads", pads...),
	}, nil
}
