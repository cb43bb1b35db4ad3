package presets

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/ascood/ascood"
)

// Methods of training.
const (
	MethodASCOOD = "ascood" // has outliers
	MethodCE     = "ce"
)

// Choice says which of a preset's variants is meant.
type Choice struct {
	Method  string // of training, one of the above; "" is the preset's first
	OODType string // of outliers; "" is the preset's first
	Pixels  string // that outliers change; "" is the preset's first
	Root    string // the data root; "" leaves the images open
}

// Configure sets those fields of config that the preset has a value for, and
// returns their names, sorted. Config is a pointer to a train.Config, or to a
// struct with its JSON names. For a type of outliers that is not published with
// the preset, what depends on the type is left as it is.
func (p *Preset) Configure(config any, c Choice) ([]string, error) {
	settings := values{"arch": p.Arch, "class_count": p.Classes, "augment": p.Augment, "method": p.Methods[0]}
	if c.Method != "" {
		settings["method"] = c.Method
	}
	var err error
	if settings["preprocess"], err = p.Images(); err != nil {
		return nil, err
	}
	maps.Copy(settings, p.Training)
	maps.Copy(settings, p.ByMethod[settings["method"].(string)])
	if settings["method"] == MethodASCOOD {
		maps.Copy(settings, p.ASCOOD)
		maps.Copy(settings, p.outliers(c.OODType, c.Pixels))
	}
	if c.Root != "" && len(p.Sets) > 0 {
		if err := p.addImages(settings, c.Root); err != nil {
			return nil, err
		}
	}
	content, err := json.Marshal(settings)
	if err == nil {
		err = decode(content, config)
	}
	if err != nil {
		return nil, fmt.Errorf("preset %s: %w", p.Name, err)
	}
	return slices.Sorted(maps.Keys(settings)), nil
}

// OODType returns the type of outliers that the preset is published with, ""
// if it is published without ASCOOD or leaves the type open.
func (p *Preset) OODType() string {
	oodType, _ := p.outliers("", "")["ood_type"].(string)
	return oodType
}

// outliers returns the settings for a type of outliers and the pixels that they
// change, none where they are not published.
func (p *Preset) outliers(oodType, pixels string) values {
	for _, o := range p.Outliers {
		if (oodType == "" || o["ood_type"] == oodType) && (pixels == "" || o["pixels"] == pixels) {
			return o
		}
	}
	return nil
}

// Exposed lists the methods of training that learn from outliers.
func Exposed() []string { return []string{"mixoe", "oe"} }

// addImages names the training and validation images, and the outliers for a method that
// learns from such.
func (p *Preset) addImages(settings values, root string) error {
	train, val := p.Select(Train), p.Select(Val)
	if len(train) != 1 || len(val) != 1 || train[0].Images != val[0].Images {
		return ascood.Errorf(ascood.Internal, "preset %s: want one list for training and one for validation, of images in one folder", p.Name)
	}
	settings["train"], settings["data_dir"] = train[0].Under(root)
	settings["val"], _ = val[0].Under(root)
	if outliers := p.Select(Outliers); len(outliers) > 0 && slices.Contains(Exposed(), settings["method"].(string)) {
		settings["outliers"], settings["outlier_dir"] = outliers[0].Under(root)
	}
	return nil
}
