// Package testmodel makes small artifacts for the tests of what runs them.
package testmodel

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/checkpoint"
	"github.com/ascood/ascood/dataset"
	"github.com/ascood/ascood/export"
	"github.com/ascood/ascood/ioodin"
)

// FashionMNIST is where Debian's package dataset-fashion-mnist puts its files.
const FashionMNIST = "/usr/share/datasets/fashion-mnist"

// Classes are the class names of LeNet's artifact.
var Classes = []string{"zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"}

// LeNet writes the reference's LeNet as an artifact, calibrated on images of
// Fashion-MNIST, and returns its path.
func LeNet(tb testing.TB) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "lenet.onnx")
	if err := writeLeNet(path, tb); err != nil {
		tb.Fatal(err)
	}
	return path
}

func writeLeNet(path string, tb testing.TB) error {
	c, err := checkpoint.Load(Path("testdata", "nets", "lenet.safetensors"))
	if err != nil {
		return err
	}
	score, err := artifact.DefaultScore(artifact.ScoreIODIN)
	if err != nil {
		return err
	}
	pre := Square(28)
	model, meta, err := export.FromCheckpoint(c, export.Options{Name: "lenet", Arch: "lenet", Classes: Classes, Score: score, Preprocess: &pre})
	if err != nil {
		return err
	}
	data, err := dataset.Open(filepath.Join(FashionMNIST, "t10k-images-idx3-ubyte.gz[:200]"), "")
	if err != nil {
		return err
	}
	m, err := ioodin.New(model, meta, ioodin.Options{Threads: 1})
	if err != nil {
		return err
	}
	defer m.Close()
	if meta.Calibration, err = m.Calibrate(tb.Context(), data, "clothes", 0.95, ioodin.CalibrateOptions{}); err != nil {
		return err
	}
	return artifact.Save(path, model, meta)
}

// Path returns the path of a file of the repository, given from its root, which is
// the first folder upwards from the working directory with a go.mod. It panics
// outside a repository: packages call it for variables, where no test is at hand.
func Path(elements ...string) string {
	start, err := os.Getwd()
	if err != nil {
		panic(err)
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(append([]string{dir}, elements...)...)
		}
		if dir == filepath.Dir(dir) {
			panic(fmt.Sprintf("testmodel: neither %s nor a folder above it has a go.mod", start))
		}
	}
}
