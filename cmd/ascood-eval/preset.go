package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/dataset"
	"github.com/ascood/ascood/eval"
	"github.com/ascood/ascood/internal/cli"
	"github.com/ascood/ascood/preprocess"
	"github.com/ascood/ascood/presets"
)

// checkPreset loads the experiment that --preset names, and reports flags that it
// makes needless or needs.
func (f *flags) checkPreset() error {
	var err error
	if f.experiment, err = presets.Load(f.preset); err != nil {
		return cli.Usagef("--preset: %w", err)
	}
	for _, name := range []string{"id", "id-train", "id-val", "ood-val"} {
		if f.fs.Changed(name) {
			return cli.Usagef("--preset %s already says what --%s says: give one or the other", f.preset, name)
		}
	}
	if f.root == "" {
		return cli.Usagef("--preset %s needs --data-root, the folder in OpenOOD's layout that holds benchmark_imglist/", f.preset)
	}
	if len(f.experiment.Select(presets.Test)) == 0 {
		return cli.Usagef("--preset %s has no image lists: give --id, and --near or --far", f.preset)
	}
	return f.checkShifted()
}

// checkShifted reports covariate-shifted sets that there are not.
func (f *flags) checkShifted() error {
	var names []string
	for _, s := range f.experiment.Select(presets.CSID) {
		names = append(names, s.Name)
	}
	if f.fullSpectrum && names == nil {
		return cli.Usagef("--fsood: the preset %s has no covariate-shifted images", f.preset)
	}
	for _, wanted := range f.csid {
		if !slices.ContainsFunc(names, func(name string) bool { return isNamed(name, wanted) }) {
			return cli.Usagef("--csid %s: preset %s has %s", wanted, f.preset, strings.Join(names, ", "))
		}
	}
	return nil
}

// isNamed reports whether a set is meant by its name, or by the end of it, as
// imagenet_v2 is by v2.
func isNamed(set, wanted string) bool { return set == wanted || strings.HasSuffix(set, "_"+wanted) }

// openPreset opens the image lists of a published experiment that the evaluation
// needs, once all their images are known to be there.
func (f *flags) openPreset(e *eval.Evaluation) error {
	roles := f.roles(e)
	if err := f.checkData(roles); err != nil {
		return err
	}
	var shifted []eval.Set
	for _, s := range f.experiment.Select(roles...) {
		if s.Role == presets.CSID && f.csid != nil && !slices.ContainsFunc(f.csid, func(wanted string) bool { return isNamed(s.Name, wanted) }) {
			continue
		}
		from := source{name: s.Name, asIs: s.Preprocess == presets.AsIs}
		from.path, from.root = s.Under(f.root)
		if s.Role == presets.Train {
			from.bank = f.bank
		}
		set, err := f.open(from)
		if err != nil {
			return fmt.Errorf("--preset %s: %v: %w", f.preset, s, err)
		}
		switch s.Role {
		case presets.Test:
			e.ID = set
		case presets.CSID:
			shifted = append(shifted, set)
		case presets.Near:
			e.Near = append(e.Near, set)
		case presets.Far:
			e.Far = append(e.Far, set)
		case presets.FarExtra:
			e.FarExtra = append(e.FarExtra, set)
		case presets.Train:
			e.Train = set
		case presets.Val:
			e.ValidID = set
		case presets.OODVal:
			e.ValidOOD = set
		}
	}
	e.ID = fullSpectrum(e.ID, shifted)
	return f.openFurther(e)
}

// checkData finds out whether the preset's lists of the given roles are there, with
// their images unless these may be left out.
func (f *flags) checkData(roles []presets.Role) error {
	report := f.experiment.CheckData(f.root, roles...)
	err := report.Err()
	if f.skipBroken {
		err = report.ErrOfLists()
	}
	if err != nil && f.experiment.CheckData(f.root, presets.FarExtra).Err() != nil && slices.Contains(roles, presets.FarExtra) {
		return ascood.Errorf(ascood.CodeOf(err), "%w%s is not among OpenOOD's downloads; --far-extra=false does without", err, presets.FarExtra)
	}
	return err
}

// openFurther opens the sets that the user adds to the preset's.
func (f *flags) openFurther(e *eval.Evaluation) error {
	for _, more := range []struct {
		flag  string
		specs []string
	}{{"near", f.near}, {"far", f.far}} {
		sets, err := f.openSets(more.flag, more.specs, "")
		if err != nil {
			return err
		}
		e.Further = append(e.Further, sets...)
	}
	return nil
}

// notePreprocessing says if the model sees images otherwise than the preset has
// it. The model's way is the right one for it, but results are then not comparable.
func (f *flags) notePreprocessing(own preprocess.Config, stderr io.Writer) {
	if f.experiment == nil {
		return
	}
	published, err := preprocess.Preset(f.experiment.Preprocess)
	own.Truncated = published.Truncated // that is the evaluation's matter
	if err == nil && published != own {
		fmt.Fprintf(stderr, "Note: the preset %s has images as %s; this model takes them as %s.\n", f.preset, published, own)
	}
}

// roles are those of the preset's lists that the evaluation needs.
func (f *flags) roles(e *eval.Evaluation) []presets.Role {
	roles := []presets.Role{presets.Test, presets.Near, presets.Far}
	if f.farExtra {
		roles = append(roles, presets.FarExtra)
	}
	if f.fullSpectrum {
		roles = append(roles, presets.CSID)
	}
	train, validID, validOOD := e.Learns()
	for role, needed := range map[presets.Role]bool{presets.Train: train, presets.Val: validID, presets.OODVal: validOOD} {
		if needed {
			roles = append(roles, role)
		}
	}
	return roles
}

// fullSpectrum counts covariate-shifted images, if there are any, as
// in-distribution. The set has a name of its own then, since its scores are others.
func fullSpectrum(id eval.Set, shifted []eval.Set) eval.Set {
	all := eval.Set{Name: "id", Digest: id.Digest}
	if len(shifted) > 0 {
		all.Name = "fsid"
	}
	images := []dataset.Dataset{id.Images}
	for _, s := range shifted {
		images = append(images, s.Images)
		all.Digest += " " + s.Digest
	}
	all.Images = dataset.Concat(images...)
	return all
}
