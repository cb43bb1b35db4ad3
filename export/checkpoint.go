package export

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/checkpoint"
	"github.com/ascood/ascood/models"
	"github.com/ascood/ascood/onnx"
	"github.com/ascood/ascood/preprocess"
)

// Options says what a checkpoint may not: a bare state dict knows none of it. For
// a checkpoint of ours they may be left out, and must agree if given.
type Options struct {
	Name       string             // of the model
	Arch       string             // one of models.Archs
	Preprocess *preprocess.Config // how images become the network's input
	Classes    []string           // names in the order of the logits
	Score      artifact.Score     // what the artifact computes
	Outputs    []string           // to keep, of artifact.Outputs; nil is all
	Source     artifact.Source    // where the weights came from
}

// FromCheckpoint returns the artifact of a checkpoint, uncalibrated. What is
// neither in the checkpoint nor in opt, and what contradicts, are errors that
// say which flag of ascood-export helps.
func FromCheckpoint(c *checkpoint.Checkpoint, opt Options) (*onnx.ModelProto, *artifact.Metadata, error) {
	arch, err := chooseArch(c.Meta.Arch, opt.Arch)
	if err != nil {
		return nil, nil, err
	}
	graph, err := models.Infer(arch, c.Model.Shapes())
	if err != nil {
		return nil, nil, err
	}
	pre, err := choosePreprocess(c.Meta.Preprocess, opt.Preprocess)
	if err != nil {
		return nil, nil, err
	}
	classes, err := chooseClasses(c.Meta.Classes, opt.Classes, graph.Spec.Classes)
	if err != nil {
		return nil, nil, err
	}
	weights, err := weightsOf(graph, c.Model)
	if err != nil {
		return nil, nil, err
	}
	model, err := Build(graph, weights, pre, opt.Score)
	if err != nil {
		return nil, nil, err
	}
	if model, err = keep(model, opt); err != nil {
		return nil, nil, err
	}
	return model, &artifact.Metadata{
		Name: opt.Name, Arch: arch, Width: graph.Spec.Width, Head: string(graph.Spec.Head),
		Classes: classes, Preprocess: pre, Score: opt.Score, Source: opt.Source,
	}, nil
}

// keep leaves of a model what computes the outputs that opt asks for.
func keep(m *onnx.ModelProto, opt Options) (*onnx.ModelProto, error) {
	if opt.Outputs == nil {
		return m, nil
	}
	field := ascood.Field("outputs")
	for _, name := range opt.Outputs {
		if !slices.Contains(artifact.Outputs(), name) {
			return nil, ascood.Errorf(ascood.Invalid, "%s: unknown output %q; known are %s", field, name, strings.Join(artifact.Outputs(), ", "))
		}
	}
	for _, name := range opt.Score.Name.Needed() {
		if !slices.Contains(opt.Outputs, name) {
			return nil, ascood.Errorf(ascood.Invalid, "%s: %s is not among them, without which there is no score %s; it needs %s",
				field, name, opt.Score.Name, strings.Join(opt.Score.Name.Needed(), ", "))
		}
	}
	return onnx.Extract(m, opt.Outputs)
}

// chooseArch returns what the checkpoint or the flag says, which must not differ.
func chooseArch(inCheckpoint, given string) (string, error) {
	switch known := strings.Join(models.Archs(), ", "); {
	case given != "" && !slices.Contains(models.Archs(), given):
		return "", ascood.Errorf(ascood.Invalid, "%s: unknown architecture %q; known are %s", ascood.Field("arch"), given, known)
	case inCheckpoint == "" && given == "":
		return "", ascood.Errorf(ascood.Invalid, "the checkpoint is a bare state dict: %s must say what it is; known are %s", ascood.Field("arch"), known)
	case inCheckpoint != "" && given != "" && inCheckpoint != given:
		return "", ascood.Errorf(ascood.Invalid, "%s is %s, but the checkpoint says %s", ascood.Field("arch"), given, inCheckpoint)
	case given == "":
		return inCheckpoint, nil
	}
	return given, nil
}

func choosePreprocess(inCheckpoint, given *preprocess.Config) (preprocess.Config, error) {
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

// chooseClasses returns the class names; given ones replace the checkpoint's,
// which may be mere numbers.
func chooseClasses(inCheckpoint, given []string, count int) ([]string, error) {
	classes, where := given, any(ascood.Field("classes"))
	if given == nil {
		classes, where = inCheckpoint, "the checkpoint"
	}
	if classes == nil {
		for i := range count {
			classes = append(classes, fmt.Sprint(i))
		}
	}
	if len(classes) != count {
		return nil, ascood.Errorf(ascood.Invalid, "%s names %d classes, but the network has %d", where, len(classes), count)
	}
	return classes, nil
}

// weightsOf returns the values of a state dict, which must be finite numbers.
func weightsOf(g *models.Graph, state checkpoint.StateDict) (Weights, error) {
	weights := Weights{}
	for _, p := range g.Params() {
		if p.Integer {
			continue
		}
		values, err := state[p.Name].Float32s()
		if err != nil {
			return nil, ascood.Errorf(ascood.Invalid, "%s: %w", p.Name, err)
		}
		for _, v := range values {
			if v-v != 0 {
				return nil, ascood.Errorf(ascood.Invalid, "%s holds %v: the training has diverged or the file is damaged", p.Name, v)
			}
		}
		weights[p.Name] = values
	}
	return weights, nil
}
