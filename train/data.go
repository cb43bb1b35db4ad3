package train

import (
	"slices"
	"strconv"
	"strings"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/dataset"
)

// images are the labelled images of a run.
type images struct {
	train, val dataset.Dataset
	outliers   dataset.Dataset // to learn from; nil for none
	classes    []string
}

// openImages opens the training and validation images, draws the subsets and
// checks every label against the classes.
func openImages(c Config) (*images, error) {
	train, err := dataset.Open(c.Train, c.DataDir)
	if err != nil {
		return nil, ascood.In("train", err)
	}
	val, err := dataset.Open(c.Val, c.DataDir)
	if err != nil {
		return nil, ascood.In("val", err)
	}
	if err := sameClasses(train, val); err != nil {
		return nil, err
	}
	classes, err := classesOf(c, train)
	if err != nil {
		return nil, err
	}
	d := &images{train: subset(train, c.TrainLimit, c.Seed, 0), val: subset(val, c.ValLimit, c.Seed, 1), classes: classes}
	if err := checkLabels(d.train, classes); err != nil {
		return nil, ascood.In("train", err)
	}
	if err := checkLabels(d.val, classes); err != nil {
		return nil, ascood.In("val", err)
	}
	d.outliers, err = openExposure(c, d.train)
	return d, err
}

// subset draws limit images, or keeps all where limit is 0 or reaches them.
func subset(d dataset.Dataset, limit int, seed uint64, n int) dataset.Dataset {
	if limit == 0 || limit >= d.Len() {
		return d
	}
	return dataset.Subset(d, random(seed, forSubset, n).Perm(d.Len())[:limit])
}

// classesOf returns the classes' names: those of the file or the data or,
// failing both, numbers.
func classesOf(c Config, d dataset.Dataset) ([]string, error) {
	names, where := dataset.Classes(d), ascood.Field("train")
	if c.Classes != "" {
		var err error
		if names, err = dataset.ReadClasses(c.Classes); err != nil {
			return nil, err
		}
		where = "classes"
	}
	if names == nil {
		return numbers(c.ClassCount, d), nil
	}
	if c.ClassCount != 0 && c.ClassCount != len(names) {
		return nil, ascood.Errorf(ascood.Invalid, "%s %d: %s names %d classes; 0 takes as many as it names", ascood.Field("class_count"), c.ClassCount, where, len(names))
	}
	return names, nil
}

// numbers names so many classes "0", "1", …; for 0 as many as there are labels.
func numbers(count int, d dataset.Dataset) []string {
	if count == 0 {
		for i := range d.Len() {
			count = max(count, d.Label(i)+1)
		}
	}
	names := make([]string, count)
	for i := range names {
		names[i] = strconv.Itoa(i)
	}
	return names
}

// sameClasses reports class folders that differ: the same label would stand for
// another class.
func sameClasses(train, val dataset.Dataset) error {
	t, v := dataset.Classes(train), dataset.Classes(val)
	if t == nil || v == nil || slices.Equal(t, v) {
		return nil
	}
	return ascood.Errorf(ascood.Invalid, "the class folders of %s and %s differ: %s against %s",
		ascood.Field("train"), ascood.Field("val"), strings.Join(t, ", "), strings.Join(v, ", "))
}

func checkLabels(d dataset.Dataset, classes []string) error {
	for i := range d.Len() {
		switch label := d.Label(i); {
		case label < 0:
			return ascood.Errorf(ascood.Invalid, "%s has no label: training and validation images need one", d.Name(i))
		case label >= len(classes):
			return ascood.Errorf(ascood.Invalid, "%s has label %d, but there are %d classes (0 to %d)", d.Name(i), label, len(classes), len(classes)-1)
		}
	}
	return nil
}
