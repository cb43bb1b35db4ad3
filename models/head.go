package models

import (
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/onnx"
)

// Head is what follows the backbone's feature.
type Head string

// The known heads. W and b are the last layer, fc in most.
const (
	HeadLinear     Head = "linear"      // logits = fc(feature)
	HeadASCOOD     Head = "ascood"      // logits = fc(sigma·zscore(feature))
	HeadUnit       Head = "unit"        // logits = fc(feature/‖feature‖)
	HeadT2FNorm    Head = "t2fnorm"     // logits = fc(feature/‖feature‖/tau)
	HeadConfidence Head = "conf_branch" // logits = fc(feature), and Confidence
	HeadRotation   Head = "rotpred"     // logits = fc(feature), and Rotation
	HeadGODIN      Head = "godin"       // logits = cosines / g, and Cosines
	HeadProjection Head = "projection"  // logits = projection·prototypesᵀ/tau, and Projection
)

// Further outputs of heads (onnx.Tap).
const (
	Confidence = "confidence" // [N,1]: a logit, of how sure the network is of its class
	Rotation   = "rotation"   // [N,4]: logits of the image's rotation by 0, 90, 180 and 270 degrees, counter-clockwise
	Cosines    = "cosines"    // [N,C]: of the feature with each class's weight
	Projection = "projection" // [N,128]: of length 1
)

// Buffers of heads, which gradients do not change: scalars but for the last.
const (
	Sigma      = "sigma"      // scale of the standardised feature
	Tau        = "tau"        // temperature that the unit feature, or the similarities with prototypes are divided by
	Prototypes = "prototypes" // [C,128]: a direction for each class
)

// head is a head that the registry can build.
type head struct {
	// within says where the backbone lies in the network, and layer where the last
	// layer: before the names of their parameters; "" is the network itself.
	within, layer string
	outputs       []string // names of its further outputs
	// write adds all that is between the feature and the last layer, and returns what
	// the last layer takes; nil is the feature.
	write func(m module, feature string) string
	// last adds the last layer, and returns the logits; nil is a linear one.
	last func(m module, x string, classes int) string
	path string // of such a layer
	// further adds the further outputs of a network of the feature.
	further func(m module, feature string)
}

const backbone = "backbone"

var heads = map[Head]head{
	HeadLinear:     {},
	HeadASCOOD:     {within: backbone, layer: backbone, write: module.zscore},
	HeadUnit:       {within: backbone, layer: backbone, write: module.unit},
	HeadT2FNorm:    {within: backbone, layer: backbone, write: module.cooled},
	HeadConfidence: {within: backbone, outputs: []string{Confidence}, further: module.confidence},
	HeadRotation:   {within: backbone, outputs: []string{Rotation}, further: module.rotation},
	HeadGODIN:      {within: backbone, outputs: []string{Cosines}, last: module.godin, path: "h.h"},
	HeadProjection: {within: backbone, outputs: []string{Projection}, last: module.prototypes, path: "head.2"},
}

// Heads returns the names of the known heads, sorted.
func Heads() []Head { return slices.Sorted(maps.Keys(heads)) }

// Outputs are the names of the values that a head has beside the logits (onnx.Tap).
func (h Head) Outputs() []string { return heads[h].outputs }

// lastLayer is the path of the last layer of an architecture that has it under a name.
func (h head) lastLayer(name string) string {
	if h.path != "" {
		return h.path
	}
	return prefixOf(h.layer) + name
}

// Backbone begins the names of a network's parameters before the head.
func (h Head) Backbone() string { return prefixOf(heads[h].within) }

func prefixOf(path string) string {
	if path == "" {
		return ""
	}
	return path + "."
}

func unknownHead(h Head) error {
	var known []string
	for _, name := range Heads() {
		known = append(known, string(name))
	}
	return ascood.Errorf(ascood.Invalid, "unknown head %q; known are %s", h, strings.Join(known, ", "))
}

// classify writes the head h on the feature x, its last layer under the architecture's
// name for it, and returns the logits.
func (m module) classify(h head, name, x string, classes int) string {
	if h.further != nil {
		h.further(m, x)
	}
	if h.write != nil {
		x = h.write(m, x)
	}
	before := len(m.params)
	if h.last != nil {
		x = h.last(m, x, classes)
	} else {
		x = m.linear(h.lastLayer(name), x, classes)
	}
	for i := range m.params[before:] {
		m.params[before+i].Last = true
	}
	return m.tap("logits", x)
}

// zscore is the ASCOOD head (Regmi 2024) on the feature, its scale a parameter of the
// module.
func (m module) zscore(x string) string {
	y, err := ZScore(m.b, x, m.buffer(Sigma, Init{Constant, 1}))
	m.note(err)
	return y
}

// ZScore adds to a graph what the ASCOOD head does to the feature x [N,D]: it
// standardises each row and scales it by sigma, a scalar of the graph:
// sigma·(x - mean)/(std + 1e-6), with the unbiased std over D.
func ZScore(b *onnx.Builder, x, sigma string) (string, error) {
	shape, err := b.Shape(x)
	if err != nil {
		return "", err
	}
	b.Scope(onnx.Prefix + "zscore/")
	centred := b.Op("Sub", []string{x, b.Op("ReduceMean", []string{x}, onnx.Ints("axes", 1))})
	sum := b.Op("ReduceSum", []string{b.Op("Mul", []string{centred, centred}), b.Int64s(1)})
	std := b.Op("Sqrt", []string{b.Op("Div", []string{sum, b.Scalar(float32(shape[1].Size - 1))})})
	rate := b.Op("Reciprocal", []string{b.Op("Add", []string{std, b.Scalar(1e-6)})})
	return b.Op("Mul", []string{b.Op("Mul", []string{centred, rate}), sigma}), nil
}

// unit brings each row to unit length. A row of zeros stays as it is.
func (m module) unit(x string) string {
	m.b.Scope(onnx.Prefix + "unit/")
	length := m.b.Op("ReduceL2", []string{x}, onnx.Ints("axes", 1))
	return m.b.Op("Div", []string{x, m.b.Op("Max", []string{length, m.b.Scalar(1e-12)})})
}

// cooled is T2FNorm's head on the feature (Regmi et al., "T2FNorm: Train-time Feature
// Normalization for OOD Detection in Image Classification", 2024).
func (m module) cooled(x string) string {
	tau := m.buffer(Tau, Init{Constant, 1})
	return m.op("Div", []string{m.unit(x), tau})
}

// confidence is a second linear layer, of one output (DeVries and Taylor, "Learning
// Confidence for Out-of-Distribution Detection in Neural Networks", 2018).
func (m module) confidence(x string) { m.tap(Confidence, m.linear("confidence", x, 1)) }

// rotation is a second linear layer (Hendrycks et al., "Using Self-Supervised Learning Can
// Improve Model Robustness and Uncertainty", 2019).
func (m module) rotation(x string) { m.tap(Rotation, m.linear("rot_fc", x, 4)) }

// godin divides the cosines of the feature with the classes' weights by a number that is
// learnt of the feature (Hsu et al., "Generalized ODIN", 2020).
func (m module) godin(x string, classes int) string {
	dim := m.dim(x, 1)
	// 1e-4 is added to lengths, as published.
	unit := func(m module, x string) string {
		return m.op("Div", []string{x, m.op("Add", []string{m.op("ReduceL2", []string{x}, onnx.Ints("axes", 1)), m.b.Scalar(1e-4)})})
	}
	h := m.in("h").in("h")
	weight := h.param("weight", Init{Normal, math.Sqrt(2 / float64(dim))}, classes, dim)
	cosines := m.tap(Cosines, h.op("Gemm", []string{unit(h, x), unit(h, weight)}, transB))
	g := m.in("g")
	return m.op("Div", []string{cosines, g.op("Sigmoid", []string{g.norm("1", g.linear("0", x, 1))})})
}

// projected is how long projections are, as published.
const projected = 128

// prototypes is a network of two layers, whose output at length 1 is compared with a
// direction for each class (Ming et al., "How to Exploit Hyperspherical Embeddings for
// Out-of-Distribution Detection?", 2023).
func (m module) prototypes(x string, classes int) string {
	h := m.in("head")
	f := h.linear("2", m.relu(h.linear("0", x, m.dim(x, 1))), projected)
	f = m.tap(Projection, m.unit(f))
	tau := m.buffer(Tau, Init{Constant, 1})
	return m.op("Div", []string{m.op("Gemm", []string{f, m.buffer(Prototypes, Init{Constant, 0}, classes, projected)}, transB), tau})
}
