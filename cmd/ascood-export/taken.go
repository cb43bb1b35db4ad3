package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"

	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/dataset"
)

// folders returns the names of the class folders that a flag names; nil if there are
// none, or they are mere numbers. What is wrong with a list shows later: it may have the
// names of classes that are not known yet.
func (r *request) folders(flag, images string) ([]string, error) {
	data, err := dataset.Open(images, r.dataDir)
	if info, fault := os.Stat(dataset.WithoutRange(images)); err != nil && fault == nil && !info.IsDir() {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("--%s: %w", flag, err)
	}
	names := dataset.Classes(data)
	for i := range names {
		if !slices.Contains(names, strconv.Itoa(i)) {
			return names, nil
		}
	}
	return nil, nil
}

// tell says what was taken of the checkpoint.
func tell(w io.Writer, meta *artifact.Metadata) {
	for _, note := range meta.Source.Taken {
		fmt.Fprintln(w, note)
	}
}
