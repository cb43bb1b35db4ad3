package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/dataset"
	"github.com/ascood/ascood/internal/testmodel"
)

// TestCalibrate gives an artifact a calibration, and checks what it keeps.
func TestCalibrate(t *testing.T) {
	path := model(t)
	out, stderr, err := evaluate(t, "--calibrate", path, "--id", images("val_id[:60]"), "--tpr", "0.9")
	if err != nil || !strings.Contains(out, "keeps 90% of 60 images") || stderr != "accuracy 78.33% on 60 labelled images\n" {
		t.Errorf("error %v, printed %s%s", err, out, stderr)
	}
	_, meta, err := artifact.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if c := meta.Calibration; c == nil || c.Samples != 60 || c.TPR != 0.9 || c.Score != meta.Score {
		t.Errorf("calibration %+v", meta.Calibration)
	}
	if _, stderr, err = evaluate(t, "--calibrate", path, "--id", images("val_id[:60]")); err != nil || !strings.Contains(stderr, "at least 72") {
		t.Errorf("error %v, stderr %s", err, stderr)
	}
	for name, c := range map[string]struct{ args, want string }{
		"no ID":          {"", "--id is missing"},
		"beside others":  {"--postprocessor msp --id x", "--postprocessor has no meaning beside --calibrate"},
		"too few":        {"--id " + images("val_id[:10]"), "--id: 10 in-distribution images give no threshold"},
		"TPR":            {"--tpr 1 --id " + images("val_id[:10]"), "between 0 and 1"},
		"no such images": {"--id none.txt", "--id: "},
	} {
		_, _, err := evaluate(t, append([]string{"--calibrate", path}, strings.Fields(c.args)...)...)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
	}
}

// TestCalibrateSkipsBroken calibrates on images of which some are missing and damaged.
func TestCalibrateSkipsBroken(t *testing.T) {
	dir, path := t.TempDir(), model(t)
	var list strings.Builder
	for i := range 80 {
		fmt.Fprintf(&list, "%d.png -1\n", i)
		if name := filepath.Join(dir, fmt.Sprintf("%d.png", i)); i == 7 {
			if err := os.WriteFile(name, []byte("no image"), 0o600); err != nil {
				t.Fatal(err)
			}
		} else if i != 9 {
			copyTo(t, testmodel.Path("preprocess", "testdata", "formats", "bilevel.png"), name)
		}
	}
	images := filepath.Join(dir, "list.txt")
	if err := os.WriteFile(images, []byte(list.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := evaluate(t, "--calibrate", path, "--id", images); err == nil || !strings.Contains(err.Error(), "9.png is missing, image 10 of 80") {
		t.Errorf("error %v", err)
	}
	out, stderr, err := evaluate(t, "--calibrate", path, "--id", images, "--skip-broken")
	if err != nil || !strings.Contains(out, "keeps 95% of 78 images") || !strings.Contains(stderr, "Warning: 2 of 80 images of "+images+" cannot be loaded and are left out:\n  ") || strings.Contains(stderr, "accuracy") {
		t.Errorf("error %v, printed %s%s", err, out, stderr)
	}
}

// TestWrongOrderOfClasses: labels that are numbered otherwise than the network's classes
// show in the accuracy, and that is said where one might not look at it.
func TestWrongOrderOfClasses(t *testing.T) {
	dir := t.TempDir()
	copyTo(t, images("val_id"), filepath.Join(dir, "turned-images-idx3-ubyte.gz"))
	d, err := dataset.Open(images("val_id"), "")
	if err != nil {
		t.Fatal(err)
	}
	labels := []byte{0, 0, 8, 1, 0, 0, 0, byte(d.Len())}
	for i := range d.Len() {
		labels = append(labels, byte((d.Label(i)+2)%10))
	}
	if err := os.WriteFile(filepath.Join(dir, "turned-labels-idx1-ubyte"), labels, 0o600); err != nil {
		t.Fatal(err)
	}
	turned, path := filepath.Join(dir, "turned-images-idx3-ubyte.gz"), model(t)
	const want = "% on labelled images of 10 classes is hardly more than guessing: are sizes, resizing, mean, std and the order of the classes those of the training?"
	for name, args := range map[string][]string{
		"evaluation":  {"--model", path, "--id", turned, "--far", "far=" + images("test_ood[:3]")},
		"calibration": {"--calibrate", path, "--id", turned},
	} {
		if _, stderr, err := evaluate(t, args...); err != nil || !strings.Contains(stderr, want) {
			t.Errorf("%s: error %v, said %s", name, err, stderr)
		}
	}
}
