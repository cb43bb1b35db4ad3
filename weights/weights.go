// Package weights finds a network in a file of weights: which of its state dicts it
// is, under whose names and which prefix, where the backbone ends and which layer is
// the last one. What it took is told, and what leaves a choice is an error.
package weights

import (
	"github.com/ascood/ascood"
	"github.com/ascood/ascood/checkpoint"
	"github.com/ascood/ascood/models"
)

// Options says what to look for.
type Options struct {
	Arch     string // a name of models.Resolve; "" is whichever fits
	Key      string // of the state dict; "" is the one that fits
	Backbone bool   // take any last layer, or none
}

// Network is a network found in a file.
type Network struct {
	Spec  models.Spec          // Classes is 0 if there is no last layer
	State checkpoint.StateDict // all parameters but the counters of batches, under the names of models.New
	Notes []string             // what was taken, and what was passed over
	Unfit []string             // tensors beside the backbone that are not taken; with Options.Backbone only
}

// Find returns the one network that a file holds. Weights that are no finite numbers
// are an error.
func Find(f *checkpoint.File, opt Options) (*Network, error) {
	archs := models.Archs()
	if opt.Arch != "" {
		var err error
		if archs, err = models.Resolve(opt.Arch); err != nil {
			return nil, ascood.In("arch", err)
		}
	}
	states, err := candidates(f, opt.Key)
	if err != nil {
		return nil, err
	}
	var fits []*fit
	failure := &failure{}
	for _, s := range states {
		for _, arch := range archs {
			found, err := fitAll(s, arch, opt, failure)
			if err != nil {
				return nil, err
			}
			fits = append(fits, found...)
		}
	}
	if len(fits) == 0 {
		return nil, failure.error(archs, opt)
	}
	best, err := choose(fits, opt.Key)
	if err != nil {
		return nil, err
	}
	return best.network(fits, opt)
}
