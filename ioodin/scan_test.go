package ioodin_test

import (
	"encoding/binary"
	"image"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/dataset"
	"github.com/ascood/ascood/internal/testmodel"
	"github.com/ascood/ascood/ioodin"
	"github.com/ascood/ascood/models"
	"github.com/ascood/ascood/onnx"
)

// TestScanNamesImage: a score that is not a number is of an image that the user can
// find, though others of its batch could not be read.
func TestScanNamesImage(t *testing.T) {
	m, d := testmodel.Random(t, models.Spec{Arch: "lenet", Classes: 10, Head: models.HeadLinear}, testmodel.Square(28), artifact.ScoreIODIN)
	damage(t, m)
	model, err := ioodin.New(m, d, ioodin.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer model.Close()
	dir := t.TempDir()
	paths := []string{filepath.Join(dir, "missing.png"), filepath.Join(dir, "sound.png")}
	writePNG(t, paths[1], 0)
	var last error
	for _, err := range model.Scan(t.Context(), dataset.OpenFiles(paths), ioodin.ScanOptions{BatchSize: 2, KeepGoing: true}) {
		last = err
	}
	if last == nil || !strings.Contains(last.Error(), "the score of "+paths[1]+" is not a number") {
		t.Errorf("error %v does not name %s", last, paths[1])
	}
}

// TestCalibrateCountsClasses: a calibration has each image once, by its prediction.
func TestCalibrateCountsClasses(t *testing.T) {
	m, d := testmodel.Random(t, models.Spec{Arch: "lenet", Classes: 10, Head: models.HeadLinear}, testmodel.Square(28), artifact.ScoreIODIN)
	model, err := ioodin.New(m, d, ioodin.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer model.Close()
	paths := make([]string, 20)
	for i := range paths {
		paths[i] = filepath.Join(t.TempDir(), "gray.png")
		writePNG(t, paths[i], uint8(12*i))
	}
	want := make([]int, 10)
	c, err := model.Calibrate(t.Context(), dataset.OpenFiles(paths), "gray", 0.9, ioodin.CalibrateOptions{Each: func(image ioodin.Scanned) { want[image.Prediction]++ }})
	if err != nil {
		t.Fatal(err)
	}
	if c.Samples != 20 || !slices.Equal(c.Classes, want) {
		t.Errorf("%d samples, %v by class; want %v", c.Samples, c.Classes, want)
	}
}

func writePNG(t *testing.T, path string, gray uint8) {
	t.Helper()
	picture := image.NewGray(image.Rect(0, 0, 28, 28))
	for i := range picture.Pix {
		picture.Pix[i] = gray
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := png.Encode(f, picture); err != nil {
		t.Fatal(err)
	}
}

// damage makes a bias of the last layer not a number.
func damage(t *testing.T, m *onnx.ModelProto) {
	t.Helper()
	_, bias, err := artifact.Classifier(m)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range m.Graph.Initializer {
		if values, err := w.Float32s(); err == nil && slices.Equal(values, bias) {
			binary.LittleEndian.PutUint32(w.RawData, math.Float32bits(float32(math.NaN())))
			return
		}
	}
	t.Fatal("no bias found")
}

// TestDefaultBatchSize: a CPU takes four pieces for each thread, of as many images as stay in
// its caches, but not more than 64 images.
func TestDefaultBatchSize(t *testing.T) {
	for _, c := range []struct{ size, threads, want int }{{224, 1, 4}, {224, 2, 8}, {224, 64, 64}, {96, 2, 24}, {32, 1, 64}, {32, 2, 64}, {16, 1, 64}} {
		if got := ioodin.DefaultBatchSize(ascood.Device{}, c.size, c.threads); got != c.want {
			t.Errorf("%dx%d pixels on %d threads: %d images, want %d", c.size, c.size, c.threads, got, c.want)
		}
	}
	if got := ioodin.DefaultBatchSize(ascood.CUDA(0), 224, 1); got != 32 {
		t.Errorf("a GPU takes %d images, want 32", got)
	}
}
