package study

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"slices"

	"github.com/ascood/ascood/dataset"
	"github.com/ascood/ascood/presets"
)

// images are an image set that a part reads.
type images struct {
	path, root string // as the programs take them
	count      int
	digest     string // as dataset.Digest gives it
	all        dataset.Dataset
}

// source is a data entry of the plan with its images.
type source struct {
	Data
	preset                            *presets.Preset // nil for none
	dataRoot                          string          // of the preset
	train, val, test, valOOD, exposed images          // the last two may be none
	near, far, farExtra               []namedImages
}

type namedImages struct {
	name string
	images
}

// ood are the sets that the test images are told from.
func (s *source) ood() []namedImages { return slices.Concat(s.near, s.far, s.farExtra) }

// opener opens image sets, each once.
type opener struct {
	dataRoot string // of the presets
	known    map[[2]string]images
	faults   []string
}

// open opens the images of a data entry that the plan needs; what is missing goes to faults.
func (o *opener) open(d Data, p *Plan) *source {
	s := &source{Data: d}
	if d.Preset != "" {
		o.openPreset(s, p)
		return s
	}
	var classes []string
	if d.Classes != "" {
		var err error
		if classes, err = dataset.ReadClasses(d.Classes); err != nil {
			o.fault(d.Name, "classes", err)
		}
	}
	set := func(what, path string) images { return o.set(d.Name, what, path, d.Root, classes) }
	s.train, s.val, s.test = set("train", d.Train), set("val", d.Val), set("test", d.Test)
	s.valOOD, s.exposed = set("ood_val", d.OODVal), set("outliers", d.Outliers)
	for _, n := range d.Near {
		s.near = append(s.near, namedImages{n.Name, set("near "+n.Name, n.Images)})
	}
	for _, n := range d.Far {
		s.far = append(s.far, namedImages{n.Name, set("far "+n.Name, n.Images)})
	}
	return s
}

func (o *opener) fault(data, what string, err error) {
	o.faults = append(o.faults, fmt.Sprintf("data %s: %s: %v", data, what, err))
}

// set opens images, none for an empty path.
func (o *opener) set(data, what, path, root string, classes []string) images {
	if path == "" {
		return images{}
	}
	key := [2]string{path, root}
	if known, ok := o.known[key]; ok {
		return known
	}
	d, err := dataset.OpenFor(classes, path, root)
	if err == nil {
		err = dataset.CheckFiles(d)
	}
	if err != nil {
		o.fault(data, what, err)
		return images{}
	}
	i := images{path: path, root: root, count: d.Len(), all: d}
	if i.digest, err = dataset.Digest(d); err != nil {
		o.fault(data, what, err)
	}
	o.known[key] = i
	return i
}

// openPreset opens the lists of a published experiment.
func (o *opener) openPreset(s *source, p *Plan) {
	preset, err := presets.Load(s.Preset)
	if err != nil {
		o.fault(s.Name, "preset", err)
		return
	}
	s.preset, s.dataRoot = preset, o.dataRoot
	if o.dataRoot == "" {
		o.fault(s.Name, "preset "+s.Preset, fmt.Errorf("the data root is missing: the folder of its lists and images"))
		return
	}
	s.Pretrained = under(o.dataRoot, s.Pretrained)
	roles := []presets.Role{presets.Train, presets.Val, presets.Test, presets.OODVal, presets.Near, presets.Far}
	if p.Evaluation.farExtra() {
		roles = append(roles, presets.FarExtra)
	}
	if slices.ContainsFunc(p.methods(s.Name), Method.exposed) {
		roles = append(roles, presets.Outliers)
	}
	if len(preset.Sets) == 0 {
		o.fault(s.Name, "preset "+s.Preset, fmt.Errorf("it has no published lists"))
		return
	}
	if err := preset.CheckData(o.dataRoot, roles...).Err(); err != nil {
		o.fault(s.Name, "preset "+s.Preset, err)
		return
	}
	for _, list := range preset.Select(roles...) {
		path, root := list.Under(o.dataRoot)
		i := o.set(s.Name, list.String(), path, root, nil)
		switch list.Role {
		case presets.Train:
			s.train = i
		case presets.Val:
			s.val = i
		case presets.Test:
			s.test = i
		case presets.OODVal:
			s.valOOD = i
		case presets.Outliers:
			s.exposed = i
		case presets.Near:
			s.near = append(s.near, namedImages{list.Name, i})
		case presets.Far:
			s.far = append(s.far, namedImages{list.Name, i})
		case presets.FarExtra:
			s.farExtra = append(s.farExtra, namedImages{list.Name, i})
		}
	}
}

// digester identifies files by their content, each read once.
type digester map[string]string

// of returns a file's digest. A missing file has one, too: the program that reads it says so.
func (d digester) of(path string) string {
	if known, ok := d[path]; ok {
		return known
	}
	content, err := os.ReadFile(path)
	if err != nil {
		d[path] = "missing"
	} else {
		sum := sha256.Sum256(content)
		d[path] = hex.EncodeToString(sum[:])
	}
	return d[path]
}
