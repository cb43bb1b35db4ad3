package main

import (
	"fmt"
	"io"

	"github.com/ascood/ascood/dataset"
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
	if f.root == "" {
		return cli.Usagef("--preset %s needs --data-root, the folder in OpenOOD's layout that holds benchmark_imglist/", f.preset)
	}
	return nil
}

// openPreset opens the image lists of a published experiment that the evaluation
// needs, once all their images are known to be there.
func (f *flags) openPreset(e *eval.Evaluation) error {
	p, err := presets.Load(f.preset)
	if err != nil {
		return cli.Usagef("--preset: %w", err)
	}
	roles := f.roles(e)
	if len(p.Select(presets.Test)) == 0 {
		return cli.Usagef("--preset %s has no image lists: give --id, and --near or --far", f.preset)
	}
	if f.fullSpectrum && len(p.Select(presets.CSID)) == 0 {
		return cli.Usagef("--fsood: the preset %s has no covariate-shifted images", f.preset)
	}
	if err := p.CheckData(f.root, roles...).Err(); err != nil {
		return err
	}
	var shifted []eval.Set
	for _, s := range p.Select(roles...) {
		from := source{name: s.Name}
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
		case presets.Train:
			e.Train = set
		case presets.Val:
			e.ValidID = set
		case presets.OODVal:
			e.ValidOOD = set
		}
	}
	e.ID = fullSpectrum(e.ID, shifted)
	return nil
}

// notePreprocessing says if the model sees images otherwise than the preset has
// it. The model's way is the right one for it, but results are then not comparable.
func (f *flags) notePreprocessing(own preprocess.Config, stderr io.Writer) {
	p, err := presets.Load(f.preset)
	if err != nil {
		return // there is no preset
	}
	if published, err := preprocess.Preset(p.Preprocess); err == nil && published != own {
		fmt.Fprintf(stderr, "Note: the preset %s has images as %s; this model takes them as %s.\n", f.preset, published, own)
	}
}

// roles are those of the preset's lists that the evaluation needs.
func (f *flags) roles(e *eval.Evaluation) []presets.Role {
	roles := []presets.Role{presets.Test, presets.Near, presets.Far}
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
