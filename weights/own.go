package weights

import (
	"github.com/ascood/ascood"
	"github.com/ascood/ascood/checkpoint"
	"github.com/ascood/ascood/models"
)

// Own returns the network of a checkpoint of ours whose head only we name: spec is its
// architecture, head and classes, size that of its images in pixels, 0 for the
// architecture's. All of it must be there.
func Own(f *checkpoint.File, spec models.Spec, size int) (*Network, error) {
	state, err := f.All()
	if err != nil {
		return nil, err
	}
	stem, err := stemOf(spec.Arch)
	if err != nil {
		return nil, err
	}
	shapes := state.Shapes()
	if at := prefixes(stem, shapes); len(at) == 1 {
		spec.Width = shapes[at[0]+stem][0]
	}
	net, err := models.New(spec, size)
	if err != nil {
		return nil, err
	}
	if err := net.Check(shapes); err != nil {
		return nil, ascood.Errorf(ascood.Invalid, "%w", err)
	}
	return &Network{Spec: spec, State: state}, nil
}
