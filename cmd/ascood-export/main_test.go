package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/checkpoint"
	"github.com/ascood/ascood/internal/testmodel"
	"github.com/ascood/ascood/ioodin"
	"github.com/ascood/ascood/onnx"
	"github.com/ascood/ascood/preprocess"
)

var (
	lenet   = testmodel.Path("testdata", "nets", "lenet.safetensors")
	resnet  = testmodel.Path("testdata", "nets", "ascood-resnet18_32x32.safetensors")
	clothes = filepath.Join(testmodel.FashionMNIST, "t10k-images-idx3-ubyte.gz")
	pre28   = []string{"--pre-size", "28", "--image-size", "28", "--mean", ".5,.5,.5", "--std", ".5,.5,.5"}
)

func TestBareStateDict(t *testing.T) {
	out := filepath.Join(t.TempDir(), "m.onnx")
	stdout, err := command(t, slices.Concat(pre28, []string{"--checkpoint", lenet, "--arch", "lenet", "-o", out, "--calibrate", clothes + "[:100]", "--tpr", "0.9"})...)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(stdout, "calibrated on 100 images") {
		t.Errorf("output: %s", stdout)
	}
	_, meta, err := artifact.Load(out)
	if err != nil {
		t.Fatal(err)
	}
	c := meta.Calibration
	if meta.Name != "m" || meta.Arch != "lenet" || len(meta.Classes) != 10 || meta.Preprocess.ImageSize != 28 ||
		c == nil || c.TPR != 0.9 || c.Samples != 100 || len(meta.Source.SHA256) != 64 {
		t.Errorf("metadata %+v", meta)
	}
	checkWithONNX(t, out)
}

// checkWithONNX runs ONNX's own checker. It is of Debian's python3-onnx, which is
// no requirement but must be there where CI=true.
func checkWithONNX(t *testing.T, path string) {
	t.Run("checked by ONNX", func(t *testing.T) {
		const python = "/usr/bin/python3"
		if said, err := exec.Command(python, "-c", "import onnx").CombinedOutput(); err != nil {
			missing := t.Skipf
			if os.Getenv("CI") == "true" {
				missing = t.Fatalf
			}
			missing("python3-onnx is not installed (scripts/setup.sh checks): %v %s", err, said)
		}
		check := "import onnx, sys; onnx.checker.check_model(onnx.load(sys.argv[1]), full_check=True)"
		if said, err := exec.Command(python, "-c", check, path).CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, said)
		}
	})
}

// TestOwnCheckpoint: what the checkpoint says needs no flags, and flags must not
// contradict it.
func TestOwnCheckpoint(t *testing.T) {
	c, err := checkpoint.Load(resnet)
	if err != nil {
		t.Fatal(err)
	}
	pre, err := preprocess.Preset("cifar100")
	if err != nil {
		t.Fatal(err)
	}
	pre.Truncated = preprocess.Fill
	c.Meta = checkpoint.Meta{Arch: "resnet18_32x32", Preprocess: &pre, Classes: testmodel.Classes}
	dir := t.TempDir()
	own, out := filepath.Join(dir, "best.safetensors"), filepath.Join(dir, "m.onnx")
	if err := c.Save(own); err != nil {
		t.Fatal(err)
	}
	if _, err := command(t, "--checkpoint", own, "-o", out, "--name", "clothes", "--score", "odin", "--noise", "0.01", "--target", "cuda"); err != nil {
		t.Fatal(err)
	}
	_, meta, err := artifact.Load(out)
	if err != nil {
		t.Fatal(err)
	}
	if want := (artifact.Score{Name: "odin", Temperature: 1000, Noise: 0.01}); meta.Name != "clothes" || meta.Score != want || meta.Target != artifact.CUDA ||
		meta.Preprocess != pre || meta.Classes[2] != "two" || meta.Head != "ascood" || meta.Width != 8 {
		t.Errorf("metadata %+v", meta)
	}
	checkWithONNX(t, out)

	for line, want := range map[string]preprocess.Truncated{
		"--preprocess cifar100": preprocess.Fill, "--truncated refuse": preprocess.Refuse, "--preprocess cifar100 --truncated refuse": preprocess.Refuse,
	} {
		if _, err := command(t, append(strings.Fields(line), "--checkpoint", own, "-o", out)...); err != nil {
			t.Errorf("%s: %v", line, err)
		} else if _, meta, err := artifact.Load(out); err != nil || meta.Preprocess.Truncated != want {
			t.Errorf("%s: truncated images %v, want %v (%v)", line, meta.Preprocess.Truncated, want, err)
		}
	}
	for _, args := range [][]string{{"--arch", "lenet"}, {"--preprocess", "cifar10"}} {
		_, err := command(t, append(args, "--checkpoint", own, "-o", out)...)
		if err == nil || !strings.Contains(err.Error(), "the checkpoint") {
			t.Errorf("%v: error %v, want one about the contradiction", args, err)
		}
	}
}

func TestWrongInput(t *testing.T) {
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	whole, err := os.ReadFile(lenet)
	if err != nil {
		t.Fatal(err)
	}
	good := slices.Concat(pre28, []string{"--checkpoint", lenet, "--arch", "lenet"})
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"no checkpoint":         {nil, "--checkpoint is missing"},
		"missing checkpoint":    {slices.Concat(pre28, []string{"--checkpoint", filepath.Join(dir, "none")}), "none"},
		"empty checkpoint":      {slices.Concat(pre28, []string{"--checkpoint", file("empty", "")}), "empty"},
		"truncated checkpoint":  {slices.Concat(pre28, []string{"--checkpoint", file("cut", string(whole[:len(whole)-1000]))}), "cut"},
		"no such state dict":    {slices.Concat(good, []string{"--state-dict", "ema"}), `--state-dict "ema": no network lies there`},
		"a folder":              {slices.Concat(pre28, []string{"--checkpoint", dir}), "a folder: name the file in it"},
		"an address":            {slices.Concat(pre28, []string{"--checkpoint", "https://x.org/resnet18.pth"}), "download it first"},
		"bare without size":     {[]string{"--checkpoint", lenet, "--arch", "lenet"}, "give --preprocess with one of"},
		"half of a size":        {[]string{"--checkpoint", lenet, "--arch", "lenet", "--pre-size", "28"}, "--pre-size: want --preprocess, which has the rest, or all of --pre-size"},
		"unknown target":        {slices.Concat(good, []string{"--target", "gpu"}), `--target "gpu": want one of [cpu cuda]`},
		"unknown output":        {slices.Concat(good, []string{"--outputs", "logits,scores"}), `--outputs: unknown output "scores"; known are logits, feature, `},
		"output missing":        {slices.Concat(good, []string{"--outputs", "logits,prediction,odin"}), "--outputs: iodin is not among them"},
		"no outputs":            {slices.Concat(good, []string{"--outputs", ""}), "--outputs: logits is not among them"},
		"crop out of less":      {slices.Concat(good, []string{"--pre-size", "20"}), "resized to a pre_size of 20, less than the crop; want at least the image_size, 28"},
		"values to 255":         {[]string{"--checkpoint", lenet, "--arch", "lenet", "--pre-size", "28", "--image-size", "28", "--mean", "123.675,116.28,103.53", "--std", "58.395,57.12,57.375"}, "--mean 123.675,116.28,103.53 is of pixel values from 0 to 255"},
		"skip what":             {append([]string{"--skip-broken"}, good...), "--skip-broken has no meaning without --calibrate"},
		"preset and size":       {slices.Concat(good, []string{"--preprocess", "cifar10"}), "one or the other"},
		"unknown preset":        {[]string{"--checkpoint", lenet, "--arch", "lenet", "--preprocess", "mnist"}, "cifar10"},
		"another architecture":  {slices.Concat(pre28, []string{"--checkpoint", resnet, "--arch", "lenet"}), "not those of lenet"},
		"image of another size": {[]string{"--checkpoint", lenet, "--arch", "lenet", "--preprocess", "cifar10"}, "lenet cannot take 32x32 images"},
		"class names":           {slices.Concat(good, []string{"--classes", file("classes", "a\nb\n")}), "names 2 classes, but the network has 10"},
		"score":                 {slices.Concat(good, []string{"--score", "energy"}), "known are adascale_a, adascale_l, ash"},
		"few images":            {slices.Concat(good, []string{"--calibrate", clothes + "[:19]"}), "at least 20 are needed"},
		"tpr alone":             {slices.Concat(good, []string{"--tpr", "0.9"}), "no meaning without --calibrate"},
		"checkpoint as output":  {slices.Concat(good, []string{"-o", lenet}), "read from"},
		"unknown architecture":  {slices.Concat(pre28, []string{"--checkpoint", lenet, "--arch", "vgg"}), "known are densenet121"},
		"tpr":                   {slices.Concat(good, []string{"--calibrate", clothes + "[:50]", "--tpr", "1"}), "between 0 and 1"},
		"output folder":         {slices.Concat(good, []string{"-o", filepath.Join(dir, "no", "m.onnx")}), "there is no folder"},
		"words":                 {slices.Concat(good, []string{"extra"}), `unexpected argument "extra": the file of the weights is named by --checkpoint`},
	} {
		t.Run(name, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "m.onnx")
			args := append([]string{"-o", out}, c.args...)
			_, err := command(t, args...)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one that says %q", err, c.want)
			}
			if left, _ := filepath.Glob(filepath.Join(filepath.Dir(out), "*")); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

func command(t *testing.T, args ...string) (stdout string, err error) {
	t.Helper()
	var out, errs bytes.Buffer
	err = run(t.Context(), args, &out, &errs)
	return out.String(), err
}

// TestOutputs leaves out what is not asked for; the scores stay.
func TestOutputs(t *testing.T) {
	dir := t.TempDir()
	load := func(name string, args ...string) (*onnx.ModelProto, *artifact.Metadata) {
		path := filepath.Join(dir, name)
		args = append(args, "--checkpoint", lenet, "--arch", "lenet", "-o", path, "--calibrate", clothes+"[:40]", "--tpr", "0.9", "--name", "m")
		if _, err := command(t, append(args, pre28...)...); err != nil {
			t.Fatal(err)
		}
		checkWithONNX(t, path)
		m, meta, err := artifact.Load(path)
		if err != nil {
			t.Fatal(err)
		}
		return m, meta
	}
	whole, wholeMeta := load("whole.onnx")
	part, partMeta := load("part.onnx", "--outputs", "logits,prediction,iodin")
	if !reflect.DeepEqual(partMeta.Calibration, wholeMeta.Calibration) {
		t.Errorf("the part is calibrated as %+v, the whole as %+v", partMeta.Calibration, wholeMeta.Calibration)
	}
	var outputs []string
	for _, v := range part.Graph.Output {
		outputs = append(outputs, v.Name)
	}
	if !slices.Equal(outputs, []string{"logits", "prediction", "iodin"}) || len(part.Graph.Node) >= len(whole.Graph.Node) {
		t.Errorf("the part has outputs %v and %d of %d nodes", outputs, len(part.Graph.Node), len(whole.Graph.Node))
	}
	plain, plainMeta := load("plain.onnx", "--outputs", "logits,prediction", "--score", "msp")
	if len(plain.Graph.Node) >= len(part.Graph.Node) || plainMeta.Calibration.Score.Name != artifact.ScoreMSP {
		t.Errorf("%d nodes for msp, %d for i-ODIN", len(plain.Graph.Node), len(part.Graph.Node))
	}
	// What is computed on the way is still to be had.
	if g, err := ioodin.OpenGraph(plain, plainMeta, "", []string{artifact.Logits, artifact.Feature}, ioodin.Options{}); err != nil {
		t.Error(err)
	} else {
		g.Close()
	}
	if _, err := ioodin.OpenGraph(plain, plainMeta, "", []string{artifact.Gradient}, ioodin.Options{}); ascood.CodeOf(err) != ascood.Unsupported || !strings.Contains(err.Error(), `"gradient"`) {
		t.Errorf("error %v on asking for what was left out", err)
	}
}

// TestPreprocessingInTheArtifact: flags change a preset, and the artifact says all of it.
func TestPreprocessingInTheArtifact(t *testing.T) {
	out := filepath.Join(t.TempDir(), "m.onnx")
	if _, err := command(t, "--checkpoint", lenet, "--arch", "lenet", "--preprocess", "imagenet", "--pre-size", "28", "--image-size", "28",
		"--resize", "squash", "--interpolation", "bicubic", "-o", out); err != nil {
		t.Fatal(err)
	}
	_, meta, err := artifact.Load(out)
	if err != nil {
		t.Fatal(err)
	}
	want, err := preprocess.Preset("imagenet")
	if err != nil {
		t.Fatal(err)
	}
	want.PreSize, want.ImageSize, want.Resize, want.Interpolation = 28, 28, preprocess.ResizeSquash, preprocess.Bicubic
	if meta.Preprocess != want {
		t.Errorf("preprocessing %v, want %v", meta.Preprocess, want)
	}
}

// TestTritonRepository: Triton's model is the one that is written to --output.
func TestTritonRepository(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "m.onnx")
	args := slices.Concat(pre28, []string{"--checkpoint", lenet, "--arch", "lenet", "--triton", filepath.Join(dir, "repository")})
	if _, err := command(t, slices.Concat(args, []string{"-o", out, "--outputs", "logits,prediction,iodin"})...); err != nil {
		t.Fatal(err)
	}
	one, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	other, err := os.ReadFile(filepath.Join(dir, "repository", "m", "1", "model.onnx"))
	if err != nil || !bytes.Equal(one, other) {
		t.Errorf("%d bytes, %d bytes, %v", len(one), len(other), err)
	}
	config, err := os.ReadFile(filepath.Join(dir, "repository", "m", "config.pbtxt"))
	if err != nil || !strings.Contains(string(config), `name: "iodin"`) || strings.Contains(string(config), "gradient") {
		t.Errorf("%s, %v", config, err)
	}
	if _, err := command(t, slices.Concat(args, []string{"--check", clothes + "[:100]"})...); err == nil || !strings.Contains(err.Error(), "--triton has no meaning without --output") {
		t.Errorf("without --output: %v", err)
	}
}
