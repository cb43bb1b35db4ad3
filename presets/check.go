package presets

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/dataset"
)

// Report says which of a preset's lists and images are where they belong.
type Report struct {
	Preset string
	Root   string
	Sets   []SetReport
}

// SetReport is what there is of one set.
type SetReport struct {
	Set
	Problem string // why the list could not be checked, "" if it could
	dataset.ListCheck
}

// CheckData looks for every list of the preset under a data root, and for every
// image in them; for those of the given roles alone if there are any, else for all but
// the outliers, which few methods need. Nothing is opened but the lists.
func (p *Preset) CheckData(root string, roles ...Role) *Report {
	if len(roles) == 0 {
		roles = slices.DeleteFunc(Roles(), func(r Role) bool { return r == Outliers })
	}
	sets := p.Select(roles...)
	r := &Report{Preset: p.Name, Root: root}
	for _, set := range sets {
		classes := 0
		if set.Role.inDistribution() {
			classes = p.Classes
		}
		r.Sets = append(r.Sets, set.check(root, classes))
	}
	return r
}

func (s Set) check(root string, classes int) SetReport {
	list, images := s.Under(root)
	r := SetReport{Set: s}
	missing := func(path string) bool { _, err := os.Stat(path); return err != nil }
	switch noList, noImages := missing(list), missing(images); {
	case noList && noImages:
		r.Problem = "missing: the list and the folder of the images"
	case noList:
		r.Problem = "missing: the list"
	case noImages:
		r.Problem = "missing: the folder of the images"
	default:
		var err error
		if r.ListCheck, err = dataset.CheckImglist(list, images, classes); err != nil {
			r.Problem = err.Error()
		}
	}
	return r
}

// ok reports whether all is there.
func (s SetReport) ok() bool { return s.Problem == "" && s.Faults == 0 }

// Err returns nil if all is there, else an error with the whole report.
func (r *Report) Err() error {
	for _, s := range r.Sets {
		if !s.ok() {
			return ascood.Errorf(ascood.Invalid, "%v", r)
		}
	}
	return nil
}

// ErrOfLists is Err, but lets images pass that are missing.
func (r *Report) ErrOfLists() error {
	for _, s := range r.Sets {
		if s.Problem != "" || s.Faults > s.Missing {
			return r.Err()
		}
	}
	return nil
}

// String is the report for a person to read: a line for each set, the first
// faults of each, and how the data root must look.
func (r *Report) String() string {
	if len(r.Sets) == 0 {
		return fmt.Sprintf("preset %s has no published image lists: name your own\n", r.Preset)
	}
	var text strings.Builder
	incomplete := 0
	fmt.Fprintf(&text, "data of preset %s under %s:\n", r.Preset, r.Root)
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	for _, s := range r.Sets {
		fmt.Fprintf(table, "  %s\t%s\t%s/\t%s\n", s.Set, s.path(), s.Images, s.state())
		if !s.ok() {
			incomplete++
		}
	}
	table.Flush() // into memory
	for _, s := range r.Sets {
		for _, fault := range s.First {
			fmt.Fprintf(&text, "%s: %s\n", s.Set, fault)
		}
	}
	fmt.Fprintf(&text, `%d of %d are complete. A data root has OpenOOD's layout: under %s/ the lists (second
column), a line "relative/path label" for each image, and beside it the folders
from which the paths of each list start (third column).
`, len(r.Sets)-incomplete, len(r.Sets), listFolder)
	return text.String()
}

// state says how a set is.
func (s SetReport) state() string {
	switch {
	case s.Problem != "":
		return s.Problem
	case s.Faults > 0:
		return fmt.Sprintf("%d of %d lines are faulty", s.Faults, s.Sound+s.Faults)
	}
	return fmt.Sprintf("%d images", s.Sound)
}
