package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/ascood/ascood/artifact"
)

// TestShip ships the method that is best on the validation images, although another is
// on those of the test, and evaluates the file by its own score.
func TestShip(t *testing.T) {
	deployed := filepath.Join(t.TempDir(), "deployed.onnx")
	ood := "digits=" + images("test_ood")
	out, _, err := evaluate(t, "--model", model(t), "--id", images("test_id"), "--far", ood, "--id-train", images("train"),
		"--postprocessor", "msp,relation,iodin,mds", "--set", "iodin.noise=0.0014", "--id-val", images("val_id"), "--ood-val", images("val_ood"), "--ship", deployed)
	if err != nil {
		t.Fatal(err)
	}
	want := regexp.MustCompile(`decides by mds, the best on the validation images: AUROC 9\d\.\d\d \(relation 9\d\.\d\d, iodin \d\d\.\d\d, msp \d\d\.\d\d\)
calibrated on 200 images: a score below -[\d.]+ is out of distribution \(keeps 95% of them\)\n$`)
	if !want.MatchString(out) {
		t.Errorf("printed\n%s", out)
	}
	_, meta, err := artifact.Load(deployed)
	if err != nil {
		t.Fatal(err)
	}
	if meta.Score.Name != "mds" || meta.Calibration == nil || meta.Calibration.Score != meta.Score {
		t.Errorf("the score is %+v, calibrated as %+v", meta.Score, meta.Calibration)
	}
	own, _, err := evaluate(t, "--model", deployed, "--id", images("test_id"), "--far", ood)
	if err != nil {
		t.Fatal(err)
	}
	row := regexp.MustCompile(` digits +[\d. ]+`)
	tables := row.FindAllString(out, -1)
	if len(tables) != 4 || row.FindString(own) != tables[3] || !strings.HasPrefix(own, "mds on ") {
		t.Errorf("by its own score the file has\n%safter\n%s", own, out)
	}
}

// TestShipCombined ships two methods as one, and evaluates the file by its own score.
func TestShipCombined(t *testing.T) {
	deployed := filepath.Join(t.TempDir(), "deployed.onnx")
	ood := "digits=" + images("test_ood")
	out, _, err := evaluate(t, "--model", model(t), "--id", images("test_id"), "--far", ood, "--id-train", images("train"), "--postprocessor", "mds+iodin",
		"--set", "iodin.noise=0.0014", "--combine", "minimum", "--id-val", images("val_id"), "--ood-val", images("val_ood"), "--ship", deployed)
	if err != nil {
		t.Fatal(err)
	}
	_, meta, err := artifact.Load(deployed)
	if err != nil {
		t.Fatal(err)
	}
	const settings = `{"iodin":{"temperature":1000,"noise":0.0014},"mds":{},"rule":"minimum"}`
	if meta.Score != (artifact.Score{Name: "mds+iodin", Settings: settings}) || !strings.Contains(out, "decides by mds+iodin (") {
		t.Errorf("the score is %+v; said %s", meta.Score, out)
	}
	own, _, err := evaluate(t, "--model", deployed, "--id", images("test_id"), "--far", ood)
	if err != nil {
		t.Fatal(err)
	}
	row := regexp.MustCompile(` digits +[\d. ]+`)
	if row.FindString(own) != row.FindString(out) || !strings.HasPrefix(own, "mds+iodin (") {
		t.Errorf("by its own score the file has\n%safter\n%s", own, out)
	}
}

func TestShipWrongInput(t *testing.T) {
	m, deployed := model(t), filepath.Join(t.TempDir(), "deployed.onnx")
	ood := "digits=" + images("test_ood")
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--ship", deployed}, "give --id-val and --ood-val"},
		{[]string{"--ship", deployed, "--id-val", images("val_id")}, "never on those of the test: give --id-val and --ood-val"},
		{[]string{"--ship", m, "--id-val", images("val_id"), "--ood-val", images("val_ood")}, "--ship: "},
		{[]string{"--ship", deployed, "--id-val", images("val_id"), "--ood-val", images("val_ood"), "--tpr", "0.999"}, "--ship: 200 in-distribution images give no threshold for a TPR of 0.999"},
		{[]string{"--ship", deployed, "--id-val", images("val_id"), "--ood-val", images("val_ood"), "--postprocessor", "msp", "--reference-precision"}, "no meaning beside --reference-precision"},
		{[]string{"--tpr", "0.9"}, "--tpr has no meaning without --calibrate"},
	} {
		if _, _, err := evaluate(t, append([]string{"--model", m, "--id", images("test_id"), "--far", ood}, c.args...)...); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: error %v, want %q", c.args, err, c.want)
		}
		if _, err := os.Stat(deployed); err == nil {
			t.Errorf("%v: there is a file", c.args)
		}
	}
}
