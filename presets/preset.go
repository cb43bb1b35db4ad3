// Package presets holds the published experiments of ASCOOD and i-ODIN: for each
// ID set its network, its preprocessing, the hyperparameters of its training
// and the image lists that it is trained and evaluated on. The experiments are
// the JSON files in data/, one each, in which every published value is written out.
package presets

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/preprocess"
)

//go:embed data/*.json
var files embed.FS

// Preset is a published experiment.
type Preset struct {
	Name       string `json:"-"`
	Title      string `json:"title"`      // what the classes are
	Note       string `json:"note"`       // what else is to be known
	Classes    int    `json:"classes"`    // number of ID classes
	Arch       string `json:"arch"`       // the network, one of models.Archs
	Pretrained string `json:"pretrained"` // the weights that training starts from; "" are random ones
	Preprocess string `json:"preprocess"` // one of preprocess.Presets; Images says all of it
	Augment    string `json:"augment"`    // one of preprocess.Augmentations
	// What becomes of images that end early. The published code sets LOAD_TRUNCATED_IMAGES
	// where it loads them (datasets/imglist_dataset.py), in training and in evaluation.
	Truncated     preprocess.Truncated `json:"truncated"`
	Postprocessor string               `json:"postprocessor"` // the post-hoc method it is published with; "" if none is
	Methods       []string             `json:"methods"`       // of training it is published with, the first by default

	// Hyperparameters, under the JSON names of train.Config. What is missing is
	// not published.
	Training values   `json:"training"` // of every method
	ASCOOD   values   `json:"ascood"`   // of ASCOOD alone
	Outliers []values `json:"outliers"` // of ASCOOD, for each type of outliers, and choice of pixels, that is published; the first by default

	// Of single methods, in place of those above: what the reference's scripts change for them.
	ByMethod map[string]values `json:"by_method"`

	Sets []Set `json:"sets"` // the image lists; none where they are the user's
}

// values are settings by name.
type values map[string]any

// Names returns the names of the presets, sorted.
func Names() []string {
	entries, err := files.ReadDir("data")
	if err != nil {
		return nil // the folder is part of the program
	}
	var names []string
	for _, entry := range entries {
		names = append(names, strings.TrimSuffix(entry.Name(), ".json"))
	}
	return names
}

// Load returns a preset. An unknown name is ascood.Invalid; the error lists the
// known ones.
func Load(name string) (*Preset, error) {
	if !slices.Contains(Names(), name) {
		return nil, ascood.Errorf(ascood.Invalid, "unknown preset %q; known are %s", name, strings.Join(Names(), ", "))
	}
	content, err := files.ReadFile(path.Join("data", name+".json"))
	if err != nil {
		return nil, fmt.Errorf("preset %s: %w", name, err)
	}
	p := &Preset{Name: name}
	if err := decode(content, p); err != nil {
		return nil, fmt.Errorf("preset %s: %w", name, err)
	}
	return p, nil
}

// Images returns how image files become the network's input.
func (p *Preset) Images() (preprocess.Config, error) {
	c, err := preprocess.Preset(p.Preprocess)
	if err != nil {
		return c, fmt.Errorf("preset %s: %w", p.Name, err)
	}
	c.Truncated = p.Truncated
	return c, nil
}

// decode reads JSON that may name no other fields than those of v.
func decode(content []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(content))
	d.DisallowUnknownFields()
	return d.Decode(v)
}
