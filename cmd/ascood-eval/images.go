package main

import (
	"strings"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/dataset"
	"github.com/ascood/ascood/eval"
	"github.com/ascood/ascood/internal/cli"
)

// source is a set of images that the command line names.
type source struct {
	name       string   // of the set
	path, root string   // as dataset.Open takes them
	classes    []string // of the model, which the images are of; nil for OOD images
	asIs       bool     // the images are crops already
	bank       int      // how many of the images to pick, at random; 0 is all
}

// open opens a set, and identifies it where scores are kept.
func (f *flags) open(from source) (eval.Set, error) {
	s := eval.Set{Name: from.name}
	var err error
	if s.Images, err = dataset.OpenFor(from.classes, from.path, from.root); err != nil {
		return s, err
	}
	if from.asIs {
		s.Images = dataset.AsIs(s.Images)
	}
	if from.classes != nil {
		if s.Images, err = dataset.Relabel(s.Images, from.classes); err != nil {
			return s, err
		}
	}
	if from.bank > 0 {
		s.Images = dataset.Sample(s.Images, from.bank)
	}
	if f.keep {
		s.Digest, err = dataset.Digest(s.Images)
	}
	return s, err
}

// openNamed opens the set that a flag names, once all its images are known to be
// there, unless those that are not may be left out. Without a path it has none.
func (f *flags) openNamed(flag string, from source) (eval.Set, error) {
	if from.path == "" {
		return eval.Set{Name: from.name}, nil
	}
	s, err := f.open(from)
	if err == nil && !f.skipBroken {
		err = dataset.CheckFiles(s.Images)
	}
	if err != nil {
		return s, ascood.Errorf(ascood.Invalid, "--%s: %w", flag, err)
	}
	return s, nil
}

// openSets opens what a flag names as name=path. Paths in lists start from root, or
// from the list's own folder if that is empty.
func (f *flags) openSets(flag string, specs []string, root string) ([]eval.Set, error) {
	var sets []eval.Set
	for _, spec := range specs {
		name, path, ok := strings.Cut(spec, "=")
		switch {
		case !ok || path == "" || name == "":
			return nil, cli.Usagef("--%s %s: want name=images", flag, spec)
		case strings.ContainsAny(name, `/\`) || strings.HasPrefix(name, "."):
			return nil, cli.Usagef("--%s %s: %q is to name files, too: want one without slashes that begins with no dot", flag, spec, name)
		}
		s, err := f.openNamed(flag+" "+name, source{name: name, path: path, root: root})
		if err != nil {
			return nil, err
		}
		sets = append(sets, s)
	}
	return sets, nil
}
