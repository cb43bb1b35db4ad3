package main

import (
	_ "embed"
	"os"
	"path/filepath"

	"github.com/ascood/ascood"
)

// demoModel is served without any model at hand; demo/README.md says how it was made.
//
//go:embed demo/clothes.onnx
var demoModel []byte

// unpackDemo makes the demo's model the one that is served, from a temporary file, until
// the function that it returns is called.
func (o *options) unpackDemo() (remove func(), err error) {
	if !o.demo {
		return func() {}, nil
	}
	folder, err := os.MkdirTemp("", "ascood-demo-")
	if err != nil {
		return nil, ascood.Errorf(ascood.Unavailable, "--demo: %w", err)
	}
	remove = func() { _ = os.RemoveAll(folder) } // the system empties its folder of such files in the end
	o.source.Model = filepath.Join(folder, "clothes.onnx")
	if err := os.WriteFile(o.source.Model, demoModel, 0o600); err != nil {
		remove()
		return nil, ascood.Errorf(ascood.Unavailable, "--demo: %w", err)
	}
	return remove, nil
}
