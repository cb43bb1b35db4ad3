package checkpoint

import (
	"bufio"
	"bytes"
	"fmt"
	"maps"
	"os"
	"strings"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/internal/atomicfile"
)

// trainingPrefix marks the tensors of Checkpoint.Training in a file.
const trainingPrefix = "training."

// parallelPrefix is before every name in a data-parallel model's state dict.
const parallelPrefix = "module."

// Checkpoint is a trained network, or one on the way to that.
type Checkpoint struct {
	Model    StateDict // parameters and buffers of the network
	Training StateDict // what only the trainer needs to go on: momentum, random state; may be empty
	Meta     Meta
}

// Load reads a safetensors file, ours or a bare state dict, or a file that
// torch.save wrote (.pth, .pt, .ckpt; either format), which is told by the
// content. There the state dict may be the whole or lie under "state_dict",
// "model" or "net". No code in the file is run: one that refers to anything but
// tensors is refused, by the name of it.
//
// The prefix "module." of data-parallel models is taken off the names, and the
// floating-point tensors of the model become F32. A file that is missing or
// damaged is ascood.Invalid; the error names file and fault.
func Load(path string) (*Checkpoint, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, ascood.Errorf(ascood.Invalid, "%w", err)
	}
	c, err := parse(content)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

func parse(content []byte) (*Checkpoint, error) {
	c := &Checkpoint{Model: StateDict{}, Training: StateDict{}}
	var state StateDict
	var header map[string]string
	var err error
	switch {
	case len(content) == 0:
		return nil, ascood.Errorf(ascood.Invalid, "the file is empty")
	case bytes.HasPrefix(content, zipMagic), bytes.HasPrefix(content, legacyMagic):
		state, err = readTorch(content)
	case len(content) > 8 && content[8] == '{':
		state, header, err = readSafetensors(content)
	default:
		return nil, ascood.Errorf(ascood.Invalid, "neither a safetensors file nor one that torch.save wrote")
	}
	if err != nil {
		return nil, err
	}
	if err := c.Meta.decode(header); err != nil {
		return nil, err
	}
	return c, c.add(state)
}

// add sorts tensors into those of the model and those of training.
func (c *Checkpoint) add(state StateDict) error {
	for name, t := range state {
		if rest, ok := strings.CutPrefix(name, trainingPrefix); ok {
			c.Training[rest] = t
			continue
		}
		plain := strings.TrimPrefix(name, parallelPrefix)
		if _, ok := c.Model[plain]; ok {
			return ascood.Errorf(ascood.Invalid, "both %s and %s%s are in the state dict", plain, parallelPrefix, plain)
		}
		t, err := t.single()
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		c.Model[plain] = t
	}
	if len(c.Model) == 0 {
		return ascood.Errorf(ascood.Invalid, "no tensors of a model")
	}
	return nil
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
