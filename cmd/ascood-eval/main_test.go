package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/checkpoint"
	"github.com/ascood/ascood/eval/report"
	"github.com/ascood/ascood/export"
	"github.com/ascood/ascood/internal/cli"
	"github.com/ascood/ascood/internal/testmodel"
	"github.com/ascood/ascood/preprocess"
	"github.com/ascood/ascood/presets"
)

// TestOwnScore makes the simplest call: the artifact's score, one OOD set.
func TestOwnScore(t *testing.T) {
	out, _, err := evaluate(t, "--model", model(t), "--id", images("test_id"), "--far", "digits="+images("test_ood"))
	if err != nil {
		t.Fatal(err)
	}
	// auroc.json of the reference: FPR@95 0.495, AUROC 0.8098.
	want := regexp.MustCompile(`^iodin \(temperature 1000, noise 0\.0014\) on net, 200 ID images
.*FPR@95 +AUROC +AUPR_IN +AUPR_OUT +ACC *
 +digits +49\.50 +80\.98 .*
 +farood +49\.50 +80\.98 .*
$`)
	if !want.MatchString(out) {
		t.Errorf("printed\n%s", out)
	}
}

// TestReferenceTables compares FPR@95 and AUROC of every method, with its
// published settings, with the reference's.
func TestReferenceTables(t *testing.T) {
	dir := t.TempDir()
	want := map[string][2]string{
		"msp": {"73.00", "62.97"}, "mls": {"51.00", "78.58"}, "ebo": {"47.50", "80.72"}, "odin": {"50.50", "80.40"},
		"iodin": {"49.50", "80.98"}, "gen": {"53.00", "80.80"}, "mds": {"9.50", "96.74"}, "rmds": {"18.50", "96.55"},
		"knn": {"26.00", "89.89"}, "vim": {"24.00", "93.14"}, "react": {"58.50", "77.33"}, "ash": {"79.50", "58.99"},
		"scale": {"50.50", "75.68"}, "dice": {"70.00", "45.86"}, "she": {"57.50", "73.36"}, "klm": {"77.50", "74.68"},
		"gradnorm": {"57.50", "75.78"}, "nnguide": {"56.50", "67.48"}, "relation": {"29.00", "94.11"}, "fdbd": {"56.00", "81.31"},
		"rankfeat": {"45.00", "68.81"}, "temp_scaling": {"72.50", "65.18"},
	}
	var names []string
	for name := range want {
		names = append(names, name)
	}
	_, _, err := evaluate(t, "--model", model(t), "--id", images("test_id"), "--near", "digits="+images("test_ood"),
		"--postprocessor", strings.Join(names, ","), "--set", "vim.dim=32", "--set", "temp_scaling.temperature=1.252",
		"--id-train", images("train"), "--id-val", images("val_id"), "--aps=false", "--output", dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		rows := readCSV(t, filepath.Join(dir, name+".csv"))
		if got := strings.Join(rows[0], ","); got != ",FPR@95,AUROC,AUPR_IN,AUPR_OUT,ACC" {
			t.Errorf("%s: header %s", name, got)
		}
		if len(rows) != 3 || rows[1][0] != "digits" || rows[2][0] != "nearood" {
			t.Fatalf("%s: rows %v", name, rows)
		}
		if got := [2]string{rows[1][1], rows[1][2]}; got != want[name] {
			t.Errorf("%s has FPR@95 and AUROC %v, want %v", name, got, want[name])
		}
		// The accuracy is the network's, whatever a method makes of its logits.
		if got := rows[1][5]; got != "80.00" { // of the reference's logits
			t.Errorf("%s has ACC %s, want 80.00", name, got)
		}
	}
}

// TestSearch checks that settings are searched, printed and saved.
func TestSearch(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "folder")
	out, _, err := evaluate(t, "--model", model(t), "--id", images("test_id[:50]"),
		"--near", "some="+images("test_ood[:40]"), "--far", "more="+images("test_ood[40:80]"), "--far", "most="+images("test_ood[80:]"),
		"--postprocessor", "msp,iodin,knn,ash", "--set", "ash.percentile=80", "--id-train", images("train"), "--bank", "300",
		"--id-val", images("val_id[:50]"), "--ood-val", images("val_ood[:50]"), "--output", dir)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out, "the best of 28 settings") || !strings.Contains(out, "ash (percentile 80) on") {
		t.Errorf("printed\n%s", out)
	}
	saved := map[string]report.Settings{}
	for _, name := range []string{"msp", "iodin", "knn", "ash"} {
		text, err := os.ReadFile(filepath.Join(dir, name+".json"))
		if err != nil {
			t.Fatal(err)
		}
		var s report.Settings
		if err := json.Unmarshal(text, &s); err != nil {
			t.Fatal(err)
		}
		saved[name] = s
	}
	for name, trials := range map[string]int{"msp": 0, "iodin": 28, "knn": 5, "ash": 0} {
		s := saved[name]
		if len(s.Searched) != trials {
			t.Errorf("%s was searched over %d settings, want %d", name, len(s.Searched), trials)
		}
		best := -1
		for i, tried := range s.Searched {
			if tried.Error == "" && (best < 0 || tried.AUROC > s.Searched[best].AUROC) {
				best = i
			}
		}
		if best >= 0 && compact(t, s.Searched[best].Settings) != compact(t, s.Settings) {
			t.Errorf("%s has the settings %s, the best were %s", name, s.Settings, s.Searched[best].Settings)
		}
	}
	for i, tried := range saved["knn"].Searched {
		if tooMany := i > 2; (tried.Error != "") != tooMany {
			t.Errorf("knn's %s on 300 training images: error %q", tried.Settings, tried.Error)
		}
	}
	var names []string
	for _, row := range readCSV(t, filepath.Join(dir, "knn.csv"))[1:] {
		names = append(names, row[0])
	}
	if got := strings.Join(names, ","); got != "some,nearood,more,most,farood" {
		t.Errorf("rows %s", got)
	}
}

// TestSaveScore checks the files of scores and thresholds, and that they are
// reused.
func TestSaveScore(t *testing.T) {
	dir := t.TempDir()
	page := filepath.Join(dir, "report.html")
	args := []string{"--model", model(t), "--id", images("test_id"), "--far", "digits=" + images("test_ood"),
		"--postprocessor", "msp,ebo", "--save-score", "--output", dir, "--report", page, "--plots", filepath.Join(dir, "plots")}
	out, _, err := evaluate(t, args...)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"caught of digits", "95%", "200 in-distribution images cannot support a TPR of 99%: at least 368 are needed"} {
		if !strings.Contains(out, want) {
			t.Errorf("printed no %q:\n%s", want, out)
		}
	}
	rows := readCSV(t, filepath.Join(dir, "scores", "msp", "digits.csv"))
	if got := strings.Join(rows[0], ","); got != "image,label,prediction,score" || len(rows) != 201 || rows[1][1] != "-1" {
		t.Errorf("%d rows under %s, the first %v", len(rows)-1, got, rows[1])
	}
	rows = readCSV(t, filepath.Join(dir, "scores", "msp", "id.csv"))
	if label, err := strconv.Atoi(rows[1][1]); err != nil || label < 0 || label > 9 {
		t.Errorf("an ID image has the label %s", rows[1][1])
	}
	rows = readCSV(t, filepath.Join(dir, "ebo.thresholds.csv"))
	if len(rows) != 4 || rows[2][0] != "0.95" || rows[2][4] != "digits" {
		t.Errorf("thresholds %v", rows)
	}

	if text, err := os.ReadFile(page); err != nil || !bytes.HasSuffix(text, []byte("</html>\n")) {
		t.Errorf("the report has %d bytes (%v)", len(text), err)
	}

	if plots, err := os.ReadDir(filepath.Join(dir, "plots")); err != nil || len(plots) != 3 {
		t.Errorf("%d plots (%v), want 3", len(plots), err)
	}

	score := filepath.Join(dir, "scores", "msp", "digits.csv")
	before, err := os.Stat(score)
	if err != nil {
		t.Fatal(err)
	}
	again, _, err := evaluate(t, args...)
	if err != nil || again != out {
		t.Errorf("error %v, printed\n%s\nand at first\n%s", err, again, out)
	}
	if after, err := os.Stat(score); err != nil || !after.ModTime().Equal(before.ModTime()) {
		t.Errorf("%s was written again (%v)", score, err)
	}
}

// TestPreset evaluates the lists of a published experiment, with and without the
// covariate-shifted images.
func TestPreset(t *testing.T) {
	p, err := presets.Load("cifar10")
	if err != nil {
		t.Fatal(err)
	}
	root := dataRoot(t, p)
	args := []string{"--model", model(t), "--preset", "cifar10", "--data-root", root, "--postprocessor", "react,ash"}
	out, _, err := evaluate(t, args...)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, line := range strings.Split(out, "\n") {
		if fields := strings.Fields(line); len(fields) == 6 && !strings.HasPrefix(line, "react") {
			names = append(names, fields[0])
		}
	}
	want := "cifar100 tin nearood mnist svhn texture places365 farood iSUN farood+iSUN"
	if got := strings.Join(names, " "); got != want+" "+want {
		t.Errorf("rows %s, want those of\n%s, twice", got, want)
	}
	if !strings.Contains(out, "on net, 3 ID images") {
		t.Errorf("printed\n%s", out)
	}
	if out, _, err = evaluate(t, append(args, "--fsood")...); err != nil || !strings.Contains(out, "on net, 6 ID images") {
		t.Errorf("with --fsood: error %v, printed\n%s", err, out)
	}

	if err := os.Remove(filepath.Join(root, "benchmark_imglist", "cifar10", "test_svhn.txt")); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"missing list":   {args, "missing: the list"},
		"no data root":   {args[:4], "--preset cifar10 needs --data-root"},
		"ID beside":      {append([]string{"--id", "x"}, args...), "--preset cifar10 already says what --id says"},
		"unknown preset": {[]string{"--model", args[1], "--preset", "cifar", "--data-root", root}, "known are aircraft"},
		"no lists":       {[]string{"--model", args[1], "--preset", "imagenet100", "--data-root", root}, "has no image lists"},
		"fsood alone":    {[]string{"--model", args[1], "--id", "x", "--fsood"}, "--fsood has no meaning without --preset"},
	} {
		if _, _, err := evaluate(t, c.args...); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
	}
}

// dataRoot makes a data root with three images for each set of the preset.
func dataRoot(t *testing.T, p *presets.Preset) (root string) {
	t.Helper()
	root = t.TempDir()
	write := func(path string, content []byte) {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for k, s := range p.Sets {
		list, folder := s.Under(root)
		label := -1
		if slices.Contains([]presets.Role{presets.Train, presets.Val, presets.Test, presets.CSID}, s.Role) {
			label = 3
		}
		var lines strings.Builder
		for i := range 3 {
			img := image.NewGray(image.Rect(0, 0, 32, 32))
			for n := range img.Pix {
				img.Pix[n] = uint8(n * (3*k + i + 1))
			}
			var content bytes.Buffer
			if err := png.Encode(&content, img); err != nil {
				t.Fatal(err)
			}
			name := fmt.Sprintf("%s/%s/%d.png", s.Role, s.Name, i)
			write(filepath.Join(folder, name), content.Bytes())
			fmt.Fprintf(&lines, "%s %d\n", name, label)
		}
		write(list, []byte(lines.String()))
	}
	return root
}

func TestWrongInput(t *testing.T) {
	m, id, far := model(t), images("test_id[:4]"), "far="+images("test_ood[:4]")
	lenet := testmodel.LeNet(t)
	unlabelled, empty := images("test_ood[:4]"), filepath.Join(t.TempDir(), "empty.txt")
	if err := os.WriteFile(empty, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	listed := filepath.Join(t.TempDir(), "msp.csv") // an image list nevertheless
	copyTo(t, testmodel.Path("preprocess", "testdata", "formats", "bilevel.png"), filepath.Join(filepath.Dir(listed), "1.png"))
	if err := os.WriteFile(listed, []byte("1.png -1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	missing := filepath.Join(t.TempDir(), "missing.txt")
	if err := os.WriteFile(missing, []byte("none.png -1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"no model":             {[]string{"--id", id, "--far", far}, "--model is missing"},
		"no ID":                {[]string{"--model", m, "--far", far}, "--id is missing"},
		"no OOD":               {[]string{"--model", m, "--id", id}, "no OOD images"},
		"not ours":             {[]string{"--model", empty, "--id", id, "--far", far}, "not an ONNX file"},
		"unlabelled ID":        {[]string{"--model", m, "--id", unlabelled, "--far", far}, "has no label"},
		"empty list":           {[]string{"--model", m, "--id", id, "--far", "far=" + empty}, "empty.txt"},
		"empty ID list":        {[]string{"--model", m, "--id", empty, "--far", far}, "empty.txt"},
		"no name":              {[]string{"--model", m, "--id", id, "--far", id}, "want name=images"},
		"path as name":         {[]string{"--model", m, "--id", id, "--far", "a/b=" + id}, "without slashes"},
		"name of a mean":       {[]string{"--model", m, "--id", id, "--near", "farood=" + id}, "cannot be named farood"},
		"report on input":      {[]string{"--model", m, "--id", id, "--far", "far=" + listed, "--report", listed}, "is what is read from"},
		"report on a run":      {[]string{"--model", m, "--id", id, "--far", "far=" + listed + "[:1]", "--report", listed}, "is what is read from"},
		"table on input":       {[]string{"--model", m, "--id", id, "--far", "far=" + listed, "--output", filepath.Dir(listed), "--postprocessor", "msp"}, "is what is read from"},
		"setting null":         {[]string{"--model", m, "--id", id, "--far", far, "--set", "iodin.noise=null"}, "not a number, nor true or false"},
		"setting twice":        {[]string{"--model", m, "--id", id, "--far", far, "--set", "iodin.noise=1", "--set", "iodin.noise=2"}, "iodin.noise twice"},
		"half a class":         {[]string{"--model", m, "--id", id, "--far", far, "--postprocessor", "gen", "--set", "gen.m=1.5"}, "m cannot be a number 1.5"},
		"dim too large":        {[]string{"--model", m, "--id", id, "--far", far, "--postprocessor", "vim", "--id-train", id, "--set", "vim.dim=64"}, "vim: dim 64"},
		"unwritable":           {[]string{"--model", m, "--id", id, "--far", far, "--output", "/proc"}, "--output: cannot write"},
		"same name":            {[]string{"--model", m, "--id", id, "--far", far, "--near", far}, "two sets are named far"},
		"name of ID":           {[]string{"--model", m, "--id", id, "--far", "id=" + id}, "cannot be named id"},
		"unknown method":       {[]string{"--model", m, "--id", id, "--far", far, "--postprocessor", "energy"}, "known are adascale_a, adascale_l, ash"},
		"combined without":     {[]string{"--model", m, "--id", id, "--far", far, "--postprocessor", "msp+mls"}, "msp+mls learns from in-distribution validation images: give --id-val"},
		"combined twice":       {[]string{"--model", m, "--id", id, "--far", far, "--postprocessor", "msp+msp"}, "msp is combined with itself"},
		"unknown rule":         {[]string{"--model", m, "--id", id, "--far", far, "--postprocessor", "msp+mls", "--combine", "mean"}, "known are fisher and minimum"},
		"nothing to combine":   {[]string{"--model", m, "--id", id, "--far", far, "--postprocessor", "msp,mls", "--combine", "minimum"}, "--combine is for several methods as one"},
		"searched apart":       {[]string{"--model", m, "--id", id, "--far", far, "--postprocessor", "odin+iodin", "--id-val", id, "--ood-val", id}, "one temperature and noise for odin and iodin, which would be searched apart: choose with --set"},
		"method twice":         {[]string{"--model", m, "--id", id, "--far", far, "--postprocessor", "msp,msp"}, "twice"},
		"setting":              {[]string{"--model", m, "--id", id, "--far", far, "--set", "k=3"}, "want method.name=value"},
		"unknown setting":      {[]string{"--model", m, "--id", id, "--far", far, "--postprocessor", "ebo", "--set", "ebo.k=3"}, `{"temperature":1}`},
		"other's setting":      {[]string{"--model", m, "--id", id, "--far", far, "--set", "knn.k=3"}, "not among the methods"},
		"no training set":      {[]string{"--model", m, "--id", id, "--far", far, "--postprocessor", "mds"}, "give --id-train"},
		"no validation":        {[]string{"--model", m, "--id", id, "--far", far, "--postprocessor", "klm"}, "give --id-val"},
		"setting of no value":  {[]string{"--model", m, "--id", id, "--far", far, "--set", "iodin.noise=much"}, `iodin.noise: "much" is not a number, nor true or false`},
		"setting's other case": {[]string{"--model", m, "--id", id, "--far", far, "--set", "iodin.Noise=1"}, `there are {"temperature":1000,"noise":0.0014}`},
		"several sets": {[]string{"--model", m, "--id", id, "--far", far, "--postprocessor", "knn,mds,klm"},
			"knn and mds learn from training images: give --id-train; klm learns from in-distribution validation images: give --id-val; the settings of knn"},
		"no OOD to search": {[]string{"--model", m, "--id", id, "--far", far, "--postprocessor", "odin", "--id-val", id},
			"give --id-val and --ood-val"},
		"unlabelled training": {[]string{"--model", m, "--id", id, "--far", far, "--postprocessor", "mds", "--id-train", unlabelled}, "has no label"},
		"too few training":    {[]string{"--model", m, "--id", id, "--far", far, "--postprocessor", "knn", "--id-train", id, "--aps=false"}, "k 50"},
		"no method":           {[]string{"--model", m, "--id", id, "--far", far, "--postprocessor", ""}, "names no method"},
		"missing image":       {[]string{"--model", m, "--id", id, "--far", "far=" + missing}, "none.png is missing, image 1 of 1"},
		"csid alone":          {[]string{"--model", m, "--id", id, "--far", far, "--csid", "v2"}, "--csid has no meaning without --fsood"},
		"compare alone":       {[]string{"--model", m, "--id", id, "--far", far, "--compare"}, "--compare has no meaning without --preset"},
		"precision for none":  {[]string{"--model", m, "--id", id, "--far", far, "--reference-precision"}, "none of the methods scores by the softmax"},
		"truth for a number":  {[]string{"--model", m, "--id", id, "--far", far, "--set", "iodin.noise=true"}, "noise cannot be a bool"},
		"bank for none":       {[]string{"--model", m, "--id", id, "--far", far, "--bank", "3"}, "--bank 3 has no meaning"},
		"negative bank":       {[]string{"--model", m, "--id", id, "--far", far, "--bank", "-1"}, "--bank -1"},
		"no stages": {[]string{"--model", lenet, "--id", testmodel.FashionMNIST + "/t10k-images-idx3-ubyte.gz[:4]", "--far", far,
			"--postprocessor", "rankfeat"}, "layer3"},
		"scores without folder": {[]string{"--model", m, "--id", id, "--far", far, "--save-score"}, "--save-score needs --output"},
		"tables without folder": {[]string{"--model", m, "--id", id, "--far", far, "--save-csv"}, "--save-csv needs --output"},
		"output":                {[]string{"--model", m, "--id", id, "--far", far, "--output", empty}, "--output"},
	} {
		_, _, err := evaluate(t, c.args...)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
	}
}

// TestOneOODImage evaluates the smallest set there can be.
func TestOneOODImage(t *testing.T) {
	out, _, err := evaluate(t, "--model", model(t), "--id", images("test_id[:20]"), "--far", "one="+images("test_ood[:1]"), "--postprocessor", "msp")
	if err != nil || !strings.Contains(out, "one") || strings.Contains(out, "NaN") {
		t.Errorf("error %v, printed\n%s", err, out)
	}
}

// model exports the reference's network and returns the artifact's path.
func model(t *testing.T) string {
	t.Helper()
	c, err := checkpoint.Load(testmodel.Path("eval", "testdata", "net.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	half := [3]float64{.5, .5, .5}
	m, meta, err := export.FromCheckpoint(c, export.Options{
		Name: "net", Arch: "resnet18_32x32", Score: artifact.Score{Name: artifact.ScoreIODIN, Temperature: 1000, Noise: 0.0014},
		Preprocess: &preprocess.Config{PreSize: 32, ImageSize: 32, Mean: half, Std: half},
	})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "model.onnx")
	if err := artifact.Save(path, m, meta); err != nil {
		t.Fatal(err)
	}
	return path
}

// images returns the path of one of the reference's sets, such as test_id[:50].
func images(set string) string {
	name, run, _ := strings.Cut(set, "[")
	path := testmodel.Path("eval", "testdata", "images", name+"-images-idx3-ubyte.gz")
	if run != "" {
		path += "[" + run
	}
	return path
}

func evaluate(t *testing.T, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	var out, errs bytes.Buffer
	err = run(t.Context(), args, &out, &errs)
	cli.Report(&errs, "ascood-eval", err)
	return out.String(), errs.String(), err
}

func readCSV(t *testing.T, path string) [][]string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func compact(t *testing.T, text json.RawMessage) string {
	t.Helper()
	var b bytes.Buffer
	if err := json.Compact(&b, text); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestThreadsAreOfOneRun: what --threads asks for does not outlast the command.
func TestThreadsAreOfOneRun(t *testing.T) {
	before := runtime.GOMAXPROCS(0)
	args := []string{"--model", model(t), "--id", images("test_id[:3]"), "--far", "far=" + images("test_ood[:3]"), "--postprocessor", "msp"}
	if _, _, err := evaluate(t, append(args, "--threads", strconv.Itoa(before+1))...); err != nil {
		t.Fatal(err)
	}
	if after := runtime.GOMAXPROCS(0); after != before {
		t.Errorf("%d threads after the command, %d before", after, before)
	}
}
