package models

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/onnx"
)

// arch is an architecture that the registry can build.
type arch struct {
	width    int                                                      // the published base width
	size     int                                                      // of the images that it was made for, pixels a side
	backbone func(m module, image string, width int) (feature string) // [N,D]
	last     string                                                   // path of the last layer
	initial
}

var (
	asPyTorch = initial{byFanIn, byFanIn, byFanIn}
	asResNets = initial{byFanOut, byFanIn, byFanIn} // torchvision's
)

var registry = map[string]arch{
	"lenet":            {6, 28, lenet, "fc", asPyTorch},
	"resnet18_32x32":   {64, 32, resnet18For32x32, "fc", asPyTorch},
	"resnet18_224x224": {64, 224, resNet(basicBlock("downsample"), 2, 2, 2, 2), "fc", asResNets},
	"resnet34":         {64, 224, resNet(basicBlock("downsample"), 3, 4, 6, 3), "fc", asResNets},
	"resnet50":         {64, 224, resNet(bottleneck(1, 1), 3, 4, 6, 3), "fc", asResNets},
	"resnet101":        {64, 224, resNet(bottleneck(1, 1), 3, 4, 23, 3), "fc", asResNets},
	"resnet152":        {64, 224, resNet(bottleneck(1, 1), 3, 8, 36, 3), "fc", asResNets},
	"wide_resnet50_2":  {64, 224, resNet(bottleneck(2, 1), 3, 4, 6, 3), "fc", asResNets},
	"resnext50_32x4d":  {64, 224, resNet(bottleneck(2, 32), 3, 4, 6, 3), "fc", asResNets},
	"mobilenet_v2":     {32, 224, mobileNetV2, "classifier.1", initial{byFanOut, normal(0.01), zero}},
	"efficientnet_b0":  {32, 224, efficientNetB0, "classifier.1", initial{byFanOut, byOutputs, zero}},
	"densenet121":      {64, 224, denseNet121, "classifier", initial{forReLU, byFanIn, zero}},
	"vit_b_16":         {768, 224, vitB16, "heads.head", initial{lecun, xavier, zero}},
	"swin_t":           {96, 224, swinT, "head", initial{byFanIn, normal(0.02), zero}},
}

// Archs returns the names of the known architectures, sorted.
func Archs() []string { return slices.Sorted(maps.Keys(registry)) }

// aliases are names that several architectures go by elsewhere, torchvision's first.
var aliases = map[string][]string{
	"resnet18": {"resnet18_224x224", "resnet18_32x32"},
}

// Resolve returns the architectures that a name may mean: itself, or those that go by
// it elsewhere. An unknown name is ascood.Invalid.
func Resolve(name string) ([]string, error) {
	if archs, ok := aliases[name]; ok {
		return archs, nil
	}
	if _, ok := registry[name]; !ok {
		return nil, unknownArch(name)
	}
	return []string{name}, nil
}

// New builds the network that spec selects for images of size x size pixels. A width or
// a size of 0 is the one that the architecture was published with. An unknown name, an
// impossible number, and a size that the network cannot take are ascood.Invalid.
func New(spec Spec, size int) (*Network, error) {
	a, ok := registry[spec.Arch]
	if !ok {
		return nil, unknownArch(spec.Arch)
	}
	if spec.Width == 0 {
		spec.Width = a.width
	}
	if size == 0 {
		size = a.size
	}
	if spec.Width < 1 {
		return nil, ascood.Errorf(ascood.Invalid, "width %d: must be at least 1", spec.Width)
	}
	if spec.Classes < 2 {
		return nil, ascood.Errorf(ascood.Invalid, "number of classes %d: a classifier needs at least 2", spec.Classes)
	}
	if size < 1 {
		return nil, ascood.Errorf(ascood.Invalid, "images of %d pixels: must be at least 1", size)
	}
	root := module{writer: &writer{b: onnx.NewBuilder(spec.Arch), initial: a.initial}}
	h, ok := heads[spec.Head]
	if !ok {
		return nil, unknownHead(spec.Head)
	}
	body := root
	if h.within != "" {
		body = root.in(h.within)
	}
	image := root.b.Input(Image, "", onnx.TensorProto_FLOAT, onnx.Batch, 3, size, size)
	x := body.tap("feature", a.backbone(body, image, spec.Width))
	x = root.classify(h, a.last, x, spec.Classes)
	if root.err != nil {
		return nil, ascood.Errorf(ascood.Invalid, "%s cannot take %dx%d images: %w", spec.Arch, size, size, root.err)
	}
	root.b.Output(x, "class scores", onnx.TensorProto_FLOAT, onnx.Batch, spec.Classes)
	graph, err := root.b.Graph()
	return &Network{Spec: spec, Params: root.params, Last: h.lastLayer(a.last), Graph: graph}, err
}

func unknownArch(name string) error {
	return ascood.Errorf(ascood.Invalid, "unknown architecture %q; known are %s", name, strings.Join(Archs(), ", "))
}

// sized are the architectures whose weights are for images of one size, which the shapes
// of a state dict tell; 0 if they do not.
var sized = map[string]func(shape func(name string) []int) int{"vit_b_16": vitSize}

// SizeOf returns the size of the images that weights are for, by the shapes of their
// state dict; 0 if any will do.
func SizeOf(arch string, shape func(name string) []int) int {
	if size := sized[arch]; size != nil {
		return size(shape)
	}
	return 0
}

// OddSize says what is odd about images of size x size pixels for an architecture, ""
// if nothing is. It works on any size; but on far smaller images than it was made for
// little is left of them in its last maps, and on far larger ones each of its features
// sees a small part.
func OddSize(arch string, size int) string {
	const much = 3
	made := registry[arch].size
	switch {
	case made == 0:
		return ""
	case size*much <= made:
		return fmt.Sprintf("%s was made for images of %d pixels; at %d little is left of them in its last maps", arch, made, size)
	case size >= made*much:
		return fmt.Sprintf("%s was made for images of %d pixels; at %d each of its features sees a small part of them", arch, made, size)
	}
	return ""
}
