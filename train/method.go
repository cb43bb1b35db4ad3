// Package train trains image classifiers that know what they do not know.
//
// A method of training is a file (method_*.go) that says its hyperparameters, the
// head of its network and its loss; method_ascood.go is the one that the project is
// named after, on a page. This file is what a method is; around it are the network
// (network.go), the optimiser's step (learner.go), the schedules (schedule.go) and
// the loop (loop.go).
package train

import (
	"encoding/json"
	"iter"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/gotorch"
	"github.com/ascood/ascood/internal/settings"
	"github.com/ascood/ascood/models"
)

// Method is a way to train. Its exported fields, under their JSON names, are its
// hyperparameters.
type Method interface {
	// Head is what follows the backbone's feature in a network of the method.
	Head() models.Head
	// Loss is what a step minimises.
	Loss(s *Step) Loss
}

// What a method may have besides.
type (
	// checker finds hyperparameters that cannot be, or not with the configuration.
	checker interface{ check(c Config) error }

	// preparer is told the size of the images, in pixels a side, before the first step.
	preparer interface{ prepare(size int) error }

	// scaler says the values of buffers of its head, by their names.
	scaler interface{ scales() map[string]float64 }

	// exposed takes outliers of Config.Outliers in each step.
	exposed interface{ exposed() }

	// owner has tensors of its own beside the network's. Those that are trained learn as
	// the backbone does. They are kept with the state of the run, and are in no network.
	owner interface{ own(of sizes) []models.Param }

	// classifier passes features that it made through the head (Step.Classify).
	classifier interface{ classifies() }

	// scored says the post-hoc score that the method is published with. What is exported
	// decides by that, if not told otherwise, and by i-ODIN without it.
	scored interface{ score() artifact.Score }

	// grouper trains the parameters of some modules of the network in another way.
	grouper interface{ groups() []group }

	// viewer takes further views of each image, augmented anew, in each step.
	viewer interface{ further() int }

	// beginner looks at the validation images, normalised, and their classes before the first
	// step.
	beginner interface {
		begin(s *Step, images iter.Seq2[gotorch.Tensor, gotorch.Tensor])
	}

	// scheduler has learning rates of its own: at a step of its epoch (from 0), of so many.
	scheduler interface {
		rate(c Config, epoch, step, steps int) float64
	}

	// judge has a criterion of its own for the best epoch, the least of these; it is the
	// accuracy on the validation images otherwise.
	judge interface{ criterion(r Row) float64 }

	// strong has outliers whose strength depends on the epoch, from 1.
	strong interface {
		alpha(epoch, epochs int) float64
	}
)

// group are the parameters of a module of the network.
type group struct {
	module   string // path in the state dict
	constant bool   // the rate stays that of the first step
	noDecay  bool   // no weight decay
}

// Step is what a method makes its loss of. Tensors that it makes belong to Scope.
type Step struct {
	Scope  *gotorch.Scope
	X      gotorch.Tensor   // normalised images [N,3,H,W]
	Y      gotorch.Tensor   // their classes [N]
	Views  []gotorch.Tensor // further views of the images, each as X; for a method that takes some
	Others gotorch.Tensor   // normalised images of Config.Outliers [M,3,H,W]; the zero Tensor for a method that takes none
	Epoch  int              // from 1
	Number int              // of the step since the start of the run, from 0

	learner *learner
}

// Outputs is what a network says of N images.
type Outputs struct {
	Logits  gotorch.Tensor            // [N,C]
	Feature gotorch.Tensor            // [N,D], pooled; the zero Tensor if there is none
	Further map[string]gotorch.Tensor // of the head, by the names of models.Head.Outputs
}

// Forward passes normalised images [N,3,H,W] through the network in training mode, and
// returns the logits [N,C].
func (s *Step) Forward(x gotorch.Tensor) gotorch.Tensor { return s.Pass(x).Logits }

// Pass is Forward with all that the network says.
func (s *Step) Pass(x gotorch.Tensor) Outputs { return s.learner.net.pass(x, training) }

// Classify passes features [N,D] through the head in training mode, and returns the logits
// [N,C].
func (s *Step) Classify(features gotorch.Tensor) gotorch.Tensor {
	return s.learner.net.classify(features)
}

// Look passes normalised images [N,3,H,W] through the network as it would be used.
func (s *Step) Look(x gotorch.Tensor) Outputs { return s.learner.net.pass(x, inference) }

// Buffer returns a buffer of the network's head, by its name; gradients do not reach it.
func (s *Step) Buffer(name string) gotorch.Tensor { return s.learner.net.frozen[name] }

// Own returns a tensor of the method's own, by its name.
func (s *Step) Own(name string) gotorch.Tensor { return s.learner.own[name] }

// Random returns a source of random numbers, the same for the same step of runs with one
// seed.
func (s *Step) Random() *rand.Rand { return random(s.learner.config.Seed, forDraws, s.Number) }

// Classes is the number of classes, C.
func (s *Step) Classes() int { return s.learner.net.Spec.Classes }

// Epochs is how many there are to be.
func (s *Step) Epochs() int { return s.learner.config.Epochs }

// Generator returns a source of random tensors on the device, the same for the same step
// of runs with one seed.
func (s *Step) Generator() *gotorch.Generator {
	return gotorch.NewGenerator(s.Scope, s.X.Device(), random(s.learner.config.Seed, forOutliers, s.Number).Uint64())
}

// Saliency returns d logit[Y]/dX [N,3,H,W] of the network as it would be used: with
// running statistics, which stay as they are; or, with trainingMode, as in training. No
// gradient is computed but the images'. It costs a forward and a backward pass.
func (s *Step) Saliency(trainingMode bool) gotorch.Tensor {
	inner := gotorch.NewScope()
	defer inner.Close()
	x := inner.Keep(s.X).Detach().SetRequiresGrad(true)
	as := inference
	if trainingMode {
		as = observation
	}
	score := s.learner.net.forward(x, as).Gather(1, s.Y.Unsqueeze(1)).Sum()
	grads := gotorch.Grad([]gotorch.Tensor{score}, []gotorch.Tensor{x}, gotorch.GradOptions{})
	return s.Scope.Keep(grads[0])
}

// Loss is what a step minimises: ID + Weight·OOD.
type Loss struct {
	ID     gotorch.Tensor // of the images, as a rule their cross-entropy; a scalar
	OOD    gotorch.Tensor // what the method adds to it, such as the loss of outliers; the zero Tensor for nothing
	Weight float64
	Logits gotorch.Tensor // of the images [N,C], which say how many are classified correctly
}

func (l Loss) total() gotorch.Tensor {
	if l.OOD == (gotorch.Tensor{}) {
		return l.ID
	}
	return l.ID.Add(l.OOD.MulScalar(l.Weight))
}

// methods are the known methods: with their published hyperparameters, or those that
// a configuration has fields for.
var methods = map[string]func(c Config) Method{}

func register(name string, published func(c Config) Method) { methods[name] = published }

// Methods lists the known methods of training.
func Methods() []string { return slices.Sorted(maps.Keys(methods)) }

// method is the configuration's, with its hyperparameters.
func (c Config) method() (Method, error) {
	published, ok := methods[c.Method]
	if !ok {
		return nil, ascood.Errorf(ascood.Invalid, "unknown %s %q; known are %s", ascood.Field("method"), c.Method, strings.Join(Methods(), ", "))
	}
	m := published(c)
	if len(c.Set) == 0 {
		return m, nil
	}
	if err := settings.Set(m, string(c.Set)); err != nil {
		return nil, c.inSet(err)
	}
	return m, nil
}

// inSet says of an error that it is in the hyperparameters, and which methods have those
// of a wrong name.
func (c Config) inSet(err error) error {
	var given map[string]json.RawMessage
	if json.Unmarshal([]byte(c.Set), &given) == nil {
		for _, name := range slices.Sorted(maps.Keys(given)) {
			if of := c.having(name); len(of) > 0 && !slices.Contains(of, c.Method) {
				err = ascood.Errorf(ascood.Invalid, "%w; %s is of %s", err, name, strings.Join(of, ", "))
			}
		}
	}
	return ascood.Errorf(ascood.Invalid, "%s, method %s: %w", ascood.Field("set"), c.Method, err)
}

// having lists the methods that have a hyperparameter.
func (c Config) having(name string) []string {
	return slices.DeleteFunc(Methods(), func(method string) bool {
		return !slices.Contains(settings.Names(methods[method](c)), name)
	})
}

// Assign sets hyperparameters of the configuration's method, in the form name=value; those
// that the configuration has beside them stay. All are then in the configuration.
func (c *Config) Assign(list []string) error {
	given := map[string]json.RawMessage{}
	for _, s := range list {
		name, value, ok := strings.Cut(s, "=")
		switch _, twice := given[name]; {
		case !ok || name == "":
			return ascood.Errorf(ascood.Invalid, "%s %s: want name=value, such as tau=0.04", ascood.Field("set"), s)
		case twice:
			return ascood.Errorf(ascood.Invalid, "%s gives %s twice", ascood.Field("set"), name)
		}
		given[name] = json.RawMessage(value)
		if !json.Valid(given[name]) { // a word
			given[name], _ = json.Marshal(value)
		}
	}
	changed := *c
	var err error
	if changed.Set, err = c.Set.over(given); err != nil {
		return err
	}
	m, err := changed.method()
	if err != nil {
		return err
	}
	if own, ok := m.(*synthesis); ok {
		c.ASCOOD = own.ASCOOD
		return nil
	}
	c.Set = changed.Set
	return c.fill()
}

// fill puts into the configuration those hyperparameters that have their published values
// for want of others.
func (c *Config) fill() error {
	m, err := c.method()
	if _, fields := m.(*synthesis); err != nil || fields || len(settings.Names(m)) == 0 {
		return err
	}
	text, err := json.Marshal(m)
	c.Set = Settings(text)
	return err
}

// Settings are hyperparameters: a JSON object, "" for none.
type Settings string

// over is s with the given ones in place of its own.
func (s Settings) over(given map[string]json.RawMessage) (Settings, error) {
	all := map[string]json.RawMessage{}
	if s != "" {
		if err := json.Unmarshal([]byte(s), &all); err != nil {
			return "", ascood.Errorf(ascood.Invalid, "%s: %w", ascood.Field("set"), err)
		}
	}
	maps.Copy(all, given)
	if len(all) == 0 {
		return "", nil
	}
	text, err := json.Marshal(all)
	return Settings(text), err
}

// Has reports whether a hyperparameter is among them.
func (s Settings) Has(name string) bool {
	var all map[string]json.RawMessage
	return json.Unmarshal([]byte(s), &all) == nil && all[name] != nil
}

// MarshalJSON returns the object.
func (s Settings) MarshalJSON() ([]byte, error) { return []byte(s), nil }

// UnmarshalJSON takes an object.
func (s *Settings) UnmarshalJSON(text []byte) error {
	*s = Settings(text)
	return nil
}

// Exposed lists the methods that learn from Config.Outliers.
func Exposed() []string {
	return slices.DeleteFunc(Methods(), func(name string) bool {
		_, takes := methods[name](Config{}).(exposed)
		return !takes
	})
}

// Hyperparameters are those that Set has, or would have, as name=value. Those of ASCOOD are
// fields of the configuration.
func (c Config) Hyperparameters() []string {
	var values map[string]json.RawMessage
	if c.fill() != nil || json.Unmarshal([]byte(c.Set), &values) != nil {
		return nil
	}
	var list []string
	for _, name := range slices.Sorted(maps.Keys(values)) {
		list = append(list, name+"="+string(values[name]))
	}
	return list
}
