package train

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	F "github.com/ascood/ascood/gotorch/nn/functional"
	"github.com/ascood/ascood/models"
	"github.com/ascood/ascood/runs"
)

// patient is all that a method is: cross-entropy at a temperature.
type patient struct {
	Heat float64 `json:"heat"`
}

func (*patient) Head() models.Head { return models.HeadLinear }

func (m *patient) Loss(s *Step) Loss {
	z := s.Forward(s.X)
	return Loss{ID: F.CrossEntropy(z.DivScalar(m.Heat), s.Y, F.Mean), Logits: z}
}

// TestToyMethod adds a method, which no other file knows, and trains by it.
func TestToyMethod(t *testing.T) {
	register("patient", func(Config) Method { return &patient{Heat: 2} })
	defer delete(methods, "patient")
	c, o := small(t), options(t)
	c.Method, c.Epochs = "patient", 1
	if err := c.Assign([]string{"heat=3"}); err != nil {
		t.Fatal(err)
	}
	mustRun(t, c, o)
	var kept struct{ Set json.RawMessage }
	if err := json.Unmarshal(read(t, o, runs.BestFile).Meta.Training, &kept); err != nil || string(kept.Set) != `{"heat":3}` {
		t.Errorf("the checkpoint has the hyperparameters %s, %v", kept.Set, err)
	}
}

// ofMethod is a run of a method on few images.
func ofMethod(t *testing.T, method string) Config {
	t.Helper()
	c := small(t)
	c.Method, c.Epochs, c.LR = method, 2, 0.01
	if slices.Contains(Exposed(), method) {
		c.Outliers = c.Val
	}
	if err := c.Assign(miniature[method]); err != nil {
		t.Fatal(err)
	}
	return c
}

// miniature are hyperparameters for few images.
var miniature = map[string][]string{
	"vos":   {"sample_number=16", "sample_from=50"},
	"cider": {"warm_epochs=1"},
	"npos":  {"warm_epochs=1", "start_epoch_knn=2", "sample_number=32", "k=3", "select=8", "sample_from=20", "id_points_num=4"},
}

// TestEveryMethod trains by every method, stops in the midst of the second epoch, and goes
// on: it ends as if it had not been stopped. What comes out is exported and evaluated by the
// score that the method is published with.
func TestEveryMethod(t *testing.T) {
	for _, method := range Methods() {
		t.Run(method, func(t *testing.T) {
			c, whole, halted := ofMethod(t, method), options(t), options(t)
			mustRun(t, c, whole)
			if err := Run(endAfter(t, 13), c, halted); !errors.Is(err, context.Canceled) {
				t.Fatalf("interrupted run returned %v", err)
			}
			if err := Resume(t.Context(), halted); err != nil {
				t.Fatal(err)
			}
			want, got := read(t, whole, runs.LastFile), read(t, halted, runs.LastFile)
			if !equalStates(got.Model, want.Model) || !equalStates(got.Training, want.Training) {
				t.Error("a resumed run ends otherwise")
			}
			evaluate(t, c, whole)
			if head := models.Head(got.Meta.Head); head != c.spec(2).Head {
				t.Errorf("the checkpoint names the head %q", head)
			}
		})
	}
}

// TestAblations trains with each of the paper's ablations.
func TestAblations(t *testing.T) {
	for name, change := range map[string]func(c *Config){
		"energy": func(c *Config) { c.OODLoss = LossEnergy },
		"unit":   func(c *Config) { c.HeadFeature = FeatureUnit },
		"minus":  func(c *Config) { c.OODType, c.AlphaMin, c.AlphaMax = OODGradient, -3, -30 },
	} {
		t.Run(name, func(t *testing.T) {
			c, o := ofMethod(t, MethodASCOOD), options(t)
			c.Epochs = 1
			change(&c)
			mustRun(t, c, o)
		})
	}
}

// TestExposureOrder: outliers are cycled, each pass in an order of its own, the same
// wherever a run goes on.
func TestExposureOrder(t *testing.T) {
	c := ofMethod(t, "oe")
	d, err := openImages(c)
	if err != nil {
		t.Fatal(err)
	}
	e := exposure{images: d.outliers, seed: 5}
	n := d.outliers.Len()
	all := e.order(0, 3*n)
	for pass := range 3 {
		one := slices.Clone(all[pass*n : (pass+1)*n])
		if slices.IsSorted(one) {
			t.Errorf("pass %d is in order", pass)
		}
		if slices.Sort(one); !slices.Equal(one, sequence(n)) {
			t.Errorf("pass %d has not each outlier once", pass)
		}
	}
	if slices.Equal(all[:n], all[n:2*n]) {
		t.Error("two passes have one order")
	}
	if got := e.order(n+7, n); !slices.Equal(got, all[n+7:2*n+7]) {
		t.Error("the order depends on where it begins")
	}
}

// TestHeadDoesNotFit: a checkpoint of another head is not resumed.
func TestHeadDoesNotFit(t *testing.T) {
	c, o := ofMethod(t, "conf_branch"), options(t)
	c.Epochs = 1
	mustRun(t, c, o)
	last := read(t, o, runs.LastFile)
	delete(last.Model, "confidence.weight")
	var training map[string]any
	if err := json.Unmarshal(last.Meta.Training, &training); err != nil {
		t.Fatal(err)
	}
	training["epochs"] = 2
	last.Meta.Training, _ = json.Marshal(training)
	if err := last.Save(o.Output + "/" + runs.LastFile); err != nil {
		t.Fatal(err)
	}
	err := Resume(t.Context(), o)
	if want := "conf_branch head):\n  missing confidence.weight [1 84]"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want %q in it", err, want)
	}
}
