// Package train trains image classifiers that know what they do not know.
//
// A method of training is a file (method_*.go) that says its hyperparameters, the
// head of its network and its loss; method_ascood.go is the one that the project is
// named after, on a page. This file is what a method is; around it are the network
// (network.go), the optimiser's step (learner.go), the schedules (schedule.go) and
// the loop (loop.go).
package train

import (
	"maps"
	"slices"
	"strings"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/gotorch"
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

	// strong has outliers whose strength depends on the epoch, from 1.
	strong interface {
		alpha(epoch, epochs int) float64
	}
)

// Step is what a method makes its loss of. Tensors that it makes belong to Scope.
type Step struct {
	Scope  *gotorch.Scope
	X      gotorch.Tensor // normalised images [N,3,H,W]
	Y      gotorch.Tensor // their classes [N]
	Epoch  int            // from 1
	Number int            // of the step since the start of the run, from 0

	learner *learner
}

// Forward passes normalised images [N,3,H,W] through the network in training mode, and
// returns the logits [N,C].
func (s *Step) Forward(x gotorch.Tensor) gotorch.Tensor { return s.learner.net.forward(x, training) }

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
	return published(c), nil
}
