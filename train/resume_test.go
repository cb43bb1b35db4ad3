package train

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/checkpoint"
	"github.com/ascood/ascood/runs"
)

// TestResume interrupts runs and compares what their continuation ends with.
func TestResume(t *testing.T) {
	c := small(t)
	whole := options(t)
	mustRun(t, c, whole)
	for _, test := range []struct {
		name        string
		checks      int // of the context
		epoch, step int // finished then
	}{
		{"in the first epoch", 3, 0, 3},
		{"after the first epoch", 11, 1, 0},
		{"in the middle of an epoch", 11 + 5, 1, 5},
		{"before the validation", 11 + 10, 1, 10},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := options(t)
			err := Run(endAfter(t, test.checks), c, o)
			if stopped, ok := errors.AsType[*Interruption](err); !ok || !errors.Is(err, context.Canceled) || stopped.Output != o.Output {
				t.Fatalf("interrupted run returned %v", err)
			}
			if m := read(t, o, runs.LastFile).Meta; m.Epoch != test.epoch || m.Step != test.step {
				t.Fatalf("interrupted after %d epochs and %d steps, want %d and %d", m.Epoch, m.Step, test.epoch, test.step)
			}
			if err := Resume(t.Context(), o); err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{runs.LastFile, runs.BestFile} {
				want, got := read(t, whole, name), read(t, o, name)
				if !equalStates(got.Model, want.Model) || !equalStates(got.Training, want.Training) {
					t.Errorf("%s differs from that of an uninterrupted run", name)
				}
			}
			for i, row := range rows(t, whole) {
				if got := rows(t, o)[i][:8]; !slices.Equal(got, row[:8]) {
					t.Errorf("metrics %v, uninterrupted %v", got, row[:8])
				}
			}
		})
	}
}

func TestWrongResume(t *testing.T) {
	c, o := small(t), options(t)
	if err := Resume(t.Context(), o); err == nil || !strings.Contains(err.Error(), "it has no last.safetensors") {
		t.Errorf("nothing to resume: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Run(ctx, c, o); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if kept, err := ReadConfig(o.Output); err != nil || kept != c {
		t.Errorf("configuration %+v, %v, want %+v", kept, err, c)
	}
	labels := strings.Replace(strings.TrimSuffix(c.Train, "[0:150]"), "images-idx3", "labels-idx1", 1)
	data, err := os.ReadFile(labels)
	if err != nil {
		t.Fatal(err)
	}
	for i := range data[8:] {
		data[8+i] = min(data[8+i], 2)
	}
	write(t, labels, data)
	want := `was trained on classes ["0" "1" "2" "3"], now they are ["0" "1" "2"]`
	if err := Resume(t.Context(), o); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("resumed on other classes: %q, want %q", message(err), want)
	}
	old := read(t, o, runs.LastFile)
	old.Meta.Training = bytes.Replace(old.Meta.Training, []byte(`"precision":"float32",`), nil, 1)
	if err := old.Save(filepath.Join(o.Output, runs.LastFile)); err != nil {
		t.Fatal(err)
	}
	if kept, err := ReadConfig(o.Output); err != nil || kept != c {
		t.Errorf("the configuration of a run that does not say its precision: %+v, %v, want %+v", kept, err, c)
	}
	bare := &checkpoint.Checkpoint{Model: read(t, o, runs.LastFile).Model}
	if err := bare.Save(filepath.Join(o.Output, runs.LastFile)); err != nil {
		t.Fatal(err)
	}
	if err := Resume(t.Context(), o); err == nil || !strings.Contains(err.Error(), "does not say where its run was") {
		t.Errorf("resumed a bare state dict: %v", err)
	}
}

// TestResumeNotWritable: a run that cannot be written to is not continued for an
// epoch first.
func TestResumeNotWritable(t *testing.T) {
	o := options(t)
	if err := Run(endAfter(t, 3), small(t), o); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if err := os.Chmod(o.Output, 0o555); err != nil {
		t.Fatal(err)
	}
	withoutPrivileges(t, filepath.Dir(filepath.Dir(o.Output)))
	err := Resume(t.Context(), o)
	if ascood.CodeOf(err) != ascood.Invalid || !strings.Contains(err.Error(), "output: no files can be written there") {
		t.Errorf("error %v", err)
	}
}
