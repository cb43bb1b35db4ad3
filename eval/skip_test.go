package eval

import (
	"context"
	"errors"
	"fmt"
	"image"
	"reflect"
	"strings"
	"testing"

	"github.com/ascood/ascood/dataset"
	"github.com/ascood/ascood/preprocess"
)

// damaged is a dataset of which every fifth image cannot be loaded.
type damaged struct{ dataset.Dataset }

func (d damaged) Load(ctx context.Context, i int, how preprocess.Reading) (image.Image, error) {
	if i%5 == 2 {
		return nil, errors.New(d.Name(i) + " is damaged")
	}
	return d.Dataset.Load(ctx, i, how)
}

// sound are the images of twelve that damaged leaves.
var sound = []int{0, 1, 3, 4, 5, 6, 8, 9, 10, 11}

// newDamaged is newEvaluation with what make makes of its sets.
func newDamaged(t *testing.T, store *Store, of func(dataset.Dataset) dataset.Dataset) *Evaluation {
	t.Helper()
	e := newEvaluation(t, "msp", "gen", "odin", "klm")
	e.Choices[1].Search, e.Choices[2].Search = true, true
	for s := range e.each() {
		s.Images = of(s.Images)
	}
	e.ValidID.Images, e.ValidOOD.Images = of(e.ValidID.Images), of(e.ValidOOD.Images)
	e.Store, e.SkipBroken = store, true
	return e
}

func damage(d dataset.Dataset) dataset.Dataset { return damaged{d} }

// TestSkipBroken: what is left out might as well not have been there, but for the counts.
func TestSkipBroken(t *testing.T) {
	without := newDamaged(t, nil, func(d dataset.Dataset) dataset.Dataset { return dataset.Subset(d, sound) })
	want, err := without.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	store := &Store{t.TempDir()}
	for _, run := range []string{"first", "kept"} {
		e := newDamaged(t, store, damage)
		told := map[string]int{}
		e.Skipped = func(set string, images int, broken []error) {
			told[fmt.Sprintf("%s: %d of %d", set, len(broken), images)]++
		}
		got, err := e.Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if e.ID.Skipped != 2 || e.ID.Images.Len() != len(sound) {
			t.Errorf("%s: %d ID images, %d skipped", run, e.ID.Images.Len(), e.ID.Skipped)
		}
		for i, r := range got {
			if r.Settings != want[i].Settings || !reflect.DeepEqual(r.Scores[1].Values, want[i].Scores[1].Values) {
				t.Errorf("%s: %s (%s) scores %v; without the broken images (%s) %v", run, r.Method, r.Settings, r.Scores[1].Values, want[i].Settings, want[i].Scores[1].Values)
			}
			for k, row := range r.Table {
				if row.Metrics != want[i].Table[k].Metrics || row.Skipped.ID != 2 || row.Skipped.OOD != 2 {
					t.Errorf("%s: %s has the row %+v, want %+v and 2 skipped of each", run, r.Method, row, want[i].Table[k])
				}
			}
			gaps := 0
			for _, note := range r.Notes {
				if strings.HasPrefix(note, "2 of 12 images of val_") {
					gaps++
				}
			}
			if wanted := map[string]int{"msp": 0, "gen": 2, "odin": 2, "klm": 1}[r.Method]; gaps != wanted {
				t.Errorf("%s: %s notes %q", run, r.Method, r.Notes)
			}
		}
		if first := run == "first"; (told["near: 2 of 12"] == 1) != first || (told["val_id: 2 of 12"] == 1) != first {
			t.Errorf("%s: told of %v", run, told)
		}
	}
	// What was found without some of the images is nothing to an evaluation of all.
	e := newDamaged(t, store, damage)
	e.SkipBroken = false
	if _, err := e.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "2 of 12 images cannot be loaded:\n  val_id-images-idx3-ubyte[2] is damaged\n  val_id-images-idx3-ubyte[7] is damaged") {
		t.Errorf("error %v", err)
	}
}

func TestAllBroken(t *testing.T) {
	e := newDamaged(t, nil, func(d dataset.Dataset) dataset.Dataset { return damaged{dataset.Subset(d, []int{2, 7})} })
	for s := range e.each() {
		s.Images = dataset.Subset(s.Images, []int{0, 1})
	}
	e.Choices = e.Choices[:1]
	e.ID.Images = dataset.Subset(damaged{openImages(t, "test_id")}, []int{2, 7})
	if _, err := e.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "id: none of the 2 images can be loaded") {
		t.Errorf("error %v", err)
	}
}

// TestGroups: extra sets have a mean of their own, further ones none.
func TestGroups(t *testing.T) {
	e := newEvaluation(t, "msp")
	more := func(name string) []Set {
		s := e.Near[0]
		s.Name = name
		return []Set{s}
	}
	e.FarExtra, e.Further = more("iSUN"), more("mine")
	results, err := e.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, row := range results[0].Table {
		names = append(names, row.Name)
	}
	if got := strings.Join(names, " "); got != "near nearood far farood iSUN farood+iSUN mine" {
		t.Errorf("rows %s", got)
	}
	e.Further[0].Name = "farood+iSUN"
	if err := e.Check(); err == nil || !strings.Contains(err.Error(), "cannot be named farood+iSUN") {
		t.Errorf("error %v", err)
	}
}

// TestReferencePrecisionIsStored: scores of one precision are not taken for those of the
// other.
func TestReferencePrecisionIsStored(t *testing.T) {
	e := newEvaluation(t, "msp", "mls")
	double := runEvaluation(t, e, "id", "near", "far")
	e = fresh(t, e)
	e.ReferencePrecision = true
	single := runEvaluation(t, e, "id", "near", "far")
	kept := runEvaluation(t, fresh(t, e))
	for i, same := range []bool{false, true} {
		a, b, c := double[i].Scores[0].Values, single[i].Scores[0].Values, kept[i].Scores[0].Values
		if reflect.DeepEqual(a, b) != same || !reflect.DeepEqual(b, c) {
			t.Errorf("%s scores %v, %v in float32 and %v as kept", double[i].Method, a, b, c)
		}
		if noted := len(single[i].Notes) > 0; noted == same {
			t.Errorf("%s notes %q", single[i].Method, single[i].Notes)
		}
	}
}
