package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/dataset"
	"github.com/ascood/ascood/internal/testmodel"
	"github.com/ascood/ascood/preprocess"
)

// TestDemo: without any model at hand, most clothes are in distribution and most digits
// are not; demo/README.md has the shares, 95% and about 77%.
func TestDemo(t *testing.T) {
	if len(demoModel) >= 1_000_000 {
		t.Errorf("the model has %d bytes", len(demoModel))
	}
	url := start(t, "--demo", "--device", "cpu")
	const images = 60
	if n := inside(t, url, testmodel.FashionMNIST+"/t10k-images-idx3-ubyte.gz", images); n < images*8/10 {
		t.Errorf("%d of %d images of clothes are in distribution", n, images)
	}
	if n := inside(t, url, testmodel.Path("data", "mnist", "t10k-images-idx3-ubyte"), images); n > images*5/10 {
		t.Errorf("%d of %d digits are in distribution", n, images)
	}
}

// inside is how many of the first images are in distribution.
func inside(t *testing.T, url, path string, images int) (n int) {
	t.Helper()
	d, err := dataset.Open(path, "")
	if err != nil {
		t.Fatal(err)
	}
	for i := range images {
		img, err := d.Load(t.Context(), i, preprocess.Reading{})
		if err != nil {
			t.Fatal(err)
		}
		got, err := post(url, encoded(t, img))
		if err != nil {
			t.Fatal(err)
		}
		if got.Verdict == artifact.InDistribution {
			n++
		}
	}
	return n
}

func TestDemoIsAlone(t *testing.T) {
	for _, args := range [][]string{{"--model", "m"}, {"--models", "m"}, {"--name", "m"}} {
		if _, err := parse(append(args, "--demo"), io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), "--demo") {
			t.Errorf("%v: %v", args, err)
		}
	}
}

// The model is unpacked for as long as it is served.
func TestDemoIsRemoved(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	o := &options{demo: true}
	remove, err := o.unpackDemo()
	if err != nil {
		t.Fatal(err)
	}
	if file, err := os.ReadFile(o.source.Model); err != nil || len(file) != len(demoModel) {
		t.Errorf("%d bytes, %v", len(file), err)
	}
	remove()
	if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
		t.Errorf("left are %v, %v", left, err)
	}
	t.Setenv("TMPDIR", filepath.Join(temp, "missing"))
	if _, err := o.unpackDemo(); ascood.CodeOf(err) != ascood.Unavailable {
		t.Errorf("without a folder for it: %v", err)
	}
}
