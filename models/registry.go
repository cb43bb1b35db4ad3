package models

import (
	"maps"
	"slices"
	"strings"

	"github.com/ascood/ascood"
)

// arch is a backbone that the registry can build.
type arch struct {
	width    int // the published base width
	backbone func(b *builder, width int) (feature Value, dim int)
}

var registry = map[string]arch{
	"lenet":            {width: 6, backbone: lenet},
	"resnet18_32x32":   {width: 64, backbone: resnet18For32x32},
	"resnet18_224x224": {width: 64, backbone: resnet18For224x224},
	"resnet50":         {width: 64, backbone: resnet50},
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

// Heads returns the names of the known heads.
func Heads() []Head { return []Head{HeadLinear, HeadASCOOD} }

// New builds the network that spec selects. A width of 0 is the architecture's
// published one. An unknown name or an impossible number is ascood.Invalid.
func New(spec Spec) (*Graph, error) {
	a, ok := registry[spec.Arch]
	if !ok {
		return nil, unknownArch(spec.Arch)
	}
	if spec.Width == 0 {
		spec.Width = a.width
	}
	if spec.Width < 1 {
		return nil, ascood.Errorf(ascood.Invalid, "width %d: must be at least 1", spec.Width)
	}
	if spec.Classes < 2 {
		return nil, ascood.Errorf(ascood.Invalid, "number of classes %d: a classifier needs at least 2", spec.Classes)
	}
	b := &builder{graph: &Graph{Spec: spec}}
	switch spec.Head {
	case HeadLinear:
	case HeadASCOOD:
		b.prefix = "backbone."
	default:
		return nil, ascood.Errorf(ascood.Invalid, "unknown head %q; known are %v", spec.Head, Heads())
	}
	feature, dim := a.backbone(b, spec.Width)
	b.graph.Feature = feature
	if spec.Head == HeadASCOOD {
		feature = b.addRoot(ZScore{Eps: 1e-6}, feature)
	}
	b.graph.Logits = b.add("fc", Linear{In: dim, Out: spec.Classes}, feature)
	return b.graph, nil
}

func unknownArch(name string) error {
	return ascood.Errorf(ascood.Invalid, "unknown architecture %q; known are %s", name, strings.Join(Archs(), ", "))
}

// builder appends nodes to a graph under a common name prefix.
type builder struct {
	graph  *Graph
	prefix string
}

func (b *builder) add(name string, op Op, in ...Value) Value {
	return b.node(b.prefix+name, op, in...)
}

// addRoot adds a node whose parameters have no path.
func (b *builder) addRoot(op Op, in ...Value) Value { return b.node("", op, in...) }

func (b *builder) node(name string, op Op, in ...Value) Value {
	b.graph.Nodes = append(b.graph.Nodes, Node{Name: name, Op: op, Inputs: in})
	return Value(len(b.graph.Nodes))
}
