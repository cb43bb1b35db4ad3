package main

import (
	"fmt"

	"github.com/ascood/ascood/eval"
	"github.com/ascood/ascood/internal/cli"
	"github.com/ascood/ascood/preprocess"
	"github.com/ascood/ascood/presets"
)

// checkPreset reports flags that --preset makes needless, or that it needs.
func (f *flags) checkPreset() error {
	for _, name := range []string{"id", "near", "far", "id-train", "id-val", "ood-val"} {
		if f.fs.Changed(name) {
			return cli.Usagef("--preset %s already says what --%s says: give one or the other", f.preset, name)
		}
	}
	return cli.Require(f.fs, "data-root")
}

// openPreset opens the image lists of a published experiment: those to report,
// and those that the methods learn from.
func (f *flags) openPreset(e *eval.Evaluation) error {
	p, err := presets.Load(f.preset)
	if err != nil {
		return cli.Usagef("--preset: %w", err)
	}
	train, validID, validOOD := e.Learns()
	for _, role := range []struct {
		role   presets.Role
		needed bool
		to     *eval.Set
	}{
		{presets.Test, true, &e.ID}, {presets.Train, train, &e.Train},
		{presets.Val, validID, &e.ValidID}, {presets.OODVal, validOOD, &e.ValidOOD},
	} {
		sets := p.Select(role.role)
		if !role.needed || len(sets) == 0 {
			continue // the evaluation says what it lacks
		}
		if *role.to, err = f.openListed(sets[0]); err != nil {
			return err
		}
	}
	if e.ID.Images == nil {
		return cli.Usagef("--preset %s has no image lists: give --id, and --near or --far", f.preset)
	}
	e.ID.Name = "id"
	if f.fullSpectrum {
		if err := f.addShifted(e, p.Select(presets.CSID)); err != nil {
			return err
		}
	}
	for _, s := range p.Select(presets.Near, presets.Far) {
		set, err := f.openListed(s)
		if err != nil {
			return err
		}
		if s.Role == presets.Near {
			e.Near = append(e.Near, set)
		} else {
			e.Far = append(e.Far, set)
		}
	}
	return nil
}

// addShifted counts covariate-shifted images as in-distribution: full-spectrum
// detection.
func (f *flags) addShifted(e *eval.Evaluation, shifted []presets.Set) error {
	if len(shifted) == 0 {
		return cli.Usagef("--fsood: the preset %s has no covariate-shifted images", f.preset)
	}
	all := []preprocess.Dataset{e.ID.Images}
	for _, s := range shifted {
		set, err := f.openListed(s)
		if err != nil {
			return err
		}
		all = append(all, set.Images)
		e.ID.Digest += " " + set.Digest
	}
	e.ID.Images = eval.Concat(all...)
	return nil
}

// openListed opens one of the preset's image lists.
func (f *flags) openListed(s presets.Set) (eval.Set, error) {
	list, images := s.Under(f.root)
	set, err := f.openUnder(s.Name, list, images, s.Role == presets.Train)
	if err != nil {
		return set, fmt.Errorf("--preset %s: %v: %w", f.preset, s, err)
	}
	return set, nil
}
