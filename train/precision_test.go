package train

import (
	"fmt"
	"slices"
	"testing"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/checkpoint"
	"github.com/ascood/ascood/gotorch"
	"github.com/ascood/ascood/internal/testmodel"
	"github.com/ascood/ascood/models"
	"github.com/ascood/ascood/runs"
)

// bf16 says whether libtorch can convolve in bfloat16 on this processor. Where it
// cannot, a run must be refused for that.
func bf16(t *testing.T) bool {
	t.Helper()
	err := tryBF16(gotorch.CPU)
	if err == nil {
		return true
	}
	c := small(t)
	c.Precision = BF16
	if got := Run(t.Context(), c, options(t)); ascood.CodeOf(got) != ascood.Unavailable || got.Error() != err.Error() {
		t.Errorf("a run in bfloat16, which cannot be had: %v, want %v", got, err)
	}
	return false
}

// TestBF16: a run in bfloat16 learns, and leaves the same kind of files.
func TestBF16(t *testing.T) {
	if !bf16(t) {
		return
	}
	c, single := small(t), small(t)
	c.Precision = BF16
	o, other := options(t), options(t)
	mustRun(t, c, o)
	mustRun(t, single, other)
	checkMetrics(t, c, rows(t, o))
	checkBest(t, c, o)
	for _, name := range []string{runs.BestFile, runs.LastFile} {
		got, want := read(t, o, name), read(t, other, name)
		if !slices.Equal(kinds(got.Model), kinds(want.Model)) || !slices.Equal(kinds(got.Training), kinds(want.Training)) {
			t.Errorf("%s has other tensors than that of a run in float32: %v", name, kinds(got.Model))
		}
		if equalStates(got.Model, want.Model) {
			t.Errorf("%s has the numbers of a run in float32", name)
		}
	}
}

// kinds lists names, types and shapes.
func kinds(state checkpoint.StateDict) []string {
	var list []string
	for name, tensor := range state {
		list = append(list, fmt.Sprint(name, tensor.DType, tensor.Shape))
	}
	slices.Sort(list)
	return list
}

// TestBF16Backbone: bfloat16 changes the logits of training, slightly, and nothing
// else: they come out in float32, and inference and saliency stay as they are.
// (Deeper networks of random weights magnify any rounding.)
func TestBF16Backbone(t *testing.T) {
	if !bf16(t) {
		return
	}
	for _, arch := range []string{"lenet", "resnet18_32x32"} {
		t.Run(arch, func(t *testing.T) {
			scope := gotorch.NewScope()
			defer scope.Close()
			c := Default(OODGradient)
			c.Arch, c.Width = arch, 6
			single := newStepper(t, scope, c, 28, 16)
			c.Precision = BF16
			half := newStepper(t, scope, c, 28, 16)
			x, y := single.input.images(scope, single.pixels, 16), single.input.labels(scope, single.labels)
			for name, f := range map[string]func(l *learner) gotorch.Tensor{
				"logits":   func(l *learner) gotorch.Tensor { return l.net.forward(x, inference) },
				"saliency": func(l *learner) gotorch.Tensor { return saliencyOf(l, scope, x, y) },
			} {
				if got, want := gotorch.ToSlice[float32](f(half.learner)), gotorch.ToSlice[float32](f(single.learner)); !slices.Equal(got, want) {
					t.Errorf("bfloat16 in training changes the %s of inference", name)
				}
			}
			got, want := half.learner.net.forward(x, training), single.learner.net.forward(x, training)
			if d := off(got, want); got.DType() != gotorch.Float32 || !(d > 0 && d < 0.2) {
				t.Errorf("logits of training are %s, %.2g apart", got.DType(), d)
			}
			if err := scope.Err(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestBF16Steps makes a step with every architecture.
func TestBF16Steps(t *testing.T) {
	if !bf16(t) {
		return
	}
	for _, arch := range models.Archs() {
		scope := gotorch.NewScope()
		c := Default(OODShuffle)
		c.Arch, c.Width, c.Precision = arch, testmodel.Narrow(arch), BF16
		st := newStepper(t, scope, c, smallSize(arch), 4)
		st.step(t)
		if _, err := st.learner.net.stateDict(); err != nil {
			t.Errorf("%s: %v", arch, err)
		}
		scope.Close()
	}
}
