package posthoc

import (
	"errors"
	"iter"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/ascood/ascood"
)

// TestSettings takes every method's settings through their JSON form.
func TestSettings(t *testing.T) {
	for _, name := range Names() {
		m := newMethod(t, name)
		text, err := Settings(m)
		if err != nil {
			t.Fatal(err)
		}
		again := reflect.New(reflect.TypeOf(m).Elem()).Interface().(Method)
		if err := Configure(again, text); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(m, again) {
			t.Errorf("%s: %s becomes %+v, was %+v", name, text, again, m)
		}
		if err := Configure(m, `{"colour":1}`); ascood.CodeOf(err) != ascood.Invalid || !strings.Contains(err.Error(), text) {
			t.Errorf("%s: the error %v does not list the settings %s", name, err, text)
		}
	}
}

func TestSweeps(t *testing.T) {
	for name, want := range map[string]int{"odin": 28, "iodin": 28, "gen": 42, "knn": 5, "vim": 2, "react": 4, "ash": 7, "scale": 7, "relation": 5, "msp": 0} {
		if got := len(Sweep(name)); got != want {
			t.Errorf("%s is searched over %d settings, want %d", name, got, want)
		}
	}
	first, err := Settings(Sweep("odin")[1])
	if err != nil || first != `{"temperature":1,"noise":0.0028}` {
		t.Errorf("the second of odin's settings is %s (%v)", first, err)
	}
}

func TestUnknownMethod(t *testing.T) {
	_, err := New("energy")
	if err == nil || !strings.Contains(err.Error(), "ash, dice, ebo") {
		t.Errorf("error %v does not list the methods", err)
	}
}

func TestNothingToNote(t *testing.T) {
	d := loadReference(t).data(t)
	for _, name := range []string{"mds", "rmds", "she", "klm", "knn"} {
		m := newMethod(t, name)
		if err := Fit(m, d); err != nil {
			t.Fatal(err)
		}
		if notes := Notes(m); notes != nil {
			t.Errorf("%s notes %q", name, notes)
		}
	}
}

func TestFitNeedsItsSets(t *testing.T) {
	ref := loadReference(t)
	for _, name := range Names() {
		d := ref.data(t)
		needs := newMethod(t, name).Needs()
		d.Train, d.ValidID = nil, nil
		err := Fit(newMethod(t, name), d)
		if want := needs.Train || needs.ValidID; (err != nil) != want {
			t.Errorf("%s: error %v without sets", name, err)
		}
	}
}

func TestWrongSettings(t *testing.T) {
	ref := loadReference(t)
	for _, c := range []struct {
		method Method
		want   string
	}{
		{&KNN{K: 1001}, "k 1001: must be from 1 to the number of training images, 1000"},
		{&NNGuide{}, "k 0"},
		{&VIM{Dim: 64}, "less than the feature's 64"},
		{&ReAct{Percentile: 101}, "percentile 101"},
		{&ASH{Percentile: -1}, "percentile -1"},
		{&ASH{Percentile: 100}, "keeps none"},
		{&Scale{Percentile: math.NaN()}, "percentile NaN"},
		{&DICE{Percentile: 200}, "percentile 200"},
		{&EBO{}, "temperature 0"},
		{&TempScaling{Temperature: -1}, "temperature -1"},
		{&ODIN{perturbation{0, 1}}, "temperature 0"},
		{&IODIN{perturbation{1, -1}}, "noise -1"},
		{&GEN{Gamma: 1}, "m 0"},
		{&Relation{}, "power 0"},
	} {
		err := Fit(c.method, ref.data(t))
		if ascood.CodeOf(err) != ascood.Invalid || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%T: error %v, want %q", c.method, err, c.want)
		}
	}
}

// TestClassWithoutTrainingImages takes away the images of class 3 and checks what
// each method documents.
func TestClassWithoutTrainingImages(t *testing.T) {
	const absent = 3
	ref := loadReference(t)
	d := ref.data(t)
	train := ref.set(t, "train")
	d.Train = without(train, func(i int) bool { return train.Labels[i] == absent })
	d.ValidID = without(d.ValidID, func(i int) bool { return d.ValidID.Prediction(i) == absent })
	test := ref.set(t, "test_id")
	for _, name := range []string{"mds", "rmds", "she", "klm"} {
		m := newMethod(t, name)
		if err := Fit(m, d); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if notes := Notes(m); len(notes) != 1 || !strings.Contains(notes[0], "class 3: ") {
			t.Errorf("%s notes %q", name, notes)
		}
		scores, err := m.Score(&test.Batch)
		if err != nil {
			t.Fatal(err)
		}
		lost, kept := 0.0, 0.0 // mean scores
		for i, v := range scores {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				t.Fatalf("%s: image %d scores %v", name, i, v)
			}
			if test.Prediction(i) == absent {
				lost += v / 20
				if name == "she" && v != 0 {
					t.Errorf("she scores %v for a class without pattern, want 0", v)
				}
			} else {
				kept += v / 180
			}
		}
		if !(lost < kept) {
			t.Errorf("%s: images of the absent class score %v, the others %v", name, lost, kept)
		}
	}
}

func without(s *Set, drop func(i int) bool) *Set {
	kept := &Set{Batch: Batch{Logits: Matrix{Cols: s.Logits.Cols}, Feature: Matrix{Cols: s.Feature.Cols}}}
	for i, label := range s.Labels {
		if !drop(i) {
			kept.Labels = append(kept.Labels, label)
			kept.Logits.Data = append(kept.Logits.Data, s.Logits.Row(i)...)
			kept.Feature.Data = append(kept.Feature.Data, s.Feature.Row(i)...)
		}
	}
	return kept
}

// TestNarrowDirection has features that hardly vary in one direction, which counts
// all the same, and not at all in another, which does not.
func TestNarrowDirection(t *testing.T) {
	train := &Set{Batch: Batch{Feature: Matrix{Cols: 3}, Logits: Matrix{Cols: 1}}}
	const narrow = 0x1p-17 // its variance is 6e-11 of the largest
	for i := range 4 {
		train.Feature.Data = append(train.Feature.Data, float32(i%2), narrow*float32(i/2), 1)
		train.Logits.Data = append(train.Logits.Data, 0)
		train.Labels = append(train.Labels, 0)
	}
	m := newMethod(t, "mds")
	if err := Fit(m, &Data{Weight: Matrix{make([]float32, 3), 3}, Bias: make([]float32, 1), Train: train}); err != nil {
		t.Fatal(err)
	}
	b := &Batch{Logits: Matrix{make([]float32, 3), 1}, Feature: Matrix{[]float32{1.5, narrow / 2, 1, 0.5, narrow * 1.5, 1, 0.5, narrow / 2, 7}, 3}}
	scores, err := m.Score(b)
	if err != nil {
		t.Fatal(err)
	}
	// Both vary by a standard deviation of half a step: a step off is 2² away.
	for i, want := range []float64{-4, -4, 0} {
		if math.Abs(scores[i]-want) > 1e-6 {
			t.Errorf("image %d scores %v, want %v", i, scores[i], want)
		}
	}
}

func TestUnlabelledTrainingImages(t *testing.T) {
	d := loadReference(t).data(t)
	d.Train.(*Set).Labels[7], d.ValidID.Labels[7] = -1, 10
	for name, want := range map[string]string{"mds": "label -1", "she": "label -1", "temp_scaling": "label 10"} {
		if err := Fit(newMethod(t, name), d); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", name, err, want)
		}
	}
}

// TestTemperatureConverges fits where the reference's optimiser stops early.
func TestTemperatureConverges(t *testing.T) {
	m := &TempScaling{}
	if err := Fit(m, loadReference(t).data(t)); err != nil {
		t.Fatal(err)
	}
	if math.Abs(m.Temperature-1.03) > 0.005 {
		t.Errorf("temperature %v, want 1.03", m.Temperature)
	}
	sure := &Set{Batch: Batch{Logits: Matrix{[]float32{4, 0, 0, 5}, 2}, Feature: Matrix{make([]float32, 2), 1}}, Labels: []int{0, 1}}
	m = &TempScaling{}
	if err := Fit(m, &Data{Bias: make([]float32, 2), ValidID: sure}); err != nil {
		t.Fatal(err)
	}
	if math.Abs(m.Temperature-0.01) > 1e-6 {
		t.Errorf("temperature %v where no image is wrong, want 0.01", m.Temperature)
	}
}

func TestFeaturesOfZeros(t *testing.T) {
	d := loadReference(t).data(t)
	zeros := &Batch{Logits: Matrix{slices.Clone(d.Bias), 10}, Feature: Matrix{make([]float32, 64), 64}}
	for _, name := range Names() {
		m := newMethod(t, name)
		if len(m.Needs().Graph) > 0 {
			continue
		}
		if v, ok := m.(*VIM); ok {
			v.Dim = 32
		}
		if err := Fit(m, d); err != nil {
			t.Fatal(err)
		}
		s, err := m.Score(zeros)
		if err != nil || math.IsNaN(s[0]) || math.IsInf(s[0], 0) {
			t.Errorf("%s scores %v (%v)", name, s, err)
		}
	}
}

// TestScoreTogether compares with scoring one by one.
func TestScoreTogether(t *testing.T) {
	ref := loadReference(t)
	d, b := ref.data(t), &ref.set(t, "test_id").Batch
	methods := []Method{&KNN{K: 50}, newMethod(t, "msp"), &NNGuide{K: 100}, &Relation{Power: 2}, &KNN{K: 5}}
	for _, m := range methods {
		if err := Fit(m, d); err != nil {
			t.Fatal(err)
		}
	}
	scores, errs := ScoreTogether(methods, b)
	for i, m := range methods {
		alone, err := m.Score(b)
		if err != nil || errs[i] != nil || !slices.Equal(scores[i], alone) {
			t.Errorf("%T scores %v (%v) together, %v (%v) alone", m, scores[i], errs[i], alone, err)
		}
	}
	broken := errors.New("broken")
	methods[0] = &KNN{K: 1, bank: brokenBank{broken}}
	_, errs = ScoreTogether(methods, b)
	if !errors.Is(errs[0], broken) || errors.Join(errs[1:]...) != nil {
		t.Errorf("errors %v", errs)
	}
}

// brokenBank cannot be read.
type brokenBank struct{ err error }

func (brokenBank) Len() int { return 1 }
func (b brokenBank) Blocks() iter.Seq2[*Set, error] {
	return func(yield func(*Set, error) bool) { yield(nil, b.err) }
}
