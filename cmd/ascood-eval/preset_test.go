package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ascood/ascood/presets"
)

func cifar10(t *testing.T) (root string) {
	t.Helper()
	p, err := presets.Load("cifar10")
	if err != nil {
		t.Fatal(err)
	}
	return dataRoot(t, p)
}

// rowNames are the first words of a table's lines.
func rowNames(out string) string {
	var names []string
	for _, line := range strings.Split(out, "\n") {
		if fields := strings.Fields(line); len(fields) >= 6 && strings.Contains(fields[1], ".") {
			names = append(names, fields[0])
		}
	}
	return strings.Join(names, " ")
}

// TestPresetMethod: a preset is evaluated by the method that it is published with, which
// is searched as it was then.
func TestPresetMethod(t *testing.T) {
	args := []string{"--model", model(t), "--preset", "cifar10", "--data-root", cifar10(t)}
	out, _, err := evaluate(t, args...)
	if err != nil || !strings.HasPrefix(out, "scale (percentile ") || !strings.Contains(out, "the best of 7 settings") {
		t.Errorf("error %v, printed\n%s", err, out)
	}
	out, _, err = evaluate(t, append(args, "--set", "scale.percentile=85", "--far-extra=false")...)
	if err != nil || !strings.HasPrefix(out, "scale (percentile 85) on net") {
		t.Errorf("error %v, printed\n%s", err, out)
	}
	if got := rowNames(out); got != "cifar100 tin nearood mnist svhn texture places365 farood" {
		t.Errorf("rows %s", got)
	}
}

// TestPresetAndOwnSets: sets of the user's stand below the preset's and change no mean.
func TestPresetAndOwnSets(t *testing.T) {
	dir := t.TempDir()
	copyTo(t, filepath.Join(cifar10(t), "images_classic", "near", "tin", "1.png"), filepath.Join(dir, "own", "1.png"))
	list := filepath.Join(dir, "own", "list.txt")
	if err := os.WriteFile(list, []byte("1.png -1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"--model", model(t), "--preset", "cifar10", "--data-root", cifar10(t), "--postprocessor", "msp"}
	alone, _, err := evaluate(t, args...)
	if err != nil {
		t.Fatal(err)
	}
	out, _, err := evaluate(t, append(args, "--far", "mine="+list, "--near", "close="+list)...)
	if err != nil {
		t.Fatal(err)
	}
	if got := rowNames(out); got != rowNames(alone)+" close mine" || !strings.HasPrefix(out, alone) {
		t.Errorf("printed\n%s\nand without sets of the user's\n%s", out, alone)
	}
}

// TestShiftedSets chooses among the covariate-shifted sets, by short names.
func TestShiftedSets(t *testing.T) {
	p, err := presets.Load("imagenet")
	if err != nil {
		t.Fatal(err)
	}
	f := newFlags(nil)
	f.experiment, f.preset, f.fullSpectrum = p, "imagenet", true
	f.csid = []string{"v2", "imagenet_r"}
	if err := f.checkShifted(); err != nil {
		t.Error(err)
	}
	f.csid = []string{"v2", "x"}
	if err := f.checkShifted(); err == nil || !strings.Contains(err.Error(), "--csid x: preset imagenet has imagenet_v2, imagenet_c, imagenet_r, imagenet_es") {
		t.Errorf("error %v", err)
	}
	args := []string{"--model", model(t), "--preset", "cifar10", "--data-root", cifar10(t), "--postprocessor", "msp", "--fsood"}
	for sets, want := range map[string]string{"c": "--csid c: preset cifar10 has cifar10c", "cifar10c": ""} {
		out, _, err := evaluate(t, append(args, "--csid", sets)...)
		if want == "" && (err != nil || !strings.Contains(out, "on net, 6 ID images")) || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("--csid %s: error %v, printed\n%s", sets, err, out)
		}
	}
}

// TestNoExtraFarSet: who has OpenOOD's data has no iSUN.
func TestNoExtraFarSet(t *testing.T) {
	root := cifar10(t)
	if err := os.RemoveAll(filepath.Join(root, "images_classic", "iSUN")); err != nil {
		t.Fatal(err)
	}
	args := []string{"--model", model(t), "--preset", "cifar10", "--data-root", root, "--postprocessor", "msp"}
	if _, _, err := evaluate(t, args...); err == nil || !strings.Contains(err.Error(), "--far-extra=false does without") {
		t.Errorf("error %v", err)
	}
	if _, _, err := evaluate(t, append(args, "--far-extra=false")...); err != nil {
		t.Error(err)
	}
}

// TestCompare: published numbers stand under the rows that have some, those of the
// network's training; where there are none it says what there is.
func TestCompare(t *testing.T) {
	root := cifar10(t)
	args := []string{"--model", model(t), "--preset", "cifar10", "--data-root", root, "--postprocessor", "iodin,msp", "--aps=false", "--compare"}
	out, _, err := evaluate(t, args...)
	if err != nil {
		t.Fatal(err)
	}
	iodin, msp, _ := strings.Cut(out, "\n\n")
	if got := rowNames(iodin); got != "cifar100 published tin published nearood published mnist published svhn published texture published places365 published farood published iSUN farood+iSUN" {
		t.Errorf("rows %s", got)
	}
	for _, want := range []string{"61.33 ± 1.18", "37.55 ± 6.46", "Published: iodin on ce, https://"} {
		if !strings.Contains(iodin, want) {
			t.Errorf("it does not say %q:\n%s", want, iodin)
		}
	}
	if strings.Contains(rowNames(msp), "published") || !strings.Contains(msp, "Note: no published table of msp on ce for cifar10 is at hand; there are: scale on ascood, iodin on ascood, msp on ascood, iodin on ce.") {
		t.Errorf("printed\n%s", msp)
	}
	runs := t.TempDir()
	copyTo(t, args[1], filepath.Join(runs, "s0", "model.onnx"))
	output := t.TempDir()
	out, _, err = evaluate(t, append([]string{"--results", runs, "--output", output}, args[2:]...)...)
	if err != nil || strings.Count(out, "Published: iodin on ce") != 1 || !strings.Contains(out, " ± 0.00") {
		t.Errorf("error %v, printed\n%s", err, out)
	}
	if rows := readCSV(t, filepath.Join(output, "iodin.csv")); len(rows) != 11 {
		t.Errorf("the file has %d rows, want 11: published numbers are not ours", len(rows))
	}
}

// TestReferencePrecision says that it is in effect.
func TestReferencePrecision(t *testing.T) {
	out, _, err := evaluate(t, "--model", model(t), "--id", images("test_id[:9]"), "--far", "far="+images("test_ood[:9]"), "--postprocessor", "msp,mls", "--reference-precision")
	if err != nil || strings.Count(out, "Note: the softmax is computed in float32") != 1 {
		t.Errorf("error %v, printed\n%s", err, out)
	}
}

// TestSkipBroken evaluates a preset of which images are missing and damaged.
func TestSkipBroken(t *testing.T) {
	root := cifar10(t)
	if err := os.Remove(filepath.Join(root, "images_classic", "test", "1.png")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"0.png", "2.png"} {
		if err := os.WriteFile(filepath.Join(root, "images_classic", "near", "tin", name), []byte("no image"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	output := t.TempDir()
	args := []string{"--model", model(t), "--preset", "cifar10", "--data-root", root, "--postprocessor", "msp", "--output", output, "--save-score"}
	if _, _, err := evaluate(t, args...); err == nil || !strings.Contains(err.Error(), "test_cifar10.txt:2: test/1.png is missing") {
		t.Errorf("error %v", err)
	}
	args = append(args, "--skip-broken")
	for _, run := range []string{"first", "again"} {
		out, stderr, err := evaluate(t, args...)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(out, "on net, 2 ID images, 1 skipped") {
			t.Errorf("%s: printed\n%s", run, out)
		}
		if told := strings.Contains(stderr, "Warning: 2 of 3 images of tin cannot be loaded and are left out:\n  "); told != (run == "first") {
			t.Errorf("%s: said\n%s", run, stderr)
		}
		rows := readCSV(t, filepath.Join(output, "msp.csv"))
		if got := strings.Join(rows[0], ","); got != ",FPR@95,AUROC,AUPR_IN,AUPR_OUT,ACC,skipped_ID,skipped_OOD" {
			t.Errorf("%s: header %s", run, got)
		}
		for _, row := range rows[1:] {
			if counts := row[6] + " " + row[7]; counts != map[string]string{"tin": "1 2", "nearood": "1 2"}[row[0]] && counts != "1 0" {
				t.Errorf("%s: %s has skipped %s", run, row[0], counts)
			}
		}
		if rows := readCSV(t, filepath.Join(output, "scores", "msp", "tin.csv")); len(rows) != 2 || !strings.HasSuffix(rows[1][0], "1.png") {
			t.Errorf("%s: scores %v", run, rows)
		}
	}
}

// TestTruncatedImages: a preset fills them as the published code does; otherwise it is
// as the model has it, or as the flag says.
func TestTruncatedImages(t *testing.T) {
	root := cifar10(t)
	whole := filepath.Join(root, "images_classic", "near", "tin", "1.png")
	content, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(whole, content[:len(content)*2/3], 0o600); err != nil {
		t.Fatal(err)
	}
	preset := []string{"--model", model(t), "--preset", "cifar10", "--data-root", root, "--postprocessor", "msp"}
	list := filepath.Join(root, "benchmark_imglist", "cifar10", "test_tin.txt")
	own := []string{"--model", preset[1], "--id", images("test_id[:9]"), "--far", "tin=" + list, "--data-root", filepath.Join(root, "images_classic"), "--postprocessor", "msp"}
	for _, test := range []struct {
		args    []string
		refused bool
	}{
		{preset, false}, {append(preset, "--truncated", "refuse"), true},
		{own, true}, {append(own, "--truncated", "fill"), false},
	} {
		_, stderr, err := evaluate(t, test.args...)
		if refused := err != nil && strings.Contains(err.Error(), "1.png: truncated image"); refused != test.refused || !refused && err != nil {
			t.Errorf("%v: error %v", test.args, err)
		}
		if strings.Contains(stderr, "truncated images: fill") {
			t.Errorf("%v: said\n%s", test.args, stderr)
		}
	}
}
