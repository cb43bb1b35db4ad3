package checkpoint

import (
	"bufio"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/internal/atomicfile"
)

// trainingPrefix marks the tensors of Checkpoint.Training in a file.
const trainingPrefix = "training."

// Checkpoint is a trained network, or one on the way to that.
type Checkpoint struct {
	Model    StateDict // parameters and buffers of the network
	Training StateDict // what only the trainer needs to go on: momentum, random state; may be empty
	Meta     Meta
}

// Load reads a file with one state dict, as Open does, all of it.
func Load(path string) (*Checkpoint, error) {
	f, err := Open(path)
	if err != nil {
		return nil, err
	}
	c, err := f.checkpoint()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

func (f *File) checkpoint() (*Checkpoint, error) {
	state, err := f.All()
	if err != nil {
		return nil, err
	}
	return &Checkpoint{Model: state, Training: f.Training, Meta: f.Meta}, nil
}

// All returns the tensors of the only state dict of a file. Several are an error.
func (f *File) All() (StateDict, error) {
	state, err := f.only()
	if err != nil {
		return nil, err
	}
	all := StateDict{}
	for _, name := range slices.Sorted(maps.Keys(state.Shapes)) {
		if all[name], err = state.Tensor(name); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// File returns the checkpoint as Open would read it.
func (c *Checkpoint) File() *File {
	return &File{States: []*State{stateOf(c.Model)}, Training: c.Training, Meta: c.Meta}
}

// stateOf makes a State of tensors at hand.
func stateOf(tensors StateDict) *State {
	return &State{Shapes: tensors.Shapes(), load: func(name string) (*Tensor, error) { return tensors[name], nil }}
}

// Save writes the checkpoint as safetensors, in one step: path holds its old
// content or all of the new. Equal checkpoints give equal files.
func (c *Checkpoint) Save(path string) error {
	if err := c.save(path); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

func (c *Checkpoint) save(path string) error {
	if len(c.Model) == 0 {
		return ascood.Errorf(ascood.Invalid, "the model has no tensors")
	}
	state := maps.Clone(c.Model)
	for name := range c.Model {
		if strings.HasPrefix(name, trainingPrefix) {
			return ascood.Errorf(ascood.Invalid, "the model's %s begins with %s, which is kept for the trainer", name, trainingPrefix)
		}
	}
	for name, t := range c.Training {
		state[trainingPrefix+name] = t
	}
	metadata, err := c.Meta.encode()
	if err != nil {
		return err
	}
	f, err := atomicfile.Create(path)
	if err != nil {
		return err
	}
	defer f.Discard()
	w := bufio.NewWriterSize(f, 1<<20)
	if err := writeSafetensors(w, state, metadata); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return f.Commit()
}
