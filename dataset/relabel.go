package dataset

import (
	"fmt"
	"hash"
	"slices"
	"strconv"
	"strings"

	"github.com/ascood/ascood"
)

// Relabel gives the images of a dataset of class folders the labels that a model
// has for them. The folders are named as the model's classes are, or by class
// numbers; those of a model whose classes have no names but numbers may also have
// any names, if there is one for each class, and are then numbered in alphabetical
// order, as torchvision does. Other folders are ascood.Invalid, and other datasets
// say what the labels of their images are.
func Relabel(d Dataset, classes []string) (Dataset, error) {
	folders := classFolders(d)
	if folders == nil {
		return d, nil
	}
	numbers := make([]string, len(classes))
	for i := range numbers {
		numbers[i] = strconv.Itoa(i)
	}
	for _, names := range [][]string{classes, numbers} {
		if labels := indicesIn(folders, names); labels != nil {
			return relabelled{Dataset: d, labels: labels, numbered: slices.Equal(classes, numbers)}, nil
		}
	}
	if slices.Equal(classes, numbers) && len(folders) == len(classes) {
		return d, nil
	}
	odd := slices.IndexFunc(folders, func(name string) bool { return !slices.Contains(classes, name) && !slices.Contains(numbers, name) })
	if odd < 0 {
		return nil, ascood.Errorf(ascood.Invalid, "some of the folders (%s) are named as the model's classes are (%s) and some by numbers: want one or the other", someOf(folders), someOf(classes))
	}
	return nil, ascood.Errorf(ascood.Invalid, "the folder %s is named as none of the model's classes (%s), nor by the number of one, 0 to %d: rename it, or give a list of images with labels",
		folders[odd], someOf(classes), len(classes)-1)
}

// indicesIn returns the index in names of each of some, nil if one is not there.
func indicesIn(some, names []string) []int {
	var all []int
	for _, name := range some {
		at := slices.Index(names, name)
		if at < 0 {
			return nil
		}
		all = append(all, at)
	}
	return all
}

// someOf lists the first few of many names.
func someOf(names []string) string {
	const few = 10
	if len(names) > few {
		return strings.Join(names[:few], ", ") + ", …"
	}
	return strings.Join(names, ", ")
}

// NumberedFolders returns the class folders of a dataset in the order of their names, if
// Relabel has taken them for numbers of classes that have no names, and that order is
// another; else nil.
func NumberedFolders(d Dataset) []string {
	if r, ok := d.(relabelled); ok && r.numbered && !slices.IsSorted(r.labels) {
		return classFolders(r.Dataset)
	}
	return nil
}

// relabelled is a dataset with other labels.
type relabelled struct {
	Dataset
	labels   []int // of each of its own
	numbered bool  // the classes have no names but numbers
}

func (r relabelled) Label(i int) int { return r.labels[r.Dataset.Label(i)] }

func (r relabelled) File(i int) string { return fileOf(r.Dataset, i) }
func (r relabelled) IsCrop(i int) bool { return isCrop(r.Dataset, i) }

func (r relabelled) Digest(h hash.Hash, picked []int) error {
	fmt.Fprintf(h, "labelled %v ", r.labels)
	return digest(h, r.Dataset, picked)
}
