package importer

import (
	"encoding/binary"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/ascood/ascood/onnx"
)

// kerasEfficient is a network of Keras that normalises by itself, as tf2onnx writes it:
// channels last, shapes computed, a depthwise convolution with pads before it, and
// squeeze and excitation.
func kerasEfficient(t *testing.T) *onnx.ModelProto {
	f := newForeign()
	x := f.Input("args_0", "", onnx.TensorProto_FLOAT, "unk__1", 16, 16, 3)
	x = f.Op("Mul", []string{x, f.Scalar(1. / 255)})
	x = f.Op("Sub", []string{x, f.Weights("normalization/mean", []float32{.4, .5, .6}, 1, 1, 1, 3)})
	x = f.Op("Div", []string{x, f.Op("Sqrt", []string{f.Weights("normalization/variance", []float32{.04, .05, .06}, 1, 1, 1, 3)})})
	x = f.Op("Pad", []string{x, f.Int64s(0, 0, 0, 0, 0, 1, 1, 0)}, onnx.String("mode", "constant"))
	x = f.Op("Transpose", []string{x}, onnx.Ints("perm", 0, 3, 1, 2))
	x = f.Op("Conv", []string{x, f.noise("stem", 8, 3, 3, 3)}, onnx.Ints("strides", 2, 2), onnx.String("auto_pad", "VALID"))
	x = f.Op("Mul", []string{x, f.Op("Sigmoid", []string{x})})
	x = f.Op("Conv", []string{x, f.noise("depthwise", 8, 1, 3, 3)}, onnx.Int("group", 8), onnx.String("auto_pad", "SAME_UPPER"))
	mean := f.Op("ReduceMean", []string{f.Op("Transpose", []string{x}, onnx.Ints("perm", 0, 2, 3, 1))}, onnx.Ints("axes", 1, 2), onnx.Int("keepdims", 0))
	shape := f.Op("Cast", []string{f.Op("Shape", []string{mean})}, onnx.Int("to", int(onnx.TensorProto_INT32)))
	count := f.Op("Slice", []string{shape, f.Int64s(0), f.Int64s(1), f.Int64s(0)})
	target := f.Op("Concat", []string{f.Op("Cast", []string{count}, onnx.Int("to", int(onnx.TensorProto_INT64))), f.Int64s(1, 1, 8)}, onnx.Int("axis", 0))
	se := f.Op("Transpose", []string{f.Op("Reshape", []string{mean, target})}, onnx.Ints("perm", 0, 3, 1, 2))
	se = f.Op("Conv", []string{se, f.noise("reduce", 2, 8, 1, 1), f.noise("reduce/bias", 2)})
	se = f.Op("Conv", []string{f.Op("Mul", []string{se, f.Op("Sigmoid", []string{se})}), f.noise("expand", 8, 2, 1, 1), f.noise("expand/bias", 8)})
	x = f.Op("Mul", []string{f.Op("Sigmoid", []string{se}), x})
	x = f.Op("Squeeze", []string{f.Op("GlobalAveragePool", []string{x}), f.Int64s(2, 3)})
	x = f.Op("Add", []string{f.Op("MatMul", []string{x, f.noise("top", 8, 5)}), f.noise("top/bias", 5)})
	f.Output(f.Rename(f.Op("Softmax", []string{x}), "predictions"), "", onnx.TensorProto_FLOAT, "unk__2", 5)
	return f.file(t, 13)
}

// kerasAttention is Keras's layer MultiHeadAttention as it comes from einsum.
func kerasAttention(t *testing.T) *onnx.ModelProto {
	f := newForeign()
	x := f.Input("input", "", onnx.TensorProto_FLOAT, "N", 8, 8, 3)
	x = f.Op("Reshape", []string{x, f.Int64s(-1, 16, 12)})
	part := func(name string) string {
		w := f.Op("Einsum", []string{x, f.noise(name, 12, 2, 6)}, onnx.String("equation", "abc,cde->abde"))
		return f.Op("Add", []string{w, f.noise(name+"/bias", 2, 6)})
	}
	query := f.Op("Mul", []string{part("query"), f.Scalar(.4)})
	weights := f.Op("Softmax", []string{f.Op("Einsum", []string{part("key"), query}, onnx.String("equation", "aecd,abcd->acbe"))}, onnx.Int("axis", -1))
	x = f.Op("Einsum", []string{weights, part("value")}, onnx.String("equation", "acbe,aecd->abcd"))
	x = f.Op("Einsum", []string{x, f.noise("output", 2, 6, 12)}, onnx.String("equation", "abcd,cde->abe"))
	x = f.Op("ReduceMean", []string{x}, onnx.Ints("axes", 1), onnx.Int("keepdims", 0))
	f.Output(f.Rename(f.Op("MatMul", []string{x, f.noise("dense", 12, 5)}), "dense_1"), "", onnx.TensorProto_FLOAT, "N", 5)
	return f.file(t, 15)
}

// ultralytics is a classifier of YOLO's family: parts of channels that are split and
// joined again, one image, a softmax, and names as Python prints them.
func ultralytics(t *testing.T) *onnx.ModelProto {
	f := newForeign()
	x := small(f, 1)
	parts := f.Ops("Split", 2, []string{x, f.Int64s(2, 2)}, onnx.Int("axis", 1))
	y := f.Op("Conv", []string{parts[1], f.noise("m.0", 2, 2, 3, 3)}, onnx.Ints("pads", 1, 1, 1, 1))
	y = f.Op("Add", []string{parts[1], f.Op("Mul", []string{y, f.Op("Sigmoid", []string{y})})})
	end(f, f.Op("Conv", []string{f.Op("Concat", append(parts, y), onnx.Int("axis", 1)), f.noise("cv2", 4, 6, 1, 1)}), 1)
	m := f.file(t, 17)
	after(m, "Softmax")
	m.MetadataProps = []*onnx.StringStringEntryProto{{Key: "task", Value: "classify"}, {Key: "names", Value: `{0: 'tench', 1: "cook's hat", 2: 'hen', 3: 'x\'y', 4: 'jay'}`}}
	return m
}

// huggingFace says of the input's axes what they are, and of none how long.
func huggingFace(t *testing.T) *onnx.ModelProto {
	f := newForeign()
	end(f, small(f, "N"), "N")
	m := f.file(t, 14)
	m.Graph.Input[0] = onnx.Value("x", onnx.TensorProto_FLOAT, "batch_size", "num_channels", "height", "width")
	return m
}

// zipMap ends in a list of classes with their probabilities, as ML services write it:
// no tensor. Inside is a vector of logits.
func zipMap(t *testing.T) *onnx.ModelProto {
	f := newForeign()
	end(f, small(f, "N"), "N")
	m := f.file(t, 12)
	after(m, "ZipMap")
	find(m, "ZipMap").Domain = "ai.onnx.ml"
	m.OpsetImport = append(m.OpsetImport, &onnx.OperatorSetIdProto{Domain: "ai.onnx.ml", Version: 1})
	m.Graph.Output[0].Type = &onnx.TypeProto{}
	return m
}

// sequences are how exporters write chunk, split and stack of what they do not know the
// length of.
func sequences(t *testing.T) *onnx.ModelProto {
	f := newForeign()
	x := small(f, "N")
	whole := f.Op("SplitToSequence", []string{x, f.Int64s(2)}, onnx.Int("axis", 1)) // Int64s(2) is made a scalar below
	sized := f.Op("SplitToSequence", []string{x, f.Int64s(1, 2, 1)}, onnx.Int("axis", 1))
	ones := f.Op("SplitToSequence", []string{x}, onnx.Int("axis", 1), onnx.Int("keepdims", 0))
	zero, one, two := f.Weights("zero", nil, 0), f.Weights("one", nil, 0), f.Weights("two", nil, 0)
	at := func(s, i string) string { return f.Op("SequenceAt", []string{s, i}) }
	a := f.Op("ReduceMean", []string{f.Op("Sub", []string{at(whole, zero), at(whole, one)})}, onnx.Ints("axes", 1), onnx.Int("keepdims", 0)) // [N,8,8]
	b := f.Op("ReduceMean", []string{f.Op("Concat", []string{at(sized, two), at(sized, one)}, onnx.Int("axis", 1))}, onnx.Ints("axes", 1), onnx.Int("keepdims", 0))
	c := at(ones, one)
	stack := f.Op("SequenceConstruct", []string{a, b, c, at(f.Op("SequenceConstruct", []string{a, c}), zero)})
	x = f.Op("ConcatFromSequence", []string{stack}, onnx.Int("axis", 1), onnx.Int("new_axis", 1))
	end(f, x, "N")
	m := f.file(t, 13)
	number := func(n byte) []byte { return []byte{n, 0, 0, 0, 0, 0, 0, 0} }
	for i, w := range m.Graph.Initializer {
		if n := slices.Index([]string{"zero", "one", "two"}, w.Name); n >= 0 {
			m.Graph.Initializer[i] = onnx.NewTensor(w.Name, onnx.TensorProto_INT64, number(byte(n)))
		}
	}
	m.Graph.Initializer = append(m.Graph.Initializer, onnx.NewTensor("chunk", onnx.TensorProto_INT64, number(2)))
	find(m, "SplitToSequence").Input[1] = "chunk"
	return m
}

// nested has calls of the file's functions inside the branches of an If, and a Reshape
// that takes zeros at their word, as PyTorch's newer exporter writes them.
func nested(t *testing.T) *onnx.ModelProto {
	m := branched(t)
	m.OpsetImport = append(m.OpsetImport, &onnx.OperatorSetIdProto{Domain: "pkg.torch", Version: 1})
	m.OpsetImport[0].Version = 18
	m.Functions = []*onnx.FunctionProto{{
		Name: "drop", Domain: "pkg.torch", Input: []string{"a", "axes"}, Output: []string{"b"}, OpsetImport: m.OpsetImport,
		Node: []*onnx.NodeProto{{Name: "n", OpType: "Squeeze", Input: []string{"a", "axes"}, Output: []string{"c"}}, {Name: "o", OpType: "Identity", Input: []string{"c"}, Output: []string{"b"}}},
	}}
	for _, a := range find(m, "If").Attribute {
		for _, n := range a.G.Node {
			if n.OpType == "Squeeze" {
				n.OpType, n.Domain = "drop", "pkg.torch"
			}
		}
	}
	gemm := find(m, "Gemm")
	m.Graph.Node = slices.Insert(m.Graph.Node, len(m.Graph.Node)-1, &onnx.NodeProto{
		Name: "view", OpType: "Reshape", Input: []string{gemm.Input[0], "target"}, Output: []string{"viewed"}, Attribute: []onnx.Attr{onnx.Int("allowzero", 1)},
	})
	gemm.Input[0] = "viewed"
	m.Graph.Initializer = append(m.Graph.Initializer, onnx.NewInts("target", []int64{-1, 4}, 2))
	return m
}

// squeezed drops all axes of one element, which of a single image is that of the images
// as well: it runs with two at least.
func squeezed(t *testing.T, batch any) *onnx.ModelProto {
	f := newForeign()
	x := f.Op("Squeeze", []string{f.Op("GlobalAveragePool", []string{small(f, batch)})})
	y := f.Op("Add", []string{f.Op("MatMul", []string{x, f.noise("fc", 4, 5)}), f.noise("bias", 5)})
	f.Output(f.Rename(y, "y"), "", onnx.TensorProto_FLOAT, "d", 5)
	m := f.file(t, 13)
	m.Graph.Output[0] = onnx.Shapeless("y", onnx.TensorProto_FLOAT)
	return m
}

// typed makes a network's input, output and weights of another floating-point type.
func typed(m *onnx.ModelProto, kind onnx.TensorProto_DataType) *onnx.ModelProto {
	for _, v := range []*onnx.ValueInfoProto{m.Graph.Input[0], m.Graph.Output[0]} {
		v.Type.GetTensorType().ElemType = int32(kind)
	}
	for _, w := range m.Graph.Initializer {
		values, err := w.Float32s()
		if err != nil {
			continue
		}
		w.DataType, w.RawData = int32(kind), nil
		for _, v := range values {
			if kind == onnx.TensorProto_DOUBLE {
				w.RawData = binary.LittleEndian.AppendUint64(w.RawData, math.Float64bits(float64(v)))
			} else {
				w.RawData = binary.LittleEndian.AppendUint16(w.RawData, uint16(math.Float32bits(v)>>16))
			}
		}
	}
	return m
}

// mixed computes with half precision between casts, and takes and gives float32.
func mixed(t *testing.T) *onnx.ModelProto {
	m := halves(t)
	for _, v := range []*onnx.ValueInfoProto{m.Graph.Input[0], m.Graph.Output[0]} {
		v.Type.GetTensorType().ElemType = int32(onnx.TensorProto_FLOAT)
	}
	find(m, "Conv").Input[0], find(m, "Gemm").Output[0] = "x16", "y16"
	cast := func(in, out string, to onnx.TensorProto_DataType) *onnx.NodeProto {
		return &onnx.NodeProto{Name: out, OpType: "Cast", Input: []string{in}, Output: []string{out}, Attribute: []onnx.Attr{onnx.Int("to", int(to))}}
	}
	m.Graph.Node = append([]*onnx.NodeProto{cast("x", "x16", onnx.TensorProto_FLOAT16)}, append(m.Graph.Node, cast("y16", "y", onnx.TensorProto_FLOAT))...)
	return m
}

// byteWeights keeps its weights as bytes, and computes with floating-point numbers.
func byteWeights(t *testing.T) *onnx.ModelProto {
	f := newForeign()
	x := f.Input("x", "", onnx.TensorProto_FLOAT, "N", 3, 8, 8)
	quantised := f.Op("QuantizeLinear", []string{f.noise("conv", 4, 3, 3, 3), f.Scalar(.01)})
	x = f.Op("Relu", []string{f.Op("Conv", []string{x, f.Op("DequantizeLinear", []string{quantised, f.Scalar(.01)})}, onnx.Ints("pads", 1, 1, 1, 1))})
	end(f, x, "N")
	return f.file(t, 17)
}

// mxnet lists its weights among the inputs, as files of format version 3 do, and has an
// input that nothing takes.
func mxnet(t *testing.T) *onnx.ModelProto {
	f := newForeign()
	x := f.Op("BatchNormalization", []string{small(f, 1), f.spread("gamma", 4), f.noise("beta", 4), f.noise("moving_mean", 4), f.spread("moving_var", 4)}, onnx.Int("spatial", 1))
	end(f, f.Op("Dropout", []string{x}, onnx.Float("ratio", .5)), 1)
	m := f.file(t, 11)
	m.IrVersion = 3
	for _, w := range m.Graph.Initializer {
		m.Graph.Input = append(m.Graph.Input, onnx.Described(w.Name, w.Type(), onnx.Static(ints(w.Dims)...)))
	}
	m.Graph.Input = append(m.Graph.Input, onnx.Value("softmax_label", onnx.TensorProto_FLOAT, 1))
	find(m, "BatchNormalization").Attribute = nil // spatial is of older opsets
	return m
}

// branches are networks of two ways that meet, with weights in common and an odd head.
func twoWays(t *testing.T) *onnx.ModelProto {
	f := newForeign()
	x := f.Input("x", "", onnx.TensorProto_FLOAT, "N", 3, 8, 8)
	w := f.noise("shared", 4, 3, 3, 3)
	a := f.Op("Conv", []string{x, w}, onnx.Ints("pads", 1, 1, 1, 1))
	small := f.Op("AveragePool", []string{x}, onnx.Ints("kernel_shape", 2, 2), onnx.Ints("strides", 2, 2))
	b := f.Op("Conv", []string{small, w}, onnx.Ints("pads", 1, 1, 1, 1))
	up := f.Op("Resize", []string{b, "", f.Weights("scales", []float32{1, 1, 2, 2}, 4)}, onnx.String("mode", "linear"), onnx.String("coordinate_transformation_mode", "pytorch_half_pixel"))
	gate := f.Op("Sigmoid", []string{f.Op("Conv", []string{up, f.noise("gate", 1, 4, 1, 1)})})
	joined := f.Op("Concat", []string{f.Op("Mul", []string{a, gate}), up}, onnx.Int("axis", 1))
	mean := f.Op("GlobalAveragePool", []string{joined})
	most := f.Op("GlobalMaxPool", []string{joined})
	v := f.Op("Flatten", []string{f.Op("Concat", []string{mean, most}, onnx.Int("axis", 1))})
	hidden := f.Op("BatchNormalization", []string{v, f.spread("g", 16), f.noise("b", 16), f.noise("m", 16), f.spread("v", 16)})
	logits := f.Op("Gemm", []string{hidden, f.noise("fc.weight", 5, 16), f.noise("fc.bias", 5)}, onnx.Int("transB", 1))
	temperature := f.Op("Div", []string{logits, f.Scalar(1.5)})
	f.Output(f.Rename(f.Op("LogSoftmax", []string{temperature}, onnx.Int("axis", 1)), "y"), "", onnx.TensorProto_FLOAT, "N", 5)
	return f.file(t, 16)
}

// transposed has transposed convolutions whose padding follows from the size of what they
// make, evenly or not, or that reach less far.
func transposed(t *testing.T) *onnx.ModelProto {
	f := newForeign()
	x := small(f, "N")
	for i, attrs := range [][]onnx.Attr{
		{onnx.Ints("strides", 2, 2), onnx.Ints("output_shape", 16, 14)},
		{onnx.Ints("strides", 2, 1), onnx.String("auto_pad", "SAME_UPPER")},
		{onnx.Ints("strides", 1, 2), onnx.String("auto_pad", "SAME_LOWER")},
		{onnx.Ints("strides", 3, 3), onnx.Ints("output_shape", 84, 85)},
	} {
		size := []int{3, 4, 4, 2}[i]
		x = f.Op("ConvTranspose", []string{x, f.noise("up", 4, 4, size, size)}, attrs...)
		x = f.Op("Mul", []string{f.Op("Slice", []string{x, f.Int64s(0, 0), f.Int64s(28, 29), f.Int64s(2, 3)}), f.Scalar(8)})
		x = f.Op("Mul", []string{x, f.Op("Resize", []string{f.noise("places", 1, 1, 5, 5), "", "", f.Op("Shape", []string{f.Op("ReduceMean", []string{x}, onnx.Ints("axes", 1))})})})
	}
	end(f, x, "N")
	return f.file(t, 17)
}

// strided is a network that torch.compile has worked on, as PyTorch 2.9 writes it: the
// mean has strides of its own, which a loop of the file makes indices of.
func strided(t *testing.T) *onnx.ModelProto {
	f := newForeign()
	x := f.Op("ReduceMean", []string{small(f, 1), f.Int64s(-1, -2)})
	x = f.Op("Reshape", []string{x, f.Int64s(-1)})
	number := func(name string, v int64) string { return f.Tensor(onnx.NewInts(name, []int64{v})) }
	rank, zero, one := number("rank", 4), number("zero", 0), number("one", 1)
	sizes, strides, ones, start, flat := f.Int64s(1, 4, 1, 1), f.Int64s(4, 1, 4, 4), f.Int64s(1, 1, 1, 1), f.Int64s(0), f.Int64s(-1)
	indices := f.Op("Loop", []string{rank, "", zero})
	x = f.Op("Gather", []string{x, f.Op("Add", []string{indices, zero})}, onnx.Int("axis", 0))
	x = f.Op("Flatten", []string{f.Op("Conv", []string{x, f.noise("head", 4, 4, 1, 1)})})
	x = f.Op("Gemm", []string{x, f.noise("fc.weight", 5, 4), f.noise("fc.bias", 5)}, onnx.Int("transB", 1))
	f.Output(f.Rename(x, "linear"), "", onnx.TensorProto_FLOAT, 1, 5)
	m := f.file(t, 18)
	node := func(op, out string, in ...string) *onnx.NodeProto {
		return &onnx.NodeProto{Name: out, OpType: op, Input: in, Output: []string{out}}
	}
	body := &onnx.GraphProto{
		Name:   "loop_body",
		Input:  []*onnx.ValueInfoProto{onnx.Value("i", onnx.TensorProto_INT64), onnx.Value("go", onnx.TensorProto_BOOL), onnx.Shapeless("made", onnx.TensorProto_INT64)},
		Output: []*onnx.ValueInfoProto{onnx.Shapeless("on", onnx.TensorProto_BOOL), onnx.Shapeless("more", onnx.TensorProto_INT64)},
		Node: []*onnx.NodeProto{
			node("Sub", "left", rank, "i"), node("Sub", "axis", "left", one), node("Reshape", "at", "axis", flat), node("Reshape", "end", rank, flat),
			node("Gather", "size", sizes, "axis"), node("Gather", "stride", strides, "axis"),
			node("Range", "steps", zero, "size", one), node("Mul", "places", "steps", "stride"),
			node("Reshape", "count", "i", flat), node("Slice", "behind", ones, start, "count"), node("Concat", "column", flat, "behind"), node("Reshape", "spread", "places", "column"),
			node("Slice", "after", sizes, "at", "end"), node("Expand", "repeated", "made", "after"), node("Add", "more", "repeated", "spread"),
			node("Identity", "on", "go"),
		},
	}
	body.Node[slices.IndexFunc(body.Node, func(n *onnx.NodeProto) bool { return n.OpType == "Concat" })].Attribute = []onnx.Attr{onnx.Int("axis", 0)}
	find(m, "Loop").Attribute = []onnx.Attr{{Name: "body", Type: onnx.AttributeProto_GRAPH, G: body}}
	return m
}

// TestExporters imports further files, in the forms in which exporters and users write
// them.
func TestExporters(t *testing.T) {
	inner := normal(8)
	inner.Logits = "y"
	for name, c := range map[string]struct {
		file   *onnx.ModelProto
		opt    Options
		single bool
		note   string
	}{
		"Keras, EfficientNet":     {kerasEfficient(t), pixels(16), false, "the Softmax at the end is left out"},
		"Keras, attention":        {kerasAttention(t), normal(8), false, ""},
		"Ultralytics":             {ultralytics(t), normal(8), false, "the Softmax at the end is left out"},
		"Hugging Face":            {huggingFace(t), normal(8), false, ""},
		"probabilities by class":  {zipMap(t), inner, false, ""},
		"sequences":               {sequences(t), normal(8), false, ""},
		"functions in branches":   {nested(t), normal(8), false, ""},
		"squeezed, any number":    {squeezed(t, "N"), normal(8), false, ""},
		"squeezed, one":           {squeezed(t, 1), normal(8), true, "one at a time"},
		"float64":                 {typed(sound(t), onnx.TensorProto_DOUBLE), normal(8), false, "constants of DOUBLE are computed with as FLOAT"},
		"bfloat16":                {typed(sound(t), onnx.TensorProto_BFLOAT16), normal(8), false, "constants of BFLOAT16 are computed with as FLOAT"},
		"half precision within":   {mixed(t), normal(8), false, "constants of FLOAT16 are computed with as FLOAT"},
		"weights in bytes":        {byteWeights(t), normal(8), false, ""},
		"MXNet":                   {mxnet(t), normal(8), false, ""},
		"transposed convolutions": {transposed(t), normal(8), false, ""},
		"PyTorch's compiler":      {strided(t), normal(8), false, ""},
		"two ways":                {twoWays(t), normal(8), false, "the LogSoftmax at the end is left out"},
	} {
		t.Run(name, func(t *testing.T) {
			net, err := Import(c.file, c.opt)
			if err != nil {
				t.Fatal(err)
			}
			if net.Single != c.single || net.Classes != 5 || !net.Linear || !strings.Contains(strings.Join(net.Notes, "\n"), c.note) || c.note == "" && len(net.Notes) > 0 {
				t.Errorf("single %v, %d classes, feature %q, notes %q", net.Single, net.Classes, net.Feature, net.Notes)
			}
		})
	}
	net, err := Import(ultralytics(t), normal(8))
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"tench", "cook's hat", "hen", "x'y", "jay"}; !slices.Equal(net.Names, want) {
		t.Errorf("names %q, want %q", net.Names, want)
	}
}
