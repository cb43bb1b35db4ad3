package posthoc

import (
	"errors"
	"fmt"
	"iter"
	"maps"
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

func TestSettingOfWrongType(t *testing.T) {
	err := Configure(&KNN{K: 5}, `{"k":"many"}`)
	if ascood.CodeOf(err) != ascood.Invalid || !strings.Contains(err.Error(), `k cannot be a string; there are {"k":5}`) {
		t.Errorf("error %v", err)
	}
}

// TestPublishedSettings lists each method's settings, and those that its authors
// searched: of several, the first changes fastest.
func TestPublishedSettings(t *testing.T) {
	var perturbations, entropies []string
	for _, noise := range []string{"0.0014", "0.0028", "0.0042", "0.0056", "0.007", "0.0084", "0.0098"} {
		for _, temperature := range []string{"1", "10", "100", "1000"} {
			perturbations = append(perturbations, "temperature "+temperature+", noise "+noise)
		}
	}
	for _, m := range []string{"10", "50", "100", "200", "500", "1000"} {
		for _, gamma := range []string{"0.01", "0.1", "0.5", "1", "2", "5", "10"} {
			entropies = append(entropies, "gamma "+gamma+", m "+m)
		}
	}
	var activations []string
	for _, low := range []string{"1", "5", "10", "15"} {
		for _, high := range []string{"85", "90", "95", "99"} {
			activations = append(activations, "high "+high+", low "+low)
		}
	}
	var adaptive []string
	percentiles := []string{"60", "65", "70", "75", "80", "85", "90", "95", "99"}
	for i, low := range percentiles {
		for _, high := range percentiles[i+1:] {
			adaptive = append(adaptive, "low "+low+", high "+high+", k1 5, k2 1")
		}
	}
	shapings := []string{"percentile 65", "percentile 70", "percentile 75", "percentile 80", "percentile 85", "percentile 90", "percentile 95"}
	want := map[string]struct {
		published string
		sweep     []string
	}{
		"adascale_a": {"low 75, high 85, k1 5, k2 1", adaptive}, "adascale_l": {"low 75, high 85, k1 5, k2 1", adaptive},
		"confidence": {}, "rotation": {}, "godin": {"noise 0.0025", nil},
		"gram": {}, "gram_negated": {}, "mds_ensemble": {"noise 0.0014", nil},
		"ash": {"percentile 90", shapings}, "dice": {"percentile 90", nil}, "ebo": {"temperature 1", nil},
		"fdbd": {"distance_as_normalizer true", []string{"distance_as_normalizer true", "distance_as_normalizer false"}},
		"gen":  {"gamma 0.1, m 100", entropies}, "gradnorm": {},
		"iodin": {"temperature 1000, noise 0.0014", perturbations}, "iodin_fast": {"temperature 1000, noise 0.0014", perturbations}, "klm": {}, "mcm": {"tau 1", []string{"tau 0.01", "tau 1", "tau 10"}},
		"nci": {"alpha 0.001", []string{"alpha 0.0001", "alpha 0.001", "alpha 0.01", "alpha 0.1"}}, "residual": {"dim 512", nil}, "vra": {"high 90, low 10", activations},
		"knn": {"k 50", []string{"k 50", "k 100", "k 200", "k 500", "k 1000"}}, "mds": {}, "mls": {}, "msp": {},
		"nnguide": {"k 100", nil}, "odin": {"temperature 1000, noise 0.0014", perturbations}, "rankfeat": {},
		"react":    {"percentile 90", []string{"percentile 85", "percentile 90", "percentile 95", "percentile 99"}},
		"relation": {"power 1", []string{"power 1", "power 2", "power 4", "power 6", "power 8"}}, "rmds": {},
		"scale": {"percentile 85", shapings}, "she": {}, "temp_scaling": {"temperature 0", nil},
		"t2fnorm": {"tau 0.1", nil},
		"vim":     {"dim 256", []string{"dim 256", "dim 1000"}},
	}
	if names := slices.Sorted(maps.Keys(want)); !slices.Equal(Names(), names) {
		t.Errorf("the methods are %v, want %v", Names(), names)
	}
	for _, name := range Names() {
		if got := describe(t, newMethod(t, name)); got != want[name].published {
			t.Errorf("%s has the settings %q, want %q", name, got, want[name].published)
		}
		var sweep []string
		for _, m := range Sweep(name) {
			sweep = append(sweep, describe(t, m))
		}
		if !slices.Equal(sweep, want[name].sweep) {
			t.Errorf("%s is searched over %q, want %q", name, sweep, want[name].sweep)
		}
	}
}

func describe(t *testing.T, m Method) string {
	t.Helper()
	settings, err := Settings(m)
	if err != nil {
		t.Fatal(err)
	}
	return Describe(settings)
}

func TestUnknownMethod(t *testing.T) {
	_, err := New("energy")
	if err == nil || !strings.Contains(err.Error(), "ash, confidence, dice, ebo") {
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
	learnsFrom := map[string]string{
		"dice": "train", "fdbd": "train", "knn": "train", "mds": "train", "nnguide": "train", "relation": "train", "rmds": "train",
		"gram": "train", "gram_negated": "train", "mds_ensemble": "train", "adascale_a": "validation", "adascale_l": "validation",
		"she": "train", "vim": "train", "nci": "train", "klm": "validation", "vra": "validation", "residual": "validation", "react": "validation", "temp_scaling": "validation",
	}
	ref := loadReference(t)
	empty := without(ref.set(t, "train"), func(int) bool { return true })
	for _, name := range Names() {
		for _, c := range []struct {
			without string
			take    func(d *Data)
		}{
			{"train", func(d *Data) { d.Train = nil }},
			{"train", func(d *Data) { d.Train = empty }},
			{"validation", func(d *Data) { d.ValidID = nil }},
			{"validation", func(d *Data) { d.ValidID = empty }},
		} {
			d := ref.data(t)
			c.take(d)
			m := narrow(t, name)
			if err := Fit(m, d); (err != nil) != (learnsFrom[name] == c.without) {
				t.Errorf("%s: error %v without %s images", name, err, c.without)
			}
		}
	}
}

// TestGramBounds: a class has the bounds of its training images, one without any those of
// all classes, and a note says so.
func TestGramBounds(t *testing.T) {
	images := &Set{Batch: Batch{Logits: randomMatrix(3, 3), Feature: Matrix{Data: []float32{1, 5, 2, 9, 0, 7}, Cols: 2}}, Labels: []int{0, 0, 2}}
	m := &Gram{}
	if err := m.Fit(&Data{Bias: make([]float32, 3), Observed: map[string]Bank{"gram": images}}); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(m.min, []float64{1, 0, 0}) || !slices.Equal(m.max, []float64{9, 9, 7}) {
		t.Errorf("the bounds are %v and %v", m.min, m.max)
	}
	if notes := Notes(m); len(notes) != 1 || !strings.Contains(notes[0], "no training images of class 1:") {
		t.Errorf("notes %q", notes)
	}
	images.Labels[1] = 3
	if err := m.Fit(&Data{Bias: make([]float32, 3), Observed: map[string]Bank{"gram": images}}); err == nil || !strings.Contains(err.Error(), "label 3") {
		t.Errorf("error %v", err)
	}
}

// TestScoresOfTheGraph: the graph computes the scores at the method's settings.
func TestScoresOfTheGraph(t *testing.T) {
	for name, m := range map[string]Method{"odin": &ODIN{perturbation{10, 0.25}}, "iodin": &IODIN{perturbation{10, 0.25}}, "iodin_fast": &IODINFast{perturbation{10, 0.25}}} {
		if got, want := m.Needs(), (Needs{Graph: []string{name}, Temperature: 10, Noise: 0.25}); !reflect.DeepEqual(got, want) {
			t.Errorf("%s needs %+v, want %+v", name, got, want)
		}
		scores := scoreOf(t, m, &Batch{Logits: Matrix{make([]float32, 2), 1}, Graph: map[string]Tensor{name: {Data: []float32{0.5, 0.75}, Shape: []int{2}}}})
		if !slices.Equal(scores, []float64{0.5, 0.75}) {
			t.Errorf("%s scores %v", name, scores)
		}
	}
}

// TestOneImageIsEnough fits methods to a single training and validation image.
func TestOneImageIsEnough(t *testing.T) {
	ref := loadReference(t)
	d := ref.data(t)
	one := without(ref.set(t, "train"), func(i int) bool { return i != 7 })
	d.Train, d.ValidID = one, one
	for _, m := range []Method{&KNN{K: 1}, &NNGuide{K: 1}, &SHE{}, &DICE{Percentile: 50}, &ReAct{Percentile: 50}, &KLM{}, &TempScaling{}} {
		if err := Fit(m, d); err != nil {
			t.Errorf("%T: %v", m, err)
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
		{&KNN{K: 1000}, ""},
		{&GODIN{Noise: -1}, "noise -1"},
		{&GODIN{}, ""},
		{&NNGuide{}, "k 0"},
		{&NNGuide{K: 1}, ""},
		{&VIM{Dim: 64}, "less than the feature's 64"},
		{&VIM{Dim: 63}, ""},
		{&VIM{Dim: 1}, ""},
		{&VIM{Dim: 0}, "dim 0"},
		{&ReAct{Percentile: 101}, "percentile 101"},
		{&ReAct{Percentile: 100}, ""},
		{&ReAct{Percentile: 0}, ""},
		{&ASH{Percentile: -1}, "percentile -1"},
		{&ASH{Percentile: 99}, ""}, // of 64 it keeps 1
		{&ASH{Percentile: 100}, "keeps none"},
		{&Scale{Percentile: math.NaN()}, "percentile NaN"},
		{&DICE{Percentile: 200}, "percentile 200"},
		{&EBO{}, "temperature 0"},
		{&TempScaling{Temperature: -1}, "temperature -1"},
		{&ODIN{perturbation{0, 1}}, "temperature 0"},
		{&IODIN{perturbation{1, -1}}, "noise -1"},
		{&GEN{Gamma: 1}, "m 0"},
		{&GEN{Gamma: 1, M: 1}, ""},
		{&GEN{M: 1}, "gamma 0"},
		{&Relation{}, "power 0"},
		{&Residual{Dim: 64}, "less than the feature's 64"},
		{&VRA{High: 10, Low: 10}, "low 10 and high 10"},
		{&VRA{High: 101, Low: 10}, "percentile 101"},
		{&NCI{Alpha: -1}, "alpha -1"},
		{&MCM{}, "temperature 0"},
		{&MDSEnsemble{Noise: -1}, "noise -1"},
		{&AdaScaleA{adaScale{Low: 75, High: 85, K1: 5, K2: 1}}, ""},
		{&AdaScaleA{adaScale{Low: 75, High: 75, K1: 5, K2: 1}}, ""},
		{&AdaScaleA{adaScale{Low: 85, High: 75, K1: 5, K2: 1}}, "low 85 and high 75"},
		{&AdaScaleA{adaScale{Low: 75, High: 100, K1: 5, K2: 1}}, "keeps none"},
		{&AdaScaleL{adaScale{Low: -1, High: 85, K1: 5, K2: 1}}, "percentile -1"},
		{&AdaScaleL{adaScale{Low: 75, High: 85, K1: 1, K2: 1}}, "k1 1: that percentage of 64 activations is none"},
		{&AdaScaleL{adaScale{Low: 75, High: 85, K1: 5, K2: 101}}, "percentile 101"},
		{&AdaScaleL{adaScale{Low: 75, High: 85, K1: 6, K2: 1}}, "of which none have been observed"},
	} {
		err := Fit(c.method, ref.data(t))
		if c.want == "" {
			if err != nil {
				t.Errorf("%+v: %v", c.method, err)
			}
		} else if ascood.CodeOf(err) != ascood.Invalid || !strings.Contains(err.Error(), c.want) {
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
		scores := scoreOf(t, m, &test.Batch)
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
	scores := scoreOf(t, m, b)
	// Both vary by a standard deviation of half a step: a step off is 2² away.
	for i, want := range []float64{-4, -4, 0} {
		if !(math.Abs(scores[i]-want) <= 1e-6) {
			t.Errorf("image %d scores %v, want %v", i, scores[i], want)
		}
	}
}

func TestUnlabelledTrainingImages(t *testing.T) {
	d := loadReference(t).data(t)
	for _, label := range []int{-1, 10} {
		d.Train.(*Set).Labels[7], d.ValidID.Labels[7] = label, label
		want := fmt.Sprintf("image has label %d", label)
		for _, name := range []string{"mds", "she", "temp_scaling"} {
			if err := Fit(newMethod(t, name), d); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: error %v, want %q", name, err, want)
			}
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
		m := narrow(t, name)
		if len(m.Needs().Graph) > 0 {
			continue
		}
		if err := Fit(m, d); err != nil {
			t.Fatal(err)
		}
		if s := scoreOf(t, m, zeros); math.IsNaN(s[0]) || math.IsInf(s[0], 0) {
			t.Errorf("%s scores %v", name, s)
		}
	}
}

// TestScorer compares with scoring one by one.
func TestScorer(t *testing.T) {
	ref := loadReference(t)
	d, b := ref.data(t), &ref.set(t, "test_id").Batch
	passes := 0
	d.Train = counted{d.Train.(*Set), &passes}
	methods := []Method{&KNN{K: 50}, newMethod(t, "msp"), &NNGuide{K: 100}, &Relation{Power: 2}, &KNN{K: 5}}
	for _, m := range methods {
		if err := Fit(m, d); err != nil {
			t.Fatal(err)
		}
	}
	scores, errs := scoresOf(t, methods, b)
	if passes != 1 {
		t.Errorf("the training images are gone through %d times", passes)
	}
	for i, m := range methods {
		if alone := scoreOf(t, m, b); errs[i] != nil || !slices.Equal(scores[i], alone) {
			t.Errorf("%T scores %v (%v) together, %v alone", m, scores[i], errs[i], alone)
		}
	}
	broken := errors.New("broken")
	methods[0] = &KNN{K: 1, bank: brokenBank{broken}}
	_, errs = scoresOf(t, methods, b)
	if !errors.Is(errs[0], broken) || errors.Join(errs[1:]...) != nil {
		t.Errorf("errors %v", errs)
	}
}

// counted is a bank that counts how often it is gone through.
type counted struct {
	*Set
	passes *int
}

func (b counted) Blocks() iter.Seq2[*Set, error] {
	*b.passes++
	return b.Set.Blocks()
}

// brokenBank cannot be read.
type brokenBank struct{ err error }

func (brokenBank) Len() int { return 1 }
func (brokenBank) Dim() int { return 0 }
func (b brokenBank) Blocks() iter.Seq2[*Set, error] {
	return func(yield func(*Set, error) bool) { yield(nil, b.err) }
}

// TestBankTooLarge: all of ImageNet's training images are no part of a file.
func TestBankTooLarge(t *testing.T) {
	both, err := NewCombined([]string{"msp", "knn"}, Fisher)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		method Method
		sizes  Sizes
		want   string
	}{
		{&KNN{}, Sizes{Train: 1_280_000, Dim: 2048}, "1280000 images of 2048 numbers are 10000 MiB, and a file holds 1024 MiB of a bank: choose fewer with bank"},
		{both, Sizes{Train: 1_280_000, Dim: 2048}, "choose fewer with bank"},
		{&Relation{}, Sizes{Train: 300_000, Dim: 16}, "300000 images of 1000 numbers"},
		{&KNN{}, Sizes{Train: 131_072, Dim: 2048}, ""},
		{&MDS{}, Sizes{Train: 1_280_000, Dim: 2048}, ""},
	} {
		err := CheckBank(c.method, c.sizes, 1000)
		if c.want == "" {
			if err != nil {
				t.Errorf("%T: %v", c.method, err)
			}
		} else if ascood.CodeOf(err) != ascood.Invalid || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%T: error %v, want %q", c.method, err, c.want)
		}
	}
}

// TestOtherWidth: features of another network are refused by their width.
func TestOtherWidth(t *testing.T) {
	ref := loadReference(t)
	for _, c := range []struct{ method, want string }{
		{"knn", "the training images' features have 3 numbers, and the network's last layer takes 64: they are of another network"},
		{"mds", "the training images' features have 3 numbers"},
		{"msp+nnguide", "the training images' features have 3 numbers"},
		{"react", "the validation images' features have 3 numbers, and the network's last layer takes 64: they are of another network"},
	} {
		d := ref.data(t)
		other := &Set{Batch: Batch{Logits: Matrix{make([]float32, 2000), 10}, Feature: Matrix{make([]float32, 600), 3}}, Labels: make([]int, 200)}
		if c.method == "react" {
			d.ValidID = other
		} else {
			d.Train = other
		}
		if err := Fit(newMethod(t, c.method), d); ascood.CodeOf(err) != ascood.Invalid || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.method, err, c.want)
		}
	}
}
