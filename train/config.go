package train

import (
	"math"
	"slices"
	"strings"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/models"
	"github.com/ascood/ascood/preprocess"
)

// Config is everything that determines a run's weights: two runs with equal
// configurations end alike on one machine; on a GPU only with Deterministic, and
// otherwise as rounding allows. It is stored with every checkpoint.
// Default gives the published values, which stand before the colons; fields
// without one must be set.
type Config struct {
	// Network.
	Method string `json:"method"` // "ascood": one of Methods
	Arch   string `json:"arch"`   // one of models.Archs; "" with ONNX
	Width  int    `json:"width"`  // 0: base width, channels of the first convolution; 0 is the architecture's own
	ONNX   string `json:"onnx"`   // "": file of a network to train in place of an Arch, which any program wrote

	// What the file of ONNX does not say itself, as ascood-export takes it.
	InputLayout string `json:"input_layout"` // "": where the input has its channels, nchw or nhwc; "" is what its shape tells
	Channels    string `json:"channels"`     // "": rgb, bgr or gray; "" is rgb
	Logits      string `json:"logits"`       // "": the output, or value inside, that is the logits; "" is the only one
	Feature     string `json:"feature"`      // "": the value that is the feature, [N,D], if the network does not end in a linear layer
	Tap         string `json:"tap"`          // "": name=value, …: maps, [N,C,H,W], that post-hoc methods know as stem and layer1 to layer4

	// Batch normalisation by the running statistics that the weights to start from have, in training, too.
	FreezeBatchNorm bool `json:"freeze_batch_norm,omitempty"` // false: training normalises by the batch's, and moves the running ones

	// Weights to start from: the file of a checkpoint or state dict, ours or PyTorch's.
	Pretrained string `json:"pretrained"` // "none": random ones, as is ""
	StateDict  string `json:"state_dict"` // "": where in that file the weights lie; "" is where they fit

	ASCOOD // the hyperparameters of that method

	// Hyperparameters of other methods, a JSON object with the names that they give them.
	Set Settings `json:"set,omitempty"` // "": what is missing has its published value, and is in the stored configuration

	// Outliers to learn from, for methods that expose the network to such: images of other things.
	Outliers         string `json:"outliers,omitempty"`           // imglist, class folder or IDX images, whose labels do not count
	OutlierDir       string `json:"outlier_dir,omitempty"`        // "": root of the paths in an imglist of them; "" is data_dir
	OutlierBatchSize int    `json:"outlier_batch_size,omitempty"` // 0: outliers a step; 0 is batch_size

	// Optimiser: SGD with Nesterov momentum; the rate falls along a cosine to 1e-6.
	Epochs      int     `json:"epochs"`       // 100: passes over the training images
	BatchSize   int     `json:"batch_size"`   // 128: images a step; as in the references, the last batch of an epoch may be smaller
	LR          float64 `json:"lr"`           // 0.1: learning rate of the first step
	FCLRFactor  float64 `json:"fc_lr_factor"` // 1: the last layer's learning rate relative to the others'
	Momentum    float64 `json:"momentum"`     // 0.9
	WeightDecay float64 `json:"weight_decay"` // 5e-4: on all weights, biases and normalisations
	Seed        uint64  `json:"seed"`         // 0: decides initial weights, order, augmentation, outliers and subsets

	// Arithmetic. The last two matter on a GPU alone.
	Precision     string `json:"precision"`     // "float32": of the backbone's activations in training, one of Precisions. All else is float32, saliency and validation too
	TF32          bool   `json:"tf32"`          // false: convolutions and matrix products may round their inputs to TF32. PyTorch does so in convolutions unless told otherwise
	Deterministic bool   `json:"deterministic"` // false: the same numbers in each run, wherever libtorch has an algorithm for that

	// Data. Subsets are random, drawn with the seed, as lists are often sorted by class.
	Train      string `json:"train"`       // imglist, class folder or IDX images, as dataset.Open takes it
	Val        string `json:"val"`         // likewise
	DataDir    string `json:"data_dir"`    // root of the paths in imglists
	Classes    string `json:"classes"`     // file with one class name a line; class folders bring their own, other data count as "0", "1", …
	ClassCount int    `json:"class_count"` // 0: number of classes; 0 is one more than the largest training label, unless the classes have names
	TrainLimit int    `json:"train_limit"` // 0: train on this many images only; 0 is all
	ValLimit   int    `json:"val_limit"`   // 0: validate on this many images only; 0 is all
	SkipBroken bool   `json:"skip_broken"` // false: go on past training and validation images that cannot be loaded, without them

	Preprocess preprocess.Config `json:"preprocess"` // sizes and normalisation
	Augment    string            `json:"augment"`    // one of preprocess.Augmentations

	Preset string `json:"preset"` // the published experiment that this is, or began as; "" is none
}

// Precisions of the backbone in training. With float16 the gradients of strong
// outliers would overflow, so there is none.
const (
	Float32 = "float32"
	BF16    = "bf16" // bfloat16: 8 bits of mantissa, and the range of float32
)

// Precisions returns the known precisions.
func Precisions() []string { return []string{Float32, BF16} }

// NotPretrained stands for random weights to start from.
const NotPretrained = "none"

// minLR is where the learning rate's schedule ends.
const minLR = 1e-6

// Default returns the published hyperparameters (Regmi 2024) for the given type
// of outliers; architecture, data, preprocessing and augmentation are left open.
func Default(oodType string) Config {
	c := Config{
		Method: MethodASCOOD, Pretrained: NotPretrained,
		ASCOOD: ASCOOD{Sigma: 0.5, OODType: oodType, Pixels: PixelsSalient, Saliency: SaliencyEval, PInv: 0.1, W: 1, AlphaMin: 30, AlphaMax: 300},
		Epochs: 100, BatchSize: 128, LR: 0.1, FCLRFactor: 1, Momentum: 0.9, WeightDecay: 5e-4,
		Precision: Float32,
	}
	if oodType == OODGaussian {
		c.AlphaMin, c.AlphaMax = 0.1, 0.1
	}
	return c
}

// Validate reports the first field that is missing or impossible.
func (c Config) Validate() error {
	m, err := c.method()
	if err != nil {
		return err
	}
	if err := c.validateNetwork(); err != nil {
		return err
	}
	if !slices.Contains(Precisions(), c.Precision) {
		return ascood.Errorf(ascood.Invalid, "unknown %s %q; known are %s", ascood.Field("precision"), c.Precision, strings.Join(Precisions(), ", "))
	}
	switch pretrained := c.ONNX != "" || c.Pretrained != "" && c.Pretrained != NotPretrained; {
	case c.FreezeBatchNorm && !pretrained:
		return ascood.Errorf(ascood.Invalid, "%s has no meaning without weights to start from, whose statistics it keeps: name them with %s or %s",
			ascood.Field("freeze_batch_norm"), ascood.Field("onnx"), ascood.Field("pretrained"))
	case c.FreezeBatchNorm && c.Precision == BF16:
		return ascood.Errorf(ascood.Invalid, "%s has no meaning with %s %s, which would round the statistics; choose %s", ascood.Field("freeze_batch_norm"), ascood.Field("precision"), BF16, Float32)
	}
	if c.StateDict != "" && (c.Pretrained == "" || c.Pretrained == NotPretrained) {
		return ascood.Errorf(ascood.Invalid, "%s %s has no meaning without %s, the file that it lies in", ascood.Field("state_dict"), c.StateDict, ascood.Field("pretrained"))
	}
	if err := c.validateNumbers(); err != nil {
		return err
	}
	if err := c.validateInput(); err != nil {
		return err
	}
	if err := c.validateOutliers(m); err != nil {
		return err
	}
	if m, ok := m.(checker); ok {
		return m.check(c)
	}
	return nil
}

// validateOutliers: a method takes outliers or does not.
func (c Config) validateOutliers(m Method) error {
	_, takes := m.(exposed)
	switch {
	case takes && c.Outliers == "":
		return ascood.Errorf(ascood.Invalid, "%s %s learns from outliers: name images of other things with %s", ascood.Field("method"), c.Method, ascood.Field("outliers"))
	case !takes && c.Outliers != "":
		return ascood.Errorf(ascood.Invalid, "%s %s has no meaning with %s %s, which takes none", ascood.Field("outliers"), c.Outliers, ascood.Field("method"), c.Method)
	case c.Outliers == "" && c.OutlierDir != "":
		return ascood.Errorf(ascood.Invalid, "%s %s has no meaning without %s", ascood.Field("outlier_dir"), c.OutlierDir, ascood.Field("outliers"))
	case c.Outliers == "" && c.OutlierBatchSize != 0:
		return ascood.Errorf(ascood.Invalid, "%s %d has no meaning without %s", ascood.Field("outlier_batch_size"), c.OutlierBatchSize, ascood.Field("outliers"))
	}
	return nil
}

// positive reports a hyperparameter of Set that is not greater than 0.
func positive(name string, v float64) error {
	if v > 0 && !math.IsInf(v, 0) {
		return nil
	}
	return ascood.Errorf(ascood.Invalid, "%s %s=%g: must be greater than 0", ascood.Field("set"), name, v)
}

// bounded is a hyperparameter of Set that is a whole number between two others.
type bounded struct {
	name               string
	value, least, most int
}

// most is the largest whole number that a hyperparameter may be.
const most = math.MaxInt32

// within reports the first that is not.
func within(all []bounded) error {
	for _, b := range all {
		switch {
		case b.value < b.least:
			return ascood.Errorf(ascood.Invalid, "%s %s=%d: must be at least %d", ascood.Field("set"), b.name, b.value, b.least)
		case b.value > b.most:
			return ascood.Errorf(ascood.Invalid, "%s %s=%d: must be at most %d", ascood.Field("set"), b.name, b.value, b.most)
		}
	}
	return nil
}

// taps are the values of Tap, by their names.
func (c Config) taps() (map[string]string, error) {
	taps := map[string]string{}
	if c.Tap == "" {
		return taps, nil
	}
	for _, tap := range strings.Split(c.Tap, ",") {
		name, value, _ := strings.Cut(tap, "=")
		if !slices.Contains(artifact.Maps(), name) || value == "" {
			return nil, ascood.Errorf(ascood.Invalid, "%s %s: want name=value, with the names %s", ascood.Field("tap"), tap, strings.Join(artifact.Maps(), ", "))
		}
		taps[name] = value
	}
	return taps, nil
}

// validateNetwork: a network is one of ours or that of a file.
func (c Config) validateNetwork() error {
	if c.ONNX == "" {
		for _, said := range []struct {
			field ascood.Field
			value string
		}{{"input_layout", c.InputLayout}, {"channels", c.Channels}, {"logits", c.Logits}, {"feature", c.Feature}, {"tap", c.Tap}} {
			if said.value != "" {
				return ascood.Errorf(ascood.Invalid, "%s %s has no meaning without %s, the file that it is said of", said.field, said.value, ascood.Field("onnx"))
			}
		}
		if c.Arch == "" {
			return ascood.Errorf(ascood.Invalid, "%s is missing; known are %s. A network of another program is given by %s",
				ascood.Field("arch"), strings.Join(models.Archs(), ", "), ascood.Field("onnx"))
		}
		_, err := models.New(c.spec(2), 0)
		return err
	}
	switch {
	case c.Arch != "":
		return ascood.Errorf(ascood.Invalid, "%s %s has no meaning beside %s, whose network is trained", ascood.Field("arch"), c.Arch, ascood.Field("onnx"))
	case c.Width != 0:
		return ascood.Errorf(ascood.Invalid, "%s %d has no meaning beside %s: the network is as wide as it is", ascood.Field("width"), c.Width, ascood.Field("onnx"))
	case c.Pretrained != "" && c.Pretrained != NotPretrained:
		return ascood.Errorf(ascood.Invalid, "%s %s has no meaning beside %s: a run starts from the weights in that file", ascood.Field("pretrained"), c.Pretrained, ascood.Field("onnx"))
	}
	if _, err := c.taps(); err != nil {
		return err
	}
	return c.validateForeignHead()
}

// validateForeignHead: what the method puts behind the feature can be put into a network
// that came as a graph.
func (c Config) validateForeignHead() error {
	if head := c.spec(2).Head; !head.Adopts() {
		able := slices.DeleteFunc(Methods(), func(name string) bool { return !methods[name](Default(OODGradient)).Head().Adopts() })
		return ascood.Errorf(ascood.Invalid, "%s %s has the %s head, which networks of %s cannot have; these can be trained by %s, or %s chooses a network that can",
			ascood.Field("method"), c.Method, head, ascood.Field("onnx"), strings.Join(able, ", "), ascood.Field("arch"))
	}
	return nil
}

func (c Config) validateNumbers() error {
	return limits{
		{"epochs", float64(c.Epochs), c.Epochs >= 1, "at least 1"},
		{"batch_size", float64(c.BatchSize), c.BatchSize >= 1, "at least 1"},
		{"outlier_batch_size", float64(c.OutlierBatchSize), c.OutlierBatchSize >= 0, "at least 0"},
		{"lr", c.LR, c.LR >= minLR, "at least 1e-6, where the schedule ends"},
		{"fc_lr_factor", c.FCLRFactor, c.FCLRFactor >= 0, "at least 0"},
		{"momentum", c.Momentum, c.Momentum > 0 && c.Momentum < 1, "between 0 and 1"},
		{"weight_decay", c.WeightDecay, c.WeightDecay >= 0, "at least 0"},
		{"class_count", float64(c.ClassCount), c.ClassCount == 0 || c.ClassCount >= 2, "at least 2"},
		{"train_limit", float64(c.TrainLimit), c.TrainLimit >= 0, "at least 0"},
		{"val_limit", float64(c.ValLimit), c.ValLimit >= 0, "at least 0"},
	}.check()
}

// limits say of numbers what they must be.
type limits []struct {
	field    ascood.Field
	value    float64
	ok       bool
	expected string
}

// check reports the first number that is none, or not what it must be.
func (l limits) check() error {
	for _, n := range l {
		if !n.ok || math.IsInf(n.value, 0) {
			return ascood.Errorf(ascood.Invalid, "%s %g: must be %s", n.field, n.value, n.expected)
		}
	}
	return nil
}

// validateInput checks what is said about the images.
func (c Config) validateInput() error {
	if c.Train == "" || c.Val == "" {
		return ascood.Errorf(ascood.Invalid, "%s and %s must name images: a list, a folder with a folder for each class, or an IDX file", ascood.Field("train"), ascood.Field("val"))
	}
	if c.Preprocess == (preprocess.Config{}) {
		return ascood.Errorf(ascood.Invalid, "preprocessing is missing: give %w", preprocess.Missing())
	}
	if err := c.Preprocess.Validate(); err != nil {
		return err
	}
	if p := c.Preprocess; p.PreSize < p.ImageSize {
		return ascood.Errorf(ascood.Invalid, "%s %d: images are resized to %d pixels, less than the crop: raise %s to at least %d, or lower %s",
			ascood.Field("image_size"), p.ImageSize, p.PreSize, ascood.Field("pre_size"), p.ImageSize, ascood.Field("image_size"))
	}
	if c.Augment == "" {
		return ascood.Errorf(ascood.Invalid, "%s is missing: %s", ascood.Field("augment"), strings.Join(preprocess.Augmentations(), ", "))
	}
	_, err := c.Preprocess.Augmentation(c.Augment)
	return err
}

// spec is the network for the given number of classes, of a configuration whose method
// is known.
func (c Config) spec(classes int) models.Spec {
	s := models.Spec{Arch: c.Arch, Width: c.Width, Classes: classes}
	if m, err := c.method(); err == nil {
		s.Head = m.Head()
	}
	return s
}

// scales are the values of the head's buffers.
func (c Config) scales() map[string]float64 {
	m, err := c.method()
	if m, ok := m.(scaler); ok && err == nil {
		return m.scales()
	}
	return nil
}
