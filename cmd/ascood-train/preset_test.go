package main

import (
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/checkpoint"
	"github.com/ascood/ascood/dataset"
	"github.com/ascood/ascood/export"
	"github.com/ascood/ascood/internal/cli"
	"github.com/ascood/ascood/internal/testmodel"
	"github.com/ascood/ascood/ioodin"
	"github.com/ascood/ascood/preprocess"
	"github.com/ascood/ascood/presets"
	"github.com/ascood/ascood/runs"
	"github.com/ascood/ascood/train"
)

var (
	clothes = filepath.Join(testmodel.FashionMNIST, "t10k-images-idx3-ubyte.gz")
	digits  = absolute("data", "mnist", "t10k-images-idx3-ubyte")
	weights = absolute("testdata", "torchvision", "resnet18-width1.pth")
)

// absolute is the path of a file of the repository that outlives a change of
// folder.
func absolute(elements ...string) string {
	path, err := filepath.Abs(testmodel.Path(elements...))
	if err != nil {
		panic(err)
	}
	return path
}

// sets are the real images that miniature data roots are made of: of ID and of OOD.
var sets = sync.OnceValues(func() (sets [2]dataset.Dataset, err error) {
	for i, path := range []string{clothes, digits} {
		if sets[i], err = dataset.Open(path, ""); err != nil {
			return sets, fmt.Errorf("%w; make setup fetches it", err)
		}
	}
	return sets, nil
})

// count is the number of images of a role in a miniature data root: what it
// takes to train, to calibrate and to score.
func count(r presets.Role) int {
	switch r {
	case presets.Train:
		return 24
	case presets.Val:
		return 20
	}
	return 3
}

// miniature makes a preset's data root of real images: clothes where the
// published ones are in distribution, digits where they are not.
func miniature(t *testing.T, p *presets.Preset) (root string) {
	t.Helper()
	root = t.TempDir()
	images, err := sets()
	if err != nil {
		t.Fatal(err)
	}
	ofID, ofOOD := images[0], images[1]
	for n, set := range p.Sets {
		ood := !slices.Contains([]presets.Role{presets.Train, presets.Val, presets.Test, presets.CSID}, set.Role)
		list, images := set.Under(root)
		var lines strings.Builder
		for i := range count(set.Role) {
			d, label := ofID, ofID.Label(100*n+i)%p.Classes
			if ood {
				d, label = ofOOD, dataset.Unlabelled
			}
			img, err := d.Load(t.Context(), 100*n+i, preprocess.Reading{})
			if err != nil {
				t.Fatal(err)
			}
			name := fmt.Sprintf("%s/%s/%d.png", set.Role, set.Name, i)
			writePNG(t, filepath.Join(images, filepath.FromSlash(name)), img)
			fmt.Fprintln(&lines, name, label)
		}
		write(t, list, lines.String())
	}
	return root
}

func writePNG(t *testing.T, path string, img image.Image) {
	t.Helper()
	var content strings.Builder
	if err := (&png.Encoder{CompressionLevel: png.NoCompression}).Encode(&content, img); err != nil {
		t.Fatal(err)
	}
	write(t, path, content.String())
}

func write(t *testing.T, path, content string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func preset(t *testing.T, name string) *presets.Preset {
	t.Helper()
	p, err := presets.Load(name)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// small are the flags that make a published run one of a second.
var small = []string{"--width", "8", "--pretrained", "none", "--epochs", "2", "--batch-size", "12", "--pre-size", "36", "--image-size", "32", "--threads", "1"}

// TestEveryPreset trains each published experiment at a small scale, exports the
// network and scores ID and OOD images with it.
func TestEveryPreset(t *testing.T) {
	for _, name := range presets.Names() {
		p := preset(t, name)
		args := []string{"--preset", name}
		if len(p.Sets) == 0 { // the lists are the user's
			p.Sets = preset(t, "imagenet").Sets
		}
		root := miniature(t, p)
		if name == "imagenet100" {
			list := filepath.Join(root, "benchmark_imglist", "imagenet")
			args = append(args, "--data-dir", filepath.Join(root, "images_largescale"),
				"--train", filepath.Join(list, "train_imagenet.txt"), "--val", filepath.Join(list, "val_imagenet.txt"))
		} else {
			args = append(args, "--data-root", root)
		}
		for _, method := range p.Methods {
			t.Run(name+"/"+method, func(t *testing.T) {
				t.Chdir(t.TempDir()) // the default output is below results
				if _, stderr, status := command(t, t.Context(), slices.Concat(args, small, []string{"--method", method})...); status != 0 {
					t.Fatal(stderr)
				}
				scoreSets(t, p, root, filepath.Join(onlyRun(t, name), "s0", runs.BestFile))
			})
		}
	}
}

// onlyRun returns the only folder of results, which has the preset's name.
func onlyRun(t *testing.T, preset string) string {
	t.Helper()
	entries, err := os.ReadDir("results")
	if err != nil || len(entries) != 1 || !strings.HasPrefix(entries[0].Name(), preset+"_") {
		t.Fatalf("results are %v, %v; want one folder of %s", entries, err, preset)
	}
	return filepath.Join("results", entries[0].Name())
}

// scoreSets exports a checkpoint, calibrates it on the validation images and
// scores images of each role.
func scoreSets(t *testing.T, p *presets.Preset, root, path string) {
	t.Helper()
	m := open(t, path)
	if info := m.Info(); len(info.Classes) != p.Classes || info.Arch != p.Arch || info.Width != 8 {
		t.Errorf("the artifact has %d classes and is %s of width %d", len(info.Classes), info.Arch, info.Width)
	}
	seen := map[presets.Role]bool{}
	for _, set := range p.Sets {
		if seen[set.Role] {
			continue
		}
		seen[set.Role] = true
		d, err := set.Open(root)
		if err != nil {
			t.Fatal(err)
		}
		if set.Role == presets.Val {
			if _, err := m.Calibrate(t.Context(), d, "val", 0.95, ioodin.CalibrateOptions{}); err != nil {
				t.Errorf("calibrating: %v", err)
			}
		}
		scored := 0
		for image, err := range m.Scan(t.Context(), d, ioodin.ScanOptions{}) {
			if err != nil {
				t.Fatal(err)
			}
			if !(image.Score > 0 && image.Score <= 1) || image.Prediction < 0 || image.Prediction >= p.Classes {
				t.Errorf("%v: image %d has score %g and class %d", set, image.Index, image.Score, image.Prediction)
			}
			scored++
		}
		if want := count(set.Role); scored != want {
			t.Errorf("%v: %d scores, want %d", set, scored, want)
		}
	}
}

// open exports a checkpoint of ours and opens the artifact.
func open(t *testing.T, path string) *ioodin.Model {
	t.Helper()
	c, err := checkpoint.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	score, err := artifact.DefaultScore(artifact.ScoreIODIN)
	if err != nil {
		t.Fatal(err)
	}
	model, meta, err := export.FromCheckpoint(c, export.Options{Name: "test", Score: score})
	if err != nil {
		t.Fatal(err)
	}
	m, err := ioodin.New(model, meta, ioodin.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

// TestResultsName compares with the names that the reference implementations
// give their results.
func TestResultsName(t *testing.T) {
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"--preset", "waterbirds"}, "waterbirds_ascood_net_ascood_e30_lr0.01_w0.1_p0.1_otype_gradient_alpha_30.0_300.0_default/s0"},
		{[]string{"--preset", "cifar100", "--seed", "2"}, "cifar100_ascood_net_ascood_e100_lr0.1_w5.0_p0.1_otype_shuffle_alpha_1.0_1.0_default/s2"},
		{[]string{"--preset", "celeba", "--seeds", "0,1"}, "celeba_ascood_net_ascood_e30_lr0.01_w1.0_p0.1_otype_gaussian_alpha_0.1_0.1_default"},
		{[]string{"--preset", "celeba", "--ood-type", "gradient"}, "celeba_ascood_net_ascood_e30_lr0.01_w1.0_p0.05_otype_gradient_alpha_30.0_50.0_default/s0"},
		{[]string{"--preset", "cifar10", "--method", "ce", "--lr", "0.00001"}, "cifar10_resnet18_32x32_base_e100_lr1e-05_default/s0"},
		{[]string{"--preset", "imagenet200"}, "imagenet200_resnet18_224x224_base_e90_lr0.1_default/s0"},
	} {
		f, err := parse(test.args, os.Stdout)
		if err != nil {
			t.Error(err)
		} else if want := filepath.Join("results", test.want); f.options.Output != want {
			t.Errorf("%v: output %s, want %s", test.args, f.options.Output, want)
		}
	}
}

// TestPrintConfig: every value comes with where it is from, and nothing is made.
func TestPrintConfig(t *testing.T) {
	t.Chdir(t.TempDir())
	root := miniature(t, preset(t, "celeba"))
	stdout, stderr, status := command(t, t.Context(), "--preset", "celeba", "--data-root", root, "--pretrained", weights,
		"--lr", "0.05", "--image-size", "64", "--print-config")
	if status != 0 {
		t.Fatal(stderr)
	}
	for _, want := range []string{
		"preset celeba: CelebA", "flag           --lr 0.05\n", "preset celeba  --epochs 30\n", "preset celeba  --ood-type gaussian\n", "default        --width 0\n",
		"preset celeba  --train " + root + "/benchmark_imglist/celeba/celeba_train.txt\n", "preset celeba  --pre-size 256\n", "flag           --image-size 64\n",
		"preset celeba  --output results/celeba_ascood_net_ascood_e30_lr0.05_", "flag           --pretrained " + weights + "\n",
	} {
		if !strings.Contains(stdout, want) {
			t.Errorf("%q is not in\n%s", want, stdout)
		}
	}
	if entries, err := os.ReadDir("."); err != nil || len(entries) > 0 {
		t.Errorf("%v was made", entries)
	}
	stdout, _, _ = command(t, t.Context(), "--preset", "waterbirds", "--method", "ce", "--print-config")
	if want := "note: it is published with --method ascood, not ce\n"; !strings.Contains(stdout, want) || strings.Contains(stdout, "--ood-type") {
		t.Errorf("%q is not in\n%s", want, stdout)
	}
}

// TestSeeds makes a run for each seed from PyTorch's weights, with what a
// checkpoint and config.json say about it.
func TestSeeds(t *testing.T) {
	output := t.TempDir()
	root := miniature(t, preset(t, "waterbirds"))
	args := []string{
		"--preset", "waterbirds", "--data-root", root, "--pretrained", weights, "--epochs", "1", "--batch-size", "12",
		"--pre-size", "32", "--image-size", "32", "--threads", "1", "--output", output,
	}
	_, stderr, status := command(t, t.Context(), append(args, "--seeds", "0,2")...)
	if status != 0 {
		t.Fatal(stderr)
	}
	if want := `tensors_loaded=100 replaced="fc.weight [3 8] by [2 8], fc.bias [3] by [2]"`; !strings.Contains(stderr, want) {
		t.Errorf("%q is not in\n%s", want, stderr)
	}
	var final [][]byte
	for _, seed := range []uint64{0, 2} {
		folder := filepath.Join(output, fmt.Sprintf("s%d", seed))
		text, err := os.ReadFile(filepath.Join(folder, runs.ConfigFile))
		if err != nil {
			t.Fatal(err)
		}
		var c train.Config
		if err := json.Unmarshal(text, &c); err != nil {
			t.Fatal(err)
		}
		if c.Seed != seed || c.Preset != "waterbirds" || c.Width != 1 || c.Pretrained != weights || c.W != 0.1 || c.Epochs != 1 {
			t.Errorf("seed %d: configuration %s", seed, text)
		}
		last, err := checkpoint.Load(filepath.Join(folder, runs.LastFile))
		if err != nil {
			t.Fatal(err)
		}
		final = append(final, last.Model["backbone.fc.weight"].Data)
	}
	if slices.Equal(final[0], final[1]) {
		t.Error("two seeds give one network")
	}
	_, stderr, status = command(t, t.Context(), append(args, "--seeds", "1,2")...)
	if want := filepath.Join(output, "s2", runs.LastFile) + " is there already"; status == 0 || !strings.Contains(stderr, want) {
		t.Errorf("a seed again: status %d, %s", status, stderr)
	}
	if _, err := os.Stat(filepath.Join(output, "s1")); err == nil {
		t.Error("a run was begun before the seeds were checked")
	}
	_, stderr, status = command(t, t.Context(), "--resume", "--output", filepath.Join(output, "s0"), "--preset", "celeba")
	if want := `--preset celeba (the run has "waterbirds")`; status != cli.StatusUsage || !strings.Contains(stderr, want) {
		t.Errorf("resuming as another preset: status %d, %s", status, stderr)
	}
}

// TestPretrainedIsTheStart: with a learning rate that changes nothing, what the
// run ends with is what PyTorch's file holds.
func TestPretrainedIsTheStart(t *testing.T) {
	output := filepath.Join(t.TempDir(), "run")
	root := miniature(t, preset(t, "waterbirds"))
	_, stderr, status := command(t, t.Context(), "--preset", "waterbirds", "--data-root", root, "--pretrained", weights, "--epochs", "1",
		"--lr", "1e-6", "--pre-size", "32", "--image-size", "32", "--batch-size", "12", "--threads", "1", "--output", output)
	if status != 0 {
		t.Fatal(stderr)
	}
	was, err := checkpoint.Load(weights)
	if err != nil {
		t.Fatal(err)
	}
	is, err := checkpoint.Load(filepath.Join(output, runs.BestFile))
	if err != nil {
		t.Fatal(err)
	}
	before, err := was.Model["layer4.0.conv1.weight"].Float32s()
	if err != nil {
		t.Fatal(err)
	}
	after, err := is.Model["backbone.layer4.0.conv1.weight"].Float32s()
	if err != nil {
		t.Fatal(err)
	}
	for i := range before {
		if math.Abs(float64(after[i]-before[i])) > 1e-4 {
			t.Fatalf("weight %d is %g, was %g", i, after[i], before[i])
		}
	}
}

// TestPresetOfMethod: what a preset changes for a method, and the outliers of those that learn
// from such.
func TestPresetOfMethod(t *testing.T) {
	p := preset(t, "waterbirds")
	root := miniature(t, p)
	birds := []string{"--preset", "waterbirds", "--data-root", root, "--method", "oe"}
	config := func(args ...string) string {
		stdout, _, _ := command(t, t.Context(), slices.Concat(birds, []string{"--pretrained", "none", "--print-config"}, args)...)
		return stdout
	}
	for _, test := range []struct {
		args []string
		want []string
	}{
		{nil, []string{"preset waterbirds  --augment classic", "preset waterbirds  --outliers " + root + "/benchmark_imglist/cars/cars_ood.txt", "preset waterbirds  --outlier-dir " + root + "/images_largescale",
			"preset waterbirds  --outlier-batch-size 128"}},
		{[]string{"--outliers", "own.txt", "--outlier-batch-size", "9"}, []string{"flag               --outliers own.txt", "flag               --outlier-batch-size 9"}},
		{[]string{"--method", "mixoe"}, []string{"--lr 0.001", "--epochs 10"}},
		{[]string{"--method", "logitnorm"}, []string{"--augment largescale", "--lr 0.01"}},
	} {
		got := config(test.args...)
		for _, want := range test.want {
			if !strings.Contains(got, want) {
				t.Errorf("%v: %q is not in\n%s", test.args, want, got)
			}
		}
		if own := len(test.args) > 0; own && strings.Contains(got, "--outlier-dir") && !slices.Contains(test.args, "mixoe") {
			t.Errorf("%v: the preset's folder of outliers is left:\n%s", test.args, got)
		}
	}
	_, stderr, status := command(t, t.Context(), slices.Concat(small, birds, []string{"--outlier-batch-size", "6", "--output", filepath.Join(t.TempDir(), "run")})...)
	if status != 0 {
		t.Errorf("status %d, %s", status, stderr)
	}
	list, _ := p.Select(presets.Outliers)[0].Under(root)
	if err := os.Remove(list); err != nil {
		t.Fatal(err)
	}
	_, stderr, status = command(t, t.Context(), slices.Concat(small, birds, []string{"--output", filepath.Join(t.TempDir(), "run")})...)
	if status != cli.StatusFailed || !strings.Contains(stderr, "  outliers  benchmark_imglist/cars/cars_ood.txt") || !strings.Contains(stderr, "missing: the list") {
		t.Errorf("without the list: status %d, %s", status, stderr)
	}
}

// TestPresetHyperparameters: those that a preset has for a method are in the checkpoint, which
// may be resumed with them and without, beside those of --set and the published ones.
func TestPresetHyperparameters(t *testing.T) {
	p := preset(t, "cifar100")
	root, output := miniature(t, p), filepath.Join(t.TempDir(), "run")
	flags := slices.Concat(small, []string{"--preset", p.Name, "--data-root", root, "--method", "cider", "--set", "warm_epochs=1", "--output", output})
	if _, stderr, status := command(t, t.Context(), flags...); status != 0 {
		t.Fatalf("status %d, %s", status, stderr)
	}
	c, err := checkpoint.Load(filepath.Join(output, runs.BestFile))
	if err != nil {
		t.Fatal(err)
	}
	var kept struct {
		Augment string
		Set     map[string]float64
	}
	want := map[string]float64{"proto_m": 0.5, "warm_epochs": 1, "temp": 0.1, "w": 2, "first_epoch": 1}
	if err := json.Unmarshal(c.Meta.Training, &kept); err != nil || !maps.Equal(kept.Set, want) || kept.Augment != "contrastive" {
		t.Errorf("%v, the checkpoint has %+v, want %v", err, kept, want)
	}
	for _, again := range [][]string{nil, {"--set", "proto_m=0.5"}} {
		if _, stderr, status := command(t, t.Context(), append([]string{"--resume", "--output", output}, again...)...); status != 0 {
			t.Errorf("resuming with %q: status %d, %s", again, status, stderr)
		}
	}
}

func TestCheckData(t *testing.T) {
	p := preset(t, "cars")
	root := miniature(t, p)
	stdout, stderr, status := command(t, t.Context(), "--preset", "cars", "--data-root", root, "--check-data")
	if n := len(p.Sets) - 1; status != 0 || !strings.Contains(stdout, fmt.Sprintf("%d of %d are complete", n, n)) { // without outliers
		t.Errorf("status %d, %s%s", status, stdout, stderr)
	}
	stdout, stderr, status = command(t, t.Context(), "--preset", "cars", "--data-root", root, "--check-data", "--method", "oe")
	if status != 0 || !strings.Contains(stdout, fmt.Sprintf("%d of %d are complete", len(p.Sets), len(p.Sets))) {
		t.Errorf("with outliers: status %d, %s%s", status, stdout, stderr)
	}
	if err := os.Remove(filepath.Join(root, "images_largescale", "cars", "val", "3.png")); err != nil {
		t.Fatal(err)
	}
	stdout, stderr, status = command(t, t.Context(), "--preset", "cars", "--data-root", root, "--check-data")
	if status != cli.StatusFailed || !strings.Contains(stdout, "val: cars_val.txt:4: val/3.png is missing") || !strings.Contains(stderr, "the data of preset cars is not complete") {
		t.Errorf("status %d, %s%s", status, stdout, stderr)
	}
	output := filepath.Join(t.TempDir(), "run")
	_, stderr, status = command(t, t.Context(), slices.Concat(small, []string{"--preset", "cars", "--data-root", root, "--output", output})...)
	if status != cli.StatusFailed || !strings.Contains(stderr, "val: cars_val.txt:4: val/3.png is missing") || !strings.Contains(stderr, "1 of 2 are complete") {
		t.Errorf("training on missing data: status %d, %s", status, stderr)
	}
	if _, err := os.Stat(output); err == nil {
		t.Error("something was written")
	}
}

func TestPresetWrongInput(t *testing.T) {
	root := miniature(t, preset(t, "waterbirds"))
	lists := filepath.Join(root, "benchmark_imglist", "waterbirds")
	label := t.TempDir()
	if err := os.CopyFS(label, os.DirFS(root)); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(label, "benchmark_imglist/waterbirds/waterbirds_train.txt"), "train//0.png 0\ntrain//1.png 2\n")
	birds := []string{"--preset", "waterbirds", "--data-root", root, "--output", filepath.Join(t.TempDir(), "run")}
	for _, test := range []struct {
		name string
		args []string
		want string
	}{
		{"unknown", []string{"--preset", "birds"}, `unknown preset "birds"; known are aircraft, cars, celeba, cifar10,`},
		{"no data root", []string{"--preset", "cifar10"}, "--data-root is missing: the folder of the lists and images of preset cifar10"},
		{"no images named", []string{"--preset", "imagenet100", "--data-root", root}, "missing:\n  --train: training images: "},
		{"no weights", birds, "--pretrained is missing: preset waterbirds starts from the weights of ImageNet-1k ResNet-18, torchvision's resnet18-f37072fd.pth; give their file, or none"},
		{"missing list", []string{"--preset", "celeba", "--data-root", root, "--pretrained", "none"}, "celeba_train.txt  images_largescale/celeba/  missing: the list"},
		{"label", []string{"--preset", "waterbirds", "--data-root", label, "--pretrained", "none"}, "waterbirds_train.txt:2: label 2: there are 2 classes, 0 to 1"},
		{"label in a list of one's own", append(birds, "--pretrained", "none", "--class-count", "2", "--data-dir", filepath.Join(label, "images_largescale/waterbirds"), "--train",
			filepath.Join(label, "benchmark_imglist/waterbirds/waterbirds_train.txt")), "--train: train//1.png has label 2, but there are 2 classes (0 to 1)"},
		{"crop", append(birds, "--pretrained", "none", "--image-size", "300"), "--image-size 300: images are resized to 256 pixels, less than the crop: raise --pre-size to at least 300"},
		{"mean", append(birds, "--mean", ".5"), "--mean .5: want three numbers"},
		{"width", append(birds, "--pretrained", weights, "--width", "64", "--threads", "1"), "--width 64: the weights of --pretrained " + weights + " have width 1"},
		{"another architecture", append(birds, "--pretrained", absolute("testdata", "torchvision", "resnet50-width1.pth"), "--threads", "1"), "they are those of --arch resnet50, width 1"},
		{"no checkpoint", append(birds, "--pretrained", filepath.Join(lists, "waterbirds_train.txt"), "--threads", "1"), "neither a safetensors file nor one that torch.save wrote"},
		{"seed twice", append(birds, "--seed", "1", "--seeds", "1,2"), "--seed 1 and --seeds: give one or the other"},
		{"seeds to resume", append(birds, "--resume", "--seeds", "1,2"), "--resume continues one run"},
		{"data of no preset", []string{"--check-data"}, "give --preset and --data-root"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, stderr, status := command(t, t.Context(), test.args...); status == 0 || !strings.Contains(stderr, test.want) {
				t.Errorf("status %d, %q is not in %s", status, test.want, stderr)
			}
		})
	}
}

// TestCIFARWithoutLists trains on CIFAR's own files in place of a preset's lists.
func TestCIFARWithoutLists(t *testing.T) {
	t.Chdir(t.TempDir())
	record := func(label int) string {
		return string(rune(label)) + strings.Repeat(string(rune(20*label%128)), 3*32*32)
	}
	var batch strings.Builder
	for i := range 20 {
		batch.WriteString(record(i % 10))
	}
	for i := range 5 {
		write(t, fmt.Sprintf("cifar/data_batch_%d.bin", i+1), batch.String())
	}
	write(t, "cifar/test_batch.bin", batch.String())
	write(t, "cifar/batches.meta.txt", "airplane\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n")
	_, stderr, status := command(t, t.Context(), "--preset", "cifar10", "--train", "cifar", "--val", "cifar/test_batch.bin",
		"--width", "2", "--epochs", "1", "--batch-size", "50", "--threads", "1")
	if status != 0 || !strings.Contains(stderr, "msg=images train=100 val=20") {
		t.Fatalf("status %d, %s", status, stderr)
	}
	c, err := checkpoint.Load(filepath.Join(onlyRun(t, "cifar10"), "s0", runs.BestFile))
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Meta.Classes) != 10 || c.Meta.Classes[3] != "cat" {
		t.Errorf("classes %v", c.Meta.Classes)
	}
}

// TestReleasedRun: the run on CIFAR-10 that was released is a variant of the preset.
func TestReleasedRun(t *testing.T) {
	f, err := parse([]string{"--preset", "cifar10", "--data-root", "data", "--pixels", "random"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if c := f.config; c.OODType != "shuffle" || c.Pixels != "random" || c.PInv != 0.2 {
		t.Errorf("outliers of %s, %s pixels, p_inv %v", c.OODType, c.Pixels, c.PInv)
	}
	if got := f.options.Output; got != "results/cifar10_ascood_net_ascood_e100_lr0.1_w1.0_p0.2_otype_shuffle_alpha_1.0_1.0_random/s0" {
		t.Errorf("output %s", got)
	}
}

// TestArchOfSeveral: resnet18 is the preset's network of that name, else torchvision's.
func TestArchOfSeveral(t *testing.T) {
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"--preset", "cifar10"}, " --arch resnet18_32x32\n"},
		{[]string{"--preset", "imagenet"}, " --arch resnet18_224x224\n"},
		{nil, "flag     --arch resnet18_224x224\n"},
	} {
		stdout, _, _ := command(t, t.Context(), append(test.args, "--arch", "resnet18", "--print-config")...)
		if !strings.Contains(stdout, test.want) {
			t.Errorf("%v: %q is not in\n%s", test.args, test.want, stdout)
		}
	}
}
