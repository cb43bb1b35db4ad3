package main

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/dataset"
)

// folders returns the names of the class folders to calibrate with, nil if there are
// none.
func (r *request) folders() ([]string, error) {
	data, err := dataset.Open(r.calibrate, r.dataDir)
	if err != nil {
		return nil, fmt.Errorf("--calibrate: %w", err)
	}
	return dataset.Classes(data), nil
}

// tell says what was taken of the checkpoint, and warns where the order of the classes
// is a guess: folders that are numbers have another order as text.
func tell(w io.Writer, meta *artifact.Metadata, folders []string) {
	for _, note := range meta.Source.Taken {
		fmt.Fprintln(w, note)
	}
	if folders == nil || !slices.Equal(meta.Classes, folders) || inNumericalOrder(folders) {
		return
	}
	fmt.Fprintf(w, "Warning: the class folders are numbers, and taken in the order of torchvision's ImageFolder, that of texts: %s, …; "+
		"if the training had another order, give the names in it with --classes.\n", strings.Join(folders[:min(len(folders), 4)], ", "))
}

// inNumericalOrder reports whether names are in the order of the numbers that they
// are; names that are none are.
func inNumericalOrder(names []string) bool {
	var numbers []int
	for _, name := range names {
		n, err := strconv.Atoi(name)
		if err != nil {
			return true
		}
		numbers = append(numbers, n)
	}
	return slices.IsSorted(numbers)
}
