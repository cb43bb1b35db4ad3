package main

import (
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/eval"
	"github.com/ascood/ascood/internal/cli"
	"github.com/ascood/ascood/preprocess"
)

// open opens the dataset that a flag names, under a name of its own.
func (f *flags) open(flag, name, path string) (eval.Set, error) {
	if path == "" {
		return eval.Set{Name: name}, nil
	}
	s, err := f.openUnder(name, path, f.root, flag == "id-train")
	if err == nil {
		err = preprocess.CheckFiles(s.Images) // not after hours of other sets
	}
	if err != nil {
		return s, ascood.Errorf(ascood.Invalid, "--%s: %w", flag, err)
	}
	return s, nil
}

// openUnder opens a dataset; of training images a sample, if one was asked for.
func (f *flags) openUnder(name, path, root string, train bool) (eval.Set, error) {
	s := eval.Set{Name: name}
	var err error
	if s.Images, err = preprocess.Open(path, root); err != nil {
		return s, err
	}
	if train && f.bank > 0 {
		s.Images = sample(s.Images, f.bank)
	}
	if f.keep {
		s.Digest, err = preprocess.Digest(s.Images)
	}
	return s, err
}

// openSets opens what a flag names as name=path.
func (f *flags) openSets(flag string, specs []string) ([]eval.Set, error) {
	var sets []eval.Set
	for _, spec := range specs {
		name, path, ok := strings.Cut(spec, "=")
		if !ok || path == "" || name == "" || name != filepath.Base(name) {
			return nil, cli.Usagef("--%s %s: want name=images", flag, spec)
		}
		s, err := f.open(flag+" "+name, name, path)
		if err != nil {
			return nil, err
		}
		sets = append(sets, s)
	}
	return sets, nil
}

// sample picks n images, the same ones each time.
func sample(d preprocess.Dataset, n int) preprocess.Dataset {
	if n >= d.Len() {
		return d
	}
	picked := rand.New(rand.NewPCG(1, 1)).Perm(d.Len())[:n]
	slices.Sort(picked)
	return preprocess.Subset(d, picked)
}
