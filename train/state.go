package train

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/checkpoint"
	"github.com/ascood/ascood/gotorch"
	"github.com/ascood/ascood/internal/atomicfile"
	"github.com/ascood/ascood/runs"
)

// details are what a checkpoint says about its training, as JSON: the
// configuration, the score to use (artifact.PublishedScore) and, in runs.LastFile, where the run was.
type details struct {
	Config
	Images   int             `json:"images"`          // in the training set
	Score    *artifact.Score `json:"score,omitempty"` // that the method is published with
	Position *position       `json:"position,omitempty"`
}

// momentumPrefix is before a parameter's name in the name of its momentum buffer.
const momentumPrefix = "momentum."

// save writes a checkpoint of the run's state. runs.LastFile also gets what it takes
// to resume; all else about the run's future follows from seed and position.
func (r *run) save(name string) error {
	c := &checkpoint.Checkpoint{Training: checkpoint.StateDict{}}
	var err error
	if c.Model, err = r.learner.net.stateDict(); err != nil {
		return fmt.Errorf("%s is not written: %w", name, err)
	}
	d := details{Config: r.config, Images: r.images.train.Len()}
	if m, ok := r.learner.method.(scored); ok {
		score := m.score()
		d.Score = &score
	}
	if name == runs.LastFile {
		d.Position = &r.at
		if err := r.learner.keep(c.Training); err != nil {
			return fmt.Errorf("%s is not written: %w", name, err)
		}
	}
	training, err := json.Marshal(d)
	if err != nil {
		return err
	}
	network, err := r.learner.net.bytes()
	if err != nil {
		return err
	}
	c.Meta = checkpoint.Meta{
		Arch: r.learner.net.Spec.Arch, Head: string(r.learner.net.Spec.Head), Network: network, Classes: r.images.classes, Preprocess: &r.config.Preprocess, Training: training,
		Epoch: r.at.Epochs, Step: r.at.Steps, Accuracy: r.at.Accuracy, Tool: "ascood-train " + ascood.Version,
	}
	return c.Save(filepath.Join(r.options.Output, name))
}

// saveConfig writes runs.ConfigFile.
func (r *run) saveConfig() error {
	text, err := json.MarshalIndent(r.config, "", "  ")
	if err != nil {
		return err
	}
	return atomicfile.WriteFile(filepath.Join(r.options.Output, runs.ConfigFile), append(text, '\n'))
}

// keep adds what the learner has beside the network to state.
func (l *learner) keep(state checkpoint.StateDict) error {
	for name, tensor := range l.own {
		t, err := download(tensor.Detach())
		if err != nil {
			return fmt.Errorf("%s of the method: %w", name, err)
		}
		state[ownPrefix+name] = t
	}
	return l.momentum(state)
}

// momentum adds the optimiser's buffers to state; there are none before the
// first step.
func (l *learner) momentum(state checkpoint.StateDict) error {
	for i, p := range l.params {
		buffer := l.sgd.Momentum(i)
		if buffer == (gotorch.Tensor{}) {
			return nil
		}
		t, err := download(buffer)
		if err != nil {
			return fmt.Errorf("momentum of %s: %w", p.name, err)
		}
		state[momentumPrefix+p.name] = t
	}
	return nil
}

// saved is a run as runs.LastFile has it.
type saved struct {
	path            string
	config          Config
	at              position
	images          int
	classes         []string
	network         []byte // of a network that came as a graph
	model, training checkpoint.StateDict
}

// ReadConfig returns the configuration of the run in dir.
func ReadConfig(dir string) (Config, error) {
	s, err := load(dir)
	if err != nil {
		return Config{}, err
	}
	return s.config, nil
}

func load(dir string) (*saved, error) {
	path := filepath.Join(dir, runs.LastFile)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, ascood.Errorf(ascood.Invalid, "nothing to resume in %q: it has no %s", dir, runs.LastFile)
	}
	c, err := checkpoint.Load(path)
	if err != nil {
		return nil, err
	}
	var d details
	if err := json.Unmarshal(c.Meta.Training, &d); err != nil || d.Position == nil {
		return nil, ascood.Errorf(ascood.Invalid, "%s does not say where its run was: it cannot be resumed", path)
	}
	s := &saved{
		path: path, config: d.Config, at: *d.Position, images: d.Images,
		classes: c.Meta.Classes, network: c.Meta.Network, model: c.Model, training: c.Training,
	}
	s.config.Precision = cmp.Or(s.config.Precision, Float32) // runs from before there was a choice do not say
	return s, s.config.Validate()
}

// check compares the data with those that the run began with.
func (s *saved) check(d *images) error {
	if n := d.train.Len(); n != s.images {
		return ascood.Errorf(ascood.Invalid, "%s was trained on %d images, now there are %d", s.path, s.images, n)
	}
	if !slices.Equal(s.classes, d.classes) {
		return ascood.Errorf(ascood.Invalid, "%s was trained on classes %q, now they are %q", s.path, s.classes, d.classes)
	}
	return nil
}

// restore puts back what the learner has beside the network: the method's own tensors, and
// the optimiser's buffers if there has been a step.
func (s *saved) restore(l *learner) error {
	host := gotorch.NewScope(gotorch.NoGrad)
	defer host.Close()
	for _, name := range slices.Sorted(maps.Keys(l.own)) {
		t, ok := s.training[ownPrefix+name]
		if !ok {
			return ascood.Errorf(ascood.Invalid, "%s has no %s of the method %s", s.path, name, s.config.Method)
		}
		values, err := t.Float32s()
		if err != nil {
			return fmt.Errorf("%s: %s of the method: %w", s.path, name, err)
		}
		host.Keep(l.own[name].Detach()).CopyI(gotorch.FromSlice(host, values, t.Shape...).To(l.net.at.device, l.net.at.dtype))
	}
	if err := host.Err(); err != nil {
		return err
	}
	if len(s.training) == len(l.own) {
		return nil
	}
	var buffers []gotorch.Tensor
	for _, p := range l.params {
		t, ok := s.training[momentumPrefix+p.name]
		if !ok {
			return ascood.Errorf(ascood.Invalid, "%s has no momentum of %s", s.path, p.name)
		}
		values, err := t.Float32s()
		if err != nil {
			return fmt.Errorf("%s: momentum of %s: %w", s.path, p.name, err)
		}
		buffers = append(buffers, gotorch.FromSlice(host, values, t.Shape...))
	}
	return l.sgd.SetMomentum(buffers)
}
