package importer

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/onnx"
)

// Layouts of an image input, and orders of its channels.
const (
	NCHW = "nchw"
	NHWC = "nhwc"

	RGB  = "rgb"
	BGR  = "bgr"
	Gray = "gray"
)

// maxBatch is the most images that a file may take at once.
const maxBatch = 64

// luminance is what the channels of a gray image are of red, green and blue, as PIL
// has it (ITU-R 601-2).
var luminance = []float32{0.299, 0.587, 0.114}

// image is what a network takes: [N,3,S,S], red, green and blue, normalised.
type image struct {
	name  string
	size  int
	batch int // images that the file takes at once; 1 if it takes any number
	open  bool
	input *onnx.ValueInfoProto // of the file
	nodes []*onnx.NodeProto    // that make the file's input of an image, but for its type
	taken map[string]*onnx.TensorProto
}

// findImage finds out what image a network takes.
func (g *graph) findImage(opt Options) (image, error) {
	g.dropUnused()
	if len(g.inputs) != 1 {
		var names []string
		for _, v := range g.inputs {
			names = append(names, v.Name)
		}
		return image{}, ascood.Errorf(ascood.Unsupported, "the network has %d inputs (%s); supported are networks that take images alone", len(g.inputs), strings.Join(names, ", "))
	}
	v := g.inputs[0]
	t := v.GetType().GetTensorType()
	dims := t.GetShape().GetDim()
	kind := onnx.TensorProto_DataType(t.GetElemType())
	if len(dims) != 4 || !onnx.IsFloat(kind) && kind != onnx.TensorProto_UINT8 {
		return image{}, ascood.Errorf(ascood.Unsupported, "the input %q is %s; supported are images, as in FLOAT [N,3,224,224]", v.Name, describeValue(v))
	}
	if kind == onnx.TensorProto_UINT8 && !opt.bytes() {
		return image{}, ascood.Errorf(ascood.Invalid, "the input %q is UINT8, which holds pixels as they are, from 0 to 255: %s must be 0,0,0, and %s .00392156862745098 thrice",
			v.Name, ascood.Field("mean"), ascood.Field("std"))
	}
	size := func(i int) int { return int(max(dims[i].GetDimValue(), 0)) } // 0 is any
	layout, err := findLayout(v, channelsOf(dims[1], opt), channelsOf(dims[3], opt), opt)
	if err != nil {
		return image{}, err
	}
	if size(0) > maxBatch {
		return image{}, ascood.Errorf(ascood.Unsupported, "the file takes %d images at a time; supported are up to %d, or any number", size(0), maxBatch)
	}
	in := image{name: g.fresh("image"), size: opt.Size, batch: max(size(0), 1), open: size(0) == 0, input: v}
	height, width := size(2), size(3)
	if layout == NHWC {
		height, width = size(1), size(2)
	}
	if height > 0 && width > 0 && height != width {
		return image{}, ascood.Errorf(ascood.Unsupported, "the network takes images of %dx%d pixels; supported are square ones: if it takes images of any size, export it for such", width, height)
	}
	for _, fixed := range []int{height, width} {
		if fixed > 0 && fixed != opt.Size {
			return image{}, ascood.Errorf(ascood.Invalid, "%s %d: the network takes images of %dx%d pixels, so %s must be %d, and %s as much or more, as in the training",
				ascood.Field("image_size"), opt.Size, fixed, fixed, ascood.Field("image_size"), fixed, ascood.Field("pre_size"))
		}
	}
	in.adapt(g, layout, opt.Channels)
	return in, nil
}

// bytes reports whether normalised images are the bytes of their pixels.
func (opt Options) bytes() bool {
	for c, mean := range opt.Mean {
		if math.Abs(mean) > 1e-3/255 || math.Abs(opt.Std[c]*255-1) > 1e-5 {
			return false
		}
	}
	return true
}

// dropUnused drops inputs that nothing takes, but for the last.
func (g *graph) dropUnused() {
	used := map[string]bool{}
	for _, n := range g.nodes {
		for _, in := range slices.Concat(n.Input, captured(n)) {
			used[in] = true
		}
	}
	var inputs []*onnx.ValueInfoProto
	for _, v := range g.inputs {
		if used[v.Name] {
			inputs = append(inputs, v)
		}
	}
	if len(inputs) > 0 {
		g.inputs = inputs
	}
}

// channelsOf is the size of an axis, 0 if it is open: the one that the file calls that
// of the channels has as many as images have.
func channelsOf(d *onnx.TensorShapeProto_Dimension, opt Options) int {
	if strings.Contains(strings.ToLower(d.GetDimParam()), "channel") {
		return opt.imageChannels()
	}
	return int(max(d.GetDimValue(), 0))
}

// imageChannels is how many channels images have.
func (opt Options) imageChannels() int {
	if opt.Channels == Gray {
		return 1
	}
	return 3
}

// findLayout tells NCHW from NHWC by where the channels are.
func findLayout(v *onnx.ValueInfoProto, second, last int, opt Options) (string, error) {
	channels := opt.imageChannels()
	field := ascood.Field("input_layout")
	fits := map[string]bool{NCHW: second == channels || second == 0, NHWC: last == channels || last == 0}
	sure := map[string]bool{NCHW: second == channels && last != channels, NHWC: last == channels && second != channels}
	switch {
	case opt.Layout != "" && !fits[opt.Layout]:
		return "", ascood.Errorf(ascood.Invalid, "%s is %s, but the input %q is %s and the images have %d channels", field, opt.Layout, v.Name, describeValue(v), channels)
	case opt.Layout != "":
		return opt.Layout, nil
	case sure[NCHW]:
		return NCHW, nil
	case sure[NHWC]:
		return NHWC, nil
	case fits[NCHW] || fits[NHWC]:
		return "", ascood.Errorf(ascood.Invalid, "the input %q is %s, which does not tell where its channels are: %s must say %s or %s", v.Name, describeValue(v), field, NCHW, NHWC)
	case channels == 3 && (second == 1 || last == 1):
		return "", ascood.Errorf(ascood.Invalid, "the input %q is %s, of one channel: %s %s has images made gray for it", v.Name, describeValue(v), ascood.Field("channels"), Gray)
	}
	return "", ascood.Errorf(ascood.Unsupported, "the input %q is %s, which is no image of %d channels", v.Name, describeValue(v), channels)
}

// adapt makes the nodes between the image and the file's input.
func (in *image) adapt(g *graph, layout, channels string) {
	in.taken = map[string]*onnx.TensorProto{}
	value := in.name
	add := func(op string, operands []string, attrs ...onnx.Attr) {
		name := g.fresh("input/" + op)
		in.nodes = append(in.nodes, &onnx.NodeProto{Name: name, OpType: op, Input: append([]string{value}, operands...), Output: []string{name}, Attribute: attrs})
		value = name
	}
	constant := func(t *onnx.TensorProto) string {
		t.Name = g.fresh(t.Name)
		in.taken[t.Name] = t
		return t.Name
	}
	switch channels {
	case BGR:
		add("Gather", []string{constant(onnx.NewInts("input/bgr", []int64{2, 1, 0}, 3))}, onnx.Int("axis", 1))
	case Gray:
		add("Conv", []string{constant(onnx.NewFloats("input/luminance", luminance, 1, 3, 1, 1))}, onnx.Ints("kernel_shape", 1, 1))
	}
	if layout == NHWC {
		add("Transpose", nil, onnx.Ints("perm", 0, 2, 3, 1))
	}
	in.nodes = append(in.nodes, &onnx.NodeProto{Name: g.fresh("input/Identity"), OpType: "Identity", Input: []string{value}, Output: []string{in.input.Name}})
}

// adapted returns the graph with the image as its input. With typed, the image is
// cast to the type that the file takes.
func (g *graph) adapted(in image, typed bool) *graph {
	made := *g
	made.inputs = []*onnx.ValueInfoProto{onnx.Value(in.name, onnx.TensorProto_FLOAT, "N", 3, in.size, in.size)}
	made.consts = map[string]*onnx.TensorProto{}
	for _, from := range []map[string]*onnx.TensorProto{g.consts, in.taken} {
		for name, t := range from {
			made.consts[name] = t
		}
	}
	made.nodes = nil
	for _, n := range in.nodes {
		if typed && n.OpType == "Identity" {
			n = &onnx.NodeProto{Name: n.Name, OpType: "Cast", Input: n.Input, Output: n.Output,
				Attribute: []onnx.Attr{onnx.Int("to", int(in.input.Type.GetTensorType().ElemType))}}
		}
		made.nodes = append(made.nodes, n)
	}
	made.nodes = append(made.nodes, g.nodes...)
	return &made
}

// noise is a batch of images for a run of which shapes are of interest.
func (in image) noise() feed {
	rng := rand.New(rand.NewPCG(1, 1))
	values := make([]float32, in.batch*3*in.size*in.size)
	for i := range values {
		values[i] = float32(rng.NormFloat64())
	}
	return in.batchOf(values, in.batch)
}

// batchOf returns images as the graph's input.
func (in image) batchOf(values []float32, n int) feed {
	size := int64(in.size)
	return feed{in.name: onnx.NewFloats(in.name, values, int64(n), 3, size, size)}
}

// describeValue writes a value's type as in "FLOAT [N,3,224,224]".
func describeValue(v *onnx.ValueInfoProto) string {
	t := v.GetType().GetTensorType()
	if t == nil {
		return "no tensor"
	}
	if t.Shape == nil {
		return fmt.Sprintf("%v of unknown shape", onnx.TensorProto_DataType(t.ElemType))
	}
	var sizes []string
	for _, d := range t.Shape.Dim {
		switch {
		case d.GetDimParam() != "":
			sizes = append(sizes, d.GetDimParam())
		case d.GetDimValue() > 0:
			sizes = append(sizes, fmt.Sprint(d.GetDimValue()))
		default:
			sizes = append(sizes, "?")
		}
	}
	return fmt.Sprintf("%v [%s]", onnx.TensorProto_DataType(t.ElemType), strings.Join(sizes, ","))
}
