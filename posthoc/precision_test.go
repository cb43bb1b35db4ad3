package posthoc

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/ascood/ascood/checkpoint"
	"github.com/ascood/ascood/metrics"
)

// TestReferencePrecision compares with scores that PyTorch and SciPy computed in
// float32, of logits so far apart that many images are exactly certain: these must tie,
// as more than 5% of the OOD images do at the top, and FPR@95 is 100 then.
func TestReferencePrecision(t *testing.T) {
	given, err := checkpoint.Load("testdata/single-given.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	wanted, err := checkpoint.Load("testdata/single.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	logits, want := reference(given.Model), reference(wanted.Model)
	validID := &Set{Batch: Batch{Logits: logits.matrix(t, "val_id"), Feature: logits.matrix(t, "val_id")}}
	d := &Data{Weight: Matrix{make([]float32, 9), 3}, Bias: make([]float32, 3), ValidID: validID}
	for _, name := range []string{"msp", "gen", "klm", "temp_scaling"} {
		var fpr [2]float64
		for k, single := range []bool{false, true} {
			m := newMethod(t, name)
			if s, ok := m.(*TempScaling); ok {
				s.Temperature = 1.5
			}
			if single && !UseReferencePrecision(m) {
				t.Errorf("%s has no softmax", name)
			}
			if err := Fit(m, d); err != nil {
				t.Fatal(err)
			}
			noted := slices.ContainsFunc(Notes(m), func(note string) bool { return strings.Contains(note, "float32") })
			if noted != single {
				t.Errorf("%s notes %q", name, Notes(m))
			}
			scores := map[string][]float64{}
			for _, set := range []string{"id", "ood"} {
				z := logits.matrix(t, set)
				scores[set] = scoreOf(t, m, &Batch{Logits: z, Feature: z})
				if single {
					compareSingle(t, name+"."+set, scores[set], want.scores(t, name+"."+set))
				}
			}
			figures, err := metrics.Compute(scores["id"], scores["ood"], 0)
			if err != nil {
				t.Fatal(err)
			}
			fpr[k] = figures.FPR95
		}
		if name == "msp" && !(fpr[0] < 0.9 && fpr[1] == 1) {
			t.Errorf("%s has FPR@95 %v, and %v in float32; want less than 0.9, and 1", name, fpr[0], fpr[1])
		}
	}
	for _, name := range []string{"mls", "odin", "knn"} {
		if UseReferencePrecision(newMethod(t, name)) {
			t.Errorf("%s has a softmax", name)
		}
	}
}

// compareSingle compares scores, and how many images have the highest.
func compareSingle(t *testing.T, what string, got, want []float64) {
	t.Helper()
	worst := 0.0
	for i, w := range want {
		worst = max(worst, math.Abs(got[i]-w))
		if got[i] != float64(float32(got[i])) {
			t.Fatalf("%s: image %d scores %v, which is no float32", what, i, got[i])
		}
	}
	if !(worst <= 1e-6) {
		t.Errorf("%s differs by %g", what, worst)
	}
	if g, w := highest(got), highest(want); g != w {
		t.Errorf("%s: %d images tie at the highest score, want %d", what, g, w)
	}
}

func highest(scores []float64) int {
	n := 0
	for _, v := range scores {
		if v == slices.Max(scores) {
			n++
		}
	}
	return n
}
