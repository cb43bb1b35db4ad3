// Package posthoc holds scores that tell in-distribution images from others by
// what a trained classifier makes of them, in the forms that OpenOOD v1.5 gives
// them. Each method has a file, which registers it.
//
// In the formulas z are an image's logits, p = softmax(z), h its feature (pooled,
// before any standardisation), W and b the classifier's last layer, unit(h) =
// h/‖h‖, and E(z) = log Σ exp(z). Higher scores are more in-distribution. Methods
// that put a changed feature through W and b pass over an ASCOOD head's
// standardisation.
package posthoc

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/internal/ort"
	"github.com/ascood/ascood/onnx"
)

// Method is a score. Its exported fields, under their JSON names, are its
// hyperparameters; what Fit learns is in the others.
type Method interface {
	// Needs says what the method works from besides logits and features.
	Needs() Needs
	// Fit learns what the score depends on; it is called once, before Emit.
	Fit(d *Data) error
	// Emit writes the score into a graph and returns its name there, float64 [N].
	Emit(p *Part) string
}

// Needs is what a method works from besides logits and features.
type Needs struct {
	Train   bool // Data.Train
	ValidID bool // Data.ValidID
	Linear  bool // Data.Weight

	// Graph names values of the artifact's graph that Batch.Graph is to hold,
	// computed at Temperature and Noise.
	Graph              []string
	Temperature, Noise float64
}

// Data is what a method may learn from.
type Data struct {
	Weight  Matrix    // [C,D] of the last layer; without numbers if it is not linear in the feature
	Bias    []float32 // [C]
	Train   Bank      // training images; nil if there are none
	ValidID *Set      // in-distribution validation images; nil if there are none

	// Network is the artifact's graph, for methods that change a value inside it and go on,
	// with gradients for Target.
	Network *onnx.GraphProto
	Target  artifact.Target
	Std     [3]float64 // that images are divided by, of each channel

	// Observed are what Observations name, as features, of the images that they are of.
	Observed map[string]Bank
}

// Classes returns the number of classes.
func (d *Data) Classes() int { return len(d.Bias) }

// Batch is what the network says of N images, image i in row i.
type Batch struct {
	Logits  Matrix            // [N,C]
	Feature Matrix            // [N,D]
	Graph   map[string]Tensor // the values that Needs named
}

// Len returns the number of images.
func (b *Batch) Len() int { return b.Logits.Rows() }

// value returns a value of images from up to but without to, by the name that the
// artifact has for it.
func (b *Batch) value(name string, from, to int) ort.Value {
	switch name {
	case artifact.Logits:
		return ort.Value{Shape: []int{to - from, b.Logits.Cols}, Data: b.Logits.Slice(from, to).Data}
	case artifact.Feature:
		return ort.Value{Shape: []int{to - from, b.Feature.Cols}, Data: b.Feature.Slice(from, to).Data}
	}
	t := b.Graph[name]
	shape, each := append([]int{to - from}, t.Shape[1:]...), 1
	for _, n := range t.Shape[1:] {
		each *= n
	}
	if t.Doubles != nil {
		return ort.Value{Shape: shape, Data: t.Doubles[from*each : to*each]}
	}
	return ort.Value{Shape: shape, Data: t.Data[from*each : to*each]}
}

// Prediction returns the class of image i's largest logit.
func (b *Batch) Prediction(i int) int { return argmax(b.Logits.Row(i)) }

// Set is a batch of labelled images.
type Set struct {
	Batch
	Labels []int // [N]
}

// Sizes are what is known of the data before any image has been seen.
type Sizes struct {
	Train     int  // number of training images, 0 if there are none
	Dim       int  // D
	NotLinear bool // the last layer, in the feature
}

// Check reports settings that cannot be, for data of these sizes.
func Check(m Method, s Sizes) error {
	if c, ok := m.(interface{ check(Sizes) error }); ok {
		return c.check(s)
	}
	return nil
}

// Fit checks the settings, and that d holds what the method needs, and fits it.
func Fit(m Method, d *Data) error {
	needs := m.Needs()
	switch {
	case needs.Linear && d.Weight.Data == nil:
		return ErrNotLinear
	case needs.Train && (d.Train == nil || d.Train.Len() == 0):
		return ascood.Errorf(ascood.Invalid, "it learns from training images, and there are none")
	case needs.ValidID && (d.ValidID == nil || d.ValidID.Len() == 0):
		return ascood.Errorf(ascood.Invalid, "it learns from in-distribution validation images, and there are none")
	}
	if needs.Train {
		if err := d.checkWidth("training", d.Train); err != nil {
			return err
		}
	}
	if needs.ValidID {
		if err := d.checkWidth("validation", d.ValidID); err != nil {
			return err
		}
	}
	sizes := Sizes{Dim: d.Weight.Cols}
	if d.Train != nil {
		sizes.Train = d.Train.Len()
	}
	if err := Check(m, sizes); err != nil {
		return err
	}
	for _, o := range Observations(m, d) {
		if seen := d.Observed[o.Name]; seen == nil || seen.Len() == 0 {
			return ascood.Errorf(ascood.Invalid, "it learns from values inside the network, of which none have been observed")
		}
	}
	return m.Fit(d)
}

// ErrNotLinear is of methods that put a changed feature through the last layer.
var ErrNotLinear = ascood.Errorf(ascood.Unsupported, "it goes through the last layer, which in this network is not a linear one of the feature")

// checkWidth reports features of another width than the last layer takes.
func (d *Data) checkWidth(images string, features Bank) error {
	if want := d.Weight.Cols; want > 0 && features.Dim() != want {
		return ascood.Errorf(ascood.Invalid, "the %s images' features have %d numbers, and the network's last layer takes %d: they are of another network", images, features.Dim(), want)
	}
	return nil
}

// Notes returns what is to be known of what a fitted method has learnt from, such
// as classes without images.
func Notes(m Method) []string {
	if n, ok := m.(interface{ notes() []string }); ok {
		return n.notes()
	}
	return nil
}

// noneOf is a note on the classes that have no images to learn from; nil if all
// have.
func noneOf(images string, missing []int, consequence string) []string {
	if len(missing) == 0 {
		return nil
	}
	var classes []string
	for _, c := range missing {
		classes = append(classes, strconv.Itoa(c))
	}
	return []string{fmt.Sprintf("no %s class %s: %s", images, strings.Join(classes, ", "), consequence)}
}

// kind is a registered method.
type kind struct {
	published func() Method
	sweep     func() []Method
}

var kinds = map[string]kind{}

// register makes a method known, with its published settings and, where there is
// one, the published sweep over them in its order: of several hyperparameters the
// first changes fastest. It decides between settings of the same AUROC.
func register(name string, published func() Method, sweep func() []Method) {
	kinds[name] = kind{published, sweep}
}

// Names lists the known methods.
func Names() []string { return slices.Sorted(maps.Keys(kinds)) }

// New returns a method with its published settings; of several names with "+" between them
// their combination, by Fisher's rule.
func New(name string) (Method, error) {
	if names := strings.Split(name, plus); len(names) > 1 {
		return NewCombined(names, Fisher)
	}
	return single(name)
}

// single returns a method that is none of several.
func single(name string) (Method, error) {
	k, ok := kinds[name]
	if !ok {
		return nil, ascood.Errorf(ascood.Invalid, "unknown method %q; known are %s", name, strings.Join(Names(), ", "))
	}
	return k.published(), nil
}

// Sweep returns the method with each of the settings that its authors searched,
// in their order; nil if there are none.
func Sweep(name string) []Method {
	if k := kinds[name]; k.sweep != nil {
		return k.sweep()
	}
	return nil
}

// sweepOf returns a sweep over one hyperparameter.
func sweepOf[T any](values []T, with func(T) Method) func() []Method {
	return func() []Method {
		var all []Method
		for _, v := range values {
			all = append(all, with(v))
		}
		return all
	}
}

// logitsOnly is embedded by methods that need and learn nothing further.
type logitsOnly struct{}

func (logitsOnly) Needs() Needs    { return Needs{} }
func (logitsOnly) Fit(*Data) error { return nil }
