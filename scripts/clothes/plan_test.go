package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/ascood/ascood/study"
)

// TestPlan: the plan is one, and what it reads is what is written here.
func TestPlan(t *testing.T) {
	plan, err := study.Load("../../plans/clothes.json")
	if err != nil {
		t.Fatal(err)
	}
	m, err := open(t.Context(), pretend(t))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, s := range settings {
		if err := s.write(m, few, dir); err != nil {
			t.Fatal(err)
		}
	}
	if len(plan.Data) != len(settings) {
		t.Errorf("the plan has %d settings, want %d", len(plan.Data), len(settings))
	}
	for _, d := range plan.Data {
		paths := []string{d.Train, d.Val, d.Test, d.OODVal, d.Outliers}
		for _, set := range append(d.Near, d.Far...) {
			paths = append(paths, set.Images)
		}
		if len(paths) != 6 {
			t.Errorf("%s reads %q, want six files", d.Name, paths)
		}
		for _, path := range paths {
			below, err := filepath.Rel("../../data/clothes", path)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat(filepath.Join(dir, below)); err != nil || filepath.Dir(below) != d.Name {
				t.Errorf("%s reads %s, which is not written: %v", d.Name, path, err)
			}
		}
	}
}
