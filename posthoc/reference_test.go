package posthoc

import (
	"math"
	"slices"
	"testing"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/checkpoint"
)

// tolerance of a score, relative to the spread of the reference's.
const tolerance = 1e-4

// TestReferenceScores computes each method's scores from given logits and
// features, with the published settings but where the reference differs.
func TestReferenceScores(t *testing.T) {
	ref := loadReference(t)
	d := ref.data(t)
	for _, name := range Names() {
		if len(newMethod(t, name).Needs().Graph) > 0 {
			continue // computed from images: see package eval
		}
		t.Run(name, func(t *testing.T) {
			m := narrow(t, name)
			if m, ok := m.(*TempScaling); ok {
				m.Temperature = 1.252 // where the reference's optimiser stopped
			}
			if err := Fit(m, d); err != nil {
				t.Fatal(err)
			}
			ref.compare(t, m, name)
		})
	}
}

// TestReferenceSettings computes the scores of further settings.
func TestReferenceSettings(t *testing.T) {
	ref := loadReference(t)
	for name, m := range map[string]Method{"mcm.tau0.01": &MCM{Tau: 0.01}, "mcm.tau10": &MCM{Tau: 10}, "fdbd.norm": &FDBD{}} {
		if err := Fit(m, ref.data(t)); err != nil {
			t.Fatal(err)
		}
		ref.compare(t, m, name)
	}
}

// compare compares a fitted method's scores with those of a name.
func (r reference) compare(t *testing.T, m Method, name string) {
	t.Helper()
	for _, set := range []string{"val_id", "val_ood", "test_id", "test_ood"} {
		s := r.set(t, set)
		got := scoreOf(t, m, &s.Batch)
		want := r.scores(t, name+"."+set)
		spread := slices.Max(want) - slices.Min(want)
		worst := 0.0
		for i, w := range want {
			worst = max(worst, math.Abs(got[i]-w)/spread)
		}
		t.Logf("%-8s differs by %.1e of the spread", set, worst)
		if !(worst <= tolerance) {
			t.Errorf("%s: %s differs by %g of the spread, more than %g", name, set, worst, tolerance)
		}
	}
}

// reference is the file of reference values.
type reference checkpoint.StateDict

func loadReference(t *testing.T) reference {
	t.Helper()
	c, err := checkpoint.Load("testdata/posthoc.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	return reference(c.Model)
}

func (r reference) data(t *testing.T) *Data {
	train, val := r.set(t, "train"), r.set(t, "val_id")
	return &Data{Weight: r.matrix(t, "fc.weight"), Bias: r.matrix(t, "fc.bias").Data, Train: train, ValidID: val, Observed: map[string]Bank{
		"gram": seen(train, 10*gramPowers), "mds_ensemble": seen(train, 8), adaScaleName(5, 1): seen(val, 1),
	}}
}

// seen are images with the first numbers of their features in place of what might have
// been observed of them.
func seen(s *Set, numbers int) *Set {
	first := &Set{Batch: Batch{Logits: s.Logits, Feature: Matrix{Cols: numbers}}, Labels: s.Labels}
	for i := range s.Len() {
		first.Feature.Data = append(first.Feature.Data, s.Feature.Row(i)[:numbers]...)
	}
	return first
}

func (r reference) set(t *testing.T, name string) *Set {
	t.Helper()
	labels, err := r[name+".label"].Int64s()
	if err != nil {
		t.Fatal(err)
	}
	s := &Set{Batch: Batch{Logits: r.matrix(t, name+".logits"), Feature: r.matrix(t, name+".feature")}}
	for _, l := range labels {
		s.Labels = append(s.Labels, int(l))
	}
	return s
}

func (r reference) matrix(t *testing.T, name string) Matrix {
	t.Helper()
	v, err := r[name].Float32s()
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return Matrix{v, r[name].Shape[len(r[name].Shape)-1]}
}

func (r reference) scores(t *testing.T, name string) []float64 {
	t.Helper()
	return doubles(r.matrix(t, name).Data)
}

// scoreOf runs a fitted method's part.
func scoreOf(t *testing.T, m Method, b *Batch) []float64 {
	t.Helper()
	scores, errs := scoresOf(t, []Method{m}, b)
	if errs[0] != nil {
		t.Fatal(errs[0])
	}
	return scores[0]
}

func scoresOf(t *testing.T, methods []Method, b *Batch) ([][]float64, []error) {
	t.Helper()
	s, err := NewScorer(methods, ascood.Device{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	return s.Score(b)
}

// narrow is a method with settings for a feature of 64 values.
func narrow(t *testing.T, name string) Method {
	t.Helper()
	m := newMethod(t, name)
	switch m := m.(type) {
	case *VIM:
		m.Dim = 32
	case *Residual:
		m.Dim = 32
	}
	return m
}

func newMethod(t *testing.T, name string) Method {
	t.Helper()
	m, err := New(name)
	if err != nil {
		t.Fatal(err)
	}
	return m
}
