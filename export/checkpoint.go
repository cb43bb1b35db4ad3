package export

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/checkpoint"
	"github.com/ascood/ascood/models"
	"github.com/ascood/ascood/onnx"
	"github.com/ascood/ascood/preprocess"
	"github.com/ascood/ascood/weights"
)

// Options says what a checkpoint may not: a bare state dict knows little of it. For
// a checkpoint of ours they may be left out, and must agree if given.
type Options struct {
	Name       string                // of the model
	Arch       string                // a name of models.Resolve; "" is the one that the weights fit
	StateDict  string                // where in the file the weights lie; "" is where they fit
	Preprocess *preprocess.Config    // how images become the network's input
	Truncated  *preprocess.Truncated // what becomes of images that end early; nil is what the checkpoint or Preprocess says
	Classes    []string              // names in the order of the logits
	Folders    []string              // names of class folders, for want of others and if they are as many as the logits
	Score      artifact.Score        // what the artifact computes
	Target     artifact.Target       // what it is to be fast on; "" is artifact.CPU
	Outputs    []string              // to keep, of artifact.Outputs; nil is all
	Source     artifact.Source       // where the weights came from; FromFile adds what it took of them
}

func (opt Options) target() artifact.Target { return cmp.Or(opt.Target, artifact.CPU) }

// FromCheckpoint is FromFile of a checkpoint at hand.
func FromCheckpoint(c *checkpoint.Checkpoint, opt Options) (*onnx.ModelProto, *artifact.Metadata, error) {
	return FromFile(c.File(), opt)
}

// FromFile returns the artifact of the network in a file, uncalibrated. What is
// neither in the file nor in opt, and what contradicts, are errors that say which
// flag of ascood-export helps.
func FromFile(f *checkpoint.File, opt Options) (*onnx.ModelProto, *artifact.Metadata, error) {
	net, err := find(f, opt)
	if err != nil {
		return nil, nil, err
	}
	pre, err := choosePreprocess(f.Meta.Preprocess, opt.Preprocess)
	if err != nil {
		return nil, nil, err
	}
	if opt.Truncated != nil {
		pre.Truncated = *opt.Truncated
	}
	classes, notes, err := chooseClasses(f.Meta.Classes, f.Classes, opt, net.spec.Classes)
	if err != nil {
		return nil, nil, err
	}
	graph, err := net.model(pre.ImageSize)
	if err != nil {
		return nil, nil, err
	}
	named := Named(graph)
	model, err := Build(named, pre, opt.Score, opt.target())
	if err != nil {
		return nil, nil, err
	}
	if model, err = Keep(model, opt.Score, opt.Outputs); err != nil {
		return nil, nil, err
	}
	head := string(net.spec.Head)
	if !named.Linear && net.own != nil {
		head = noHead
	}
	opt.Source.Taken = append(net.notes, notes...)
	return model, &artifact.Metadata{
		Name: opt.Name, Arch: net.spec.Arch, Width: net.spec.Width, Head: head,
		Classes: classes, Preprocess: pre, Score: opt.Score, Target: opt.target(), Source: opt.Source,
	}, nil
}

// found is the network in a file.
type found struct {
	spec  models.Spec
	own   *models.Network // the graph that the file has, nil if the architecture says it
	state checkpoint.StateDict
	notes []string
}

// find looks for the weights of an architecture or, in a checkpoint of a network that
// came as a graph, takes that.
func find(f *checkpoint.File, opt Options) (*found, error) {
	arch, err := chooseArch(f.Meta.Arch, opt.Arch)
	if err != nil {
		return nil, err
	}
	if arch != models.ArchONNX {
		net, err := findWeights(f, arch, opt)
		if err != nil {
			return nil, err
		}
		return &found{net.Spec, nil, net.State, net.Notes}, nil
	}
	net, err := models.Parse(f.Meta.Network)
	if err != nil {
		return nil, err
	}
	state, err := f.All()
	if err != nil {
		return nil, err
	}
	if err := net.Check(state.Shapes()); err != nil {
		return nil, ascood.Errorf(ascood.Invalid, "%w", err)
	}
	return &found{net.Spec, net, state, nil}, nil
}

// findWeights looks for the weights of an architecture. The checkpoint says which head
// they have if only we name it.
func findWeights(f *checkpoint.File, arch string, opt Options) (*weights.Network, error) {
	switch head := models.Head(f.Meta.Head); head {
	case "", models.HeadLinear, models.HeadASCOOD:
		return weights.Find(f, weights.Options{Arch: arch, Key: opt.StateDict})
	default:
		size := 0
		if f.Meta.Preprocess != nil {
			size = f.Meta.Preprocess.ImageSize
		}
		return weights.Own(f, models.Spec{Arch: arch, Classes: len(f.Meta.Classes), Head: head}, size)
	}
}

// model is the network, for images of a size, with its weights.
func (n *found) model(size int) (*onnx.ModelProto, error) {
	if n.own == nil {
		graph, err := models.New(n.spec, size)
		if err != nil {
			return nil, err
		}
		return withWeights(graph, n.state)
	}
	m, err := withWeights(n.own, n.state)
	if err != nil {
		return nil, err
	}
	return m, onnx.Check(m)
}

// Keep leaves of a model what computes the named outputs, among which must be those that
// its score needs; nil is all of it.
func Keep(m *onnx.ModelProto, score artifact.Score, outputs []string) (*onnx.ModelProto, error) {
	if outputs == nil {
		return m, nil
	}
	field := ascood.Field("outputs")
	for _, name := range outputs {
		if !slices.Contains(artifact.Outputs(), name) {
			return nil, ascood.Errorf(ascood.Invalid, "%s: unknown output %q; known are %s", field, name, strings.Join(artifact.Outputs(), ", "))
		}
	}
	for _, name := range score.Needed() {
		if !slices.Contains(outputs, name) {
			return nil, ascood.Errorf(ascood.Invalid, "%s: %s is not among them, without which there is no score %s; it needs %s",
				field, name, score.Name, strings.Join(score.Needed(), ", "))
		}
	}
	return onnx.Extract(m, outputs)
}

// chooseArch returns what the checkpoint or the flag says, which must not differ; ""
// if neither does.
func chooseArch(inCheckpoint, given string) (string, error) {
	if inCheckpoint == "" || given == "" {
		return cmp.Or(inCheckpoint, given), nil
	}
	archs, err := models.Resolve(given)
	if err != nil {
		return "", ascood.In("arch", err)
	}
	if !slices.Contains(archs, inCheckpoint) {
		return "", ascood.Errorf(ascood.Invalid, "%s is %s, but the checkpoint says %s", ascood.Field("arch"), given, inCheckpoint)
	}
	return inCheckpoint, nil
}

// choosePreprocess returns what is given or, if the checkpoint says how it was trained,
// that, which is to be the same. What it made of images that end early is no matter of
// the network's.
func choosePreprocess(inCheckpoint, given *preprocess.Config) (preprocess.Config, error) {
	if inCheckpoint != nil && given != nil {
		same := *given
		same.Truncated = inCheckpoint.Truncated
		given = &same
	}
	switch {
	case inCheckpoint == nil && given == nil:
		return preprocess.Config{}, ascood.Errorf(ascood.Invalid, "the checkpoint does not say how images become its input: give %w", preprocess.Missing())
	case given == nil:
		return *inCheckpoint, nil
	case inCheckpoint != nil && *inCheckpoint != *given:
		return preprocess.Config{}, ascood.Errorf(ascood.Invalid, "the preprocessing given is %s, but the checkpoint was trained on %s", given, inCheckpoint)
	}
	return *given, given.Validate()
}

// chooseClasses returns the class names, with a note if nobody said them: given ones
// replace the network's own, which may be mere numbers; then come those found beside the
// weights, those of folders, and numbers.
func chooseClasses(own []string, beside checkpoint.ClassList, opt Options, count int) (classes, notes []string, err error) {
	for _, said := range []struct {
		names []string
		where any
	}{{opt.Classes, ascood.Field("classes")}, {own, "the checkpoint"}} {
		switch n := len(said.names); {
		case said.names == nil:
		case n != count:
			return nil, nil, ascood.Errorf(ascood.Invalid, "%s names %d classes, but the network has %d", said.where, n, count)
		default:
			return said.names, nil, nil
		}
	}
	for _, found := range []checkpoint.ClassList{beside, {Names: opt.Folders, Key: "the folders of the images"}} {
		switch n := len(found.Names); {
		case n == 0:
		case n != count:
			notes = append(notes, fmt.Sprintf("class names: not those under %s, %d for %d classes", found.Key, n, count))
		default:
			return found.Names, append(notes, "class names: those under "+found.Key), nil
		}
	}
	for i := range count {
		classes = append(classes, fmt.Sprint(i))
	}
	return classes, append(notes, "class names: numbers, as nothing names them"), nil
}

// withWeights fills a network with the numbers of a state dict.
func withWeights(n *models.Network, state checkpoint.StateDict) (*onnx.ModelProto, error) {
	if err := n.CheckSize(state.Shapes()); err != nil {
		return nil, ascood.Errorf(ascood.Invalid, "%w", err)
	}
	values := map[string][]float32{}
	for _, p := range n.Params {
		if p.Integer || state[p.Name] == nil {
			continue
		}
		v, err := state[p.Name].Float32s()
		if err != nil {
			return nil, ascood.Errorf(ascood.Invalid, "%s: %w", p.Name, err)
		}
		values[p.Name] = v
	}
	return n.Model(values)
}
