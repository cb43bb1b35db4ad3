package checkpoint

import (
	"encoding/json"
	"fmt"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/preprocess"
)

// Meta is what a checkpoint written by this project says about itself. Each
// field is a string of JSON in the header's __metadata__, under the key in its
// comment; a field at its zero value is left out. In a file without them, such
// as a bare state dict, Meta is zero; Arch is never empty otherwise.
type Meta struct {
	Arch       string             // "ascood.arch": the name in package models, e.g. "resnet18_32x32"
	Head       string             // "ascood.head": what follows the backbone, a name in package models
	Network    []byte             // "ascood.network": the graph without weights, an ONNX file in base64, if Arch is "onnx"
	Classes    []string           // "ascood.classes": class names in the order of the logits
	Preprocess *preprocess.Config // "ascood.preprocess": what the network was trained on
	Training   json.RawMessage    // "ascood.training": the trainer's hyperparameters, an object
	Epoch      int                // "ascood.epoch": epochs completed
	Step       int                // "ascood.step": optimiser steps completed in the epoch after it
	Accuracy   float64            // "ascood.accuracy": on the validation images, 0 to 1
	Tool       string             // "ascood.tool": name and version of the program that wrote it
}

// Keys of __metadata__ besides those of Meta's fields.
const (
	formatKey     = "ascood.format" // the version of this layout
	formatVersion = 1
)

var errNoArch = ascood.Errorf(ascood.Invalid, "no ascood.arch in the metadata")

// fields lists the keys of the metadata with pointers to their values.
func (m *Meta) fields() []field {
	return []field{
		{"ascood.arch", &m.Arch, m.Arch == ""},
		{"ascood.head", &m.Head, m.Head == ""},
		{"ascood.network", &m.Network, m.Network == nil},
		{"ascood.classes", &m.Classes, m.Classes == nil},
		{"ascood.preprocess", &m.Preprocess, m.Preprocess == nil},
		{"ascood.training", &m.Training, m.Training == nil},
		{"ascood.epoch", &m.Epoch, m.Epoch == 0},
		{"ascood.step", &m.Step, m.Step == 0},
		{"ascood.accuracy", &m.Accuracy, m.Accuracy == 0},
		{"ascood.tool", &m.Tool, m.Tool == ""},
	}
}

type field struct {
	key   string
	value any // a pointer
	zero  bool
}

// encode returns the metadata for a file's header. PyTorch's loaders look for
// the key "format".
func (m *Meta) encode() (map[string]string, error) {
	header := map[string]string{}
	for _, f := range m.fields() {
		if f.zero {
			continue
		}
		text, err := json.Marshal(f.value)
		if err != nil {
			return nil, ascood.Errorf(ascood.Invalid, "%s: %w", f.key, err)
		}
		header[f.key] = string(text)
	}
	if m.Arch == "" && len(header) > 0 {
		return nil, errNoArch
	}
	if m.Arch != "" {
		header[formatKey] = fmt.Sprint(formatVersion)
	}
	header["format"] = "pt"
	return header, nil
}

// decode is the inverse of encode. Keys that it does not know are passed over.
func (m *Meta) decode(header map[string]string) error {
	*m = Meta{}
	version, ok := header[formatKey]
	if !ok {
		return nil
	}
	if version != fmt.Sprint(formatVersion) {
		return ascood.Errorf(ascood.Unsupported, "%s is %s: this program reads %d; a newer one wrote the file", formatKey, version, formatVersion)
	}
	for _, f := range m.fields() {
		text, ok := header[f.key]
		if !ok {
			continue
		}
		if err := json.Unmarshal([]byte(text), f.value); err != nil {
			return ascood.Errorf(ascood.Invalid, "%s in __metadata__: %w", f.key, err)
		}
	}
	if m.Arch == "" {
		return errNoArch
	}
	return nil
}
