package train

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/png"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/checkpoint"
	"github.com/ascood/ascood/preprocess"
	"github.com/ascood/ascood/runs"
)

// writeStripes makes an IDX file of n images of 28x28 in four classes that are
// easily told apart, stripes of different directions under noise, with its
// labels, and returns the path of the images.
func writeStripes(t *testing.T, n int) string {
	t.Helper()
	rng := random(7, forSubset, n)
	images := binary.BigEndian.AppendUint32(nil, 0x803)
	for _, d := range []int{n, 28, 28} {
		images = binary.BigEndian.AppendUint32(images, uint32(d))
	}
	labels := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, 0x801), uint32(n))
	for i := range n {
		class := i % 4
		labels = append(labels, uint8(class))
		phase := rng.IntN(6)
		for y := range 28 {
			for x := range 28 {
				along := []int{x, y, x + y, x - y + 28}[class] + phase
				images = append(images, uint8(along/3%2*150+rng.IntN(100)))
			}
		}
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "train-labels-idx1-ubyte"), labels)
	return write(t, filepath.Join(dir, "train-images-idx3-ubyte"), images)
}

func write(t *testing.T, path string, data []byte) string {
	t.Helper()
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// small is a run of seconds: 10 steps an epoch, the last of them smaller.
func small(t *testing.T) Config {
	t.Helper()
	data := writeStripes(t, 200)
	c := Default(OODShuffle)
	c.Arch, c.Epochs, c.BatchSize, c.LR, c.Augment = "lenet", 3, 16, 0.05, "classic"
	c.Train, c.Val = data+"[0:150]", data+"[150:200]"
	c.Preprocess = preprocess.Config{PreSize: 28, ImageSize: 28, Mean: [3]float64{.5, .5, .5}, Std: [3]float64{.5, .5, .5}}
	return c
}

func options(t *testing.T) Options {
	t.Helper()
	return Options{Output: filepath.Join(t.TempDir(), "run"), Threads: 1}
}

func mustRun(t *testing.T, c Config, o Options) {
	t.Helper()
	if err := Run(t.Context(), c, o); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, o Options, name string) *checkpoint.Checkpoint {
	t.Helper()
	c, err := checkpoint.Load(filepath.Join(o.Output, name))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// rows reads metrics.csv without its header.
func rows(t *testing.T, o Options) [][]string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(o.Output, runs.MetricsFile))
	if err != nil {
		t.Fatal(err)
	}
	records, err := csv.NewReader(bytes.NewReader(data)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return records[1:]
}

// TestRun trains from images to checkpoints and looks at all that is left.
func TestRun(t *testing.T) {
	for _, test := range []struct{ method, oodType string }{
		{MethodASCOOD, OODGradient}, {MethodASCOOD, OODShuffle}, {MethodASCOOD, OODGaussian}, {MethodCE, OODGradient},
	} {
		t.Run(test.method+"/"+test.oodType, func(t *testing.T) {
			c, o := small(t), options(t)
			c.Method, c.OODType = test.method, test.oodType
			c.AlphaMin, c.AlphaMax = Default(test.oodType).AlphaMin, Default(test.oodType).AlphaMax
			var reported []Row
			o.Report = func(e Event) {
				if e.Row != nil {
					reported = append(reported, *e.Row)
				}
			}
			mustRun(t, c, o)
			checkMetrics(t, c, rows(t, o))
			checkBest(t, c, o)
			if len(reported) != 3 || reported[2].Epoch != 3 || reported[2].LossID <= 0 {
				t.Errorf("the epochs are reported as %+v", reported)
			}
		})
	}
}

func checkMetrics(t *testing.T, c Config, got [][]string) {
	t.Helper()
	if len(got) != c.Epochs {
		t.Fatalf("%d rows of metrics, want %d", len(got), c.Epochs)
	}
	for i, row := range got {
		values := map[string]float64{}
		for j, name := range columns {
			values[name], _ = strconv.ParseFloat(row[j], 64)
		}
		wantAlpha := 0.0
		if c.Method == MethodASCOOD {
			wantAlpha = alpha(i+1, c.Epochs, c.AlphaMin, c.AlphaMax)
		}
		wantLR := c.LR * lrMultiplier(10*(i+1)-1, 30, c.LR)
		if values["epoch"] != float64(i+1) || math.Abs(values["lr"]-wantLR) > 1e-5*wantLR || math.Abs(values["alpha"]-wantAlpha) > 1e-3 {
			t.Errorf("row %v: want epoch %d, lr %g, alpha %g", row, i+1, wantLR, wantAlpha)
		}
		if (values["loss_ood"] > 0) != (c.Method == MethodASCOOD) || values["loss_id"] <= 0 || values["loss_ema"] <= 0 {
			t.Errorf("row %v: unlikely losses", row)
		}
		if values["images_per_second"] <= 0 || values["seconds"] <= 0 {
			t.Errorf("row %v: no time has passed", row)
		}
	}
	if last, _ := strconv.ParseFloat(got[len(got)-1][slices.Index(columns, "val_accuracy")], 64); last < 0.6 {
		t.Errorf("accuracy %g after training on an easy task with 4 classes", last)
	}
}

// checkBest makes sure that best.safetensors has all that an export needs.
func checkBest(t *testing.T, c Config, o Options) {
	t.Helper()
	best := read(t, o, runs.BestFile)
	m := best.Meta
	if m.Arch != c.Arch || !slices.Equal(m.Classes, []string{"0", "1", "2", "3"}) || m.Preprocess == nil || *m.Preprocess != c.Preprocess {
		t.Errorf("best.safetensors says %+v of itself", m)
	}
	if m.Accuracy < 0.6 || m.Epoch < 1 || m.Epoch > c.Epochs || len(best.Training) != 0 {
		t.Errorf("accuracy %g in epoch %d, %d tensors of training", m.Accuracy, m.Epoch, len(best.Training))
	}
	var kept Config
	if err := json.Unmarshal(m.Training, &kept); err != nil || kept != c {
		t.Errorf("the configuration is kept as %+v, %v, want %+v", kept, err, c)
	}
	text, err := os.ReadFile(filepath.Join(o.Output, runs.ConfigFile))
	if err != nil || json.Unmarshal(text, &kept) != nil || kept != c {
		t.Errorf("%s holds %s, %v", runs.ConfigFile, text, err)
	}
	_, zscored := best.Model["sigma"]
	if zscored != (c.Method == MethodASCOOD) {
		t.Errorf("the head standardises its feature: %v", zscored)
	}
}

// endAfter returns a context that ends when a run has asked n times whether it
// has, as it does after every step and every epoch.
func endAfter(t *testing.T, n int) context.Context {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	return &countdown{ctx, cancel, n}
}

type countdown struct {
	context.Context
	cancel context.CancelFunc
	left   int
}

func (c *countdown) Err() error {
	if c.left--; c.left == 0 {
		c.cancel()
	}
	return c.Context.Err()
}

// TestSeed: equal seeds give equal weights, others do not; and a finished run is
// neither overwritten nor changed.
func TestSeed(t *testing.T) {
	c, a, b, other := small(t), options(t), options(t), options(t)
	c.Epochs = 1
	mustRun(t, c, a)
	mustRun(t, c, b)
	if !equalStates(read(t, a, runs.LastFile).Model, read(t, b, runs.LastFile).Model) {
		t.Error("two runs with one seed differ")
	}
	before, err := os.ReadFile(filepath.Join(a.Output, runs.LastFile))
	if err != nil {
		t.Fatal(err)
	}
	c.Seed = 1
	mustRun(t, c, other)
	if equalStates(read(t, a, runs.LastFile).Model, read(t, other, runs.LastFile).Model) {
		t.Error("two seeds give one result")
	}
	if err := Run(t.Context(), c, a); err == nil || !strings.Contains(err.Error(), "already holds a run (last.safetensors): continue it with resume, or choose another output") {
		t.Errorf("a run over another one: %v", err)
	}
	if err := Resume(t.Context(), a); err != nil {
		t.Errorf("resuming a finished run: %v", err)
	}
	if after, err := os.ReadFile(filepath.Join(a.Output, runs.LastFile)); err != nil || !bytes.Equal(before, after) {
		t.Error("a finished run was changed")
	}
}

func TestDiverged(t *testing.T) {
	c, o := small(t), options(t)
	c.LR = 1e20
	err := Run(t.Context(), c, o)
	if err == nil || ascood.CodeOf(err) != ascood.Invalid {
		t.Fatalf("a diverging run returned %v", err)
	}
	for _, part := range []string{"not finite in epoch 1, step ", " of 10 ", "lower lr", "lower alpha_max or w"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not say %q", err, part)
		}
	}
	if entries, err := os.ReadDir(o.Output); err != nil || len(entries) != 1 || entries[0].Name() != runs.ConfigFile {
		t.Errorf("%v was written by a run that failed in its first epoch, want %s alone", entries, runs.ConfigFile)
	}
}

func TestDivergedLater(t *testing.T) {
	c, o := small(t), options(t)
	if err := Run(endAfter(t, 11), c, o); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	poison(t, o)
	before, err := os.ReadFile(filepath.Join(o.Output, runs.LastFile))
	if err != nil {
		t.Fatal(err)
	}
	if err := Resume(t.Context(), o); err == nil || !strings.Contains(err.Error(), "not finite in epoch 2, step 1 of 10") {
		t.Errorf("resumed with huge weights: %v", err)
	}
	if after, err := os.ReadFile(filepath.Join(o.Output, runs.LastFile)); err != nil || !bytes.Equal(before, after) {
		t.Error("last.safetensors was overwritten")
	}
}

// poison makes the saved network's next loss not finite.
func poison(t *testing.T, o Options) {
	t.Helper()
	c := read(t, o, runs.LastFile)
	fc := c.Model["backbone.fc.weight"]
	values := make([]float32, fc.Len())
	for i := range values {
		values[i] = float32(math.MaxFloat32) * float32(1-i%2*2)
	}
	c.Model["backbone.fc.weight"] = checkpoint.FromFloat32s(values, fc.Shape...)
	if err := c.Save(filepath.Join(o.Output, runs.LastFile)); err != nil {
		t.Fatal(err)
	}
}

// TestWrongInput: each is found before training, and leaves nothing behind.
func TestWrongInput(t *testing.T) {
	good := small(t)
	folder := func(classes ...string) string {
		dir := t.TempDir()
		for _, class := range classes {
			if err := os.MkdirAll(filepath.Join(dir, class), 0o755); err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(dir, class, "a.png"), nil)
		}
		return dir
	}
	unlabelled := filepath.Join(t.TempDir(), "images")
	data, err := os.ReadFile(strings.TrimSuffix(good.Train, "[0:150]"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, unlabelled, data)
	for _, test := range []struct {
		name   string
		change func(c *Config, o *Options)
		want   string
	}{
		{"method", func(c *Config, _ *Options) { c.Method = "sgd" }, `unknown method "sgd"; known are ascood, ce`},
		{"no outliers", func(c *Config, _ *Options) { c.Method = "oe" }, "method oe learns from outliers: name images of other things with outliers"},
		{"outliers for nothing", func(c *Config, _ *Options) { c.Outliers = c.Val }, "which takes none"},
		{"outliers missing", func(c *Config, _ *Options) { c.Method, c.Outliers = "oe", "/nowhere/list.txt" }, "outliers: stat /nowhere/list.txt: no such file"},
		{"training images as outliers", func(c *Config, _ *Options) {
			c.Method, c.Outliers = "oe", strings.Replace(c.Train, "[0:150]", "[140:160]", 1)
		}, "10 of the 20 images of outliers are training images, as train-images-idx3-ubyte[140], train-images-idx3-ubyte[141], train-images-idx3-ubyte[142]: leave them out"},
		{"outliers of another number", func(c *Config, _ *Options) {
			c.Method, c.Outliers, c.OutlierBatchSize = "mixoe", c.Val, 7
		}, "outlier_batch_size 7: with method mixoe each image takes an outlier, so that it must be batch_size, 16"},
		{"hyperparameter of another method", func(c *Config, _ *Options) { c.Method, c.Set = "logitnorm", `{"budget":1}` },
			`set, method logitnorm: settings {"budget":1}: there is no budget; there are {"tau":0.04}; budget is of conf_branch`},
		{"unknown hyperparameter", func(c *Config, _ *Options) { c.Method, c.Set = "logitnorm", `{"taus":1}` }, `there is no taus; there are {"tau":0.04}`},
		{"impossible hyperparameter", func(c *Config, _ *Options) { c.Method, c.Set = "logitnorm", `{"tau":0}` }, "set tau=0: must be greater than 0"},
		{"word for a number", func(c *Config, _ *Options) { c.Method, c.Set = "logitnorm", `{"tau":"cold"}` }, "tau cannot be a string"},
		{"both ways", func(c *Config, _ *Options) { c.OODType, c.AlphaMin, c.AlphaMax = OODGradient, -3, 30 }, "alpha_min -3: must be at least 0, or both negative"},
		{"against the order", func(c *Config, _ *Options) { c.OODType, c.AlphaMin, c.AlphaMax = OODGradient, -30, -3 }, "alpha_min -30 is farther from 0 than alpha_max -3"},
		{"loss of outliers", func(c *Config, _ *Options) { c.OODLoss = "mse" }, `unknown ood_loss "mse"; known are kl, energy`},
		{"no architecture", func(c *Config, _ *Options) { c.Arch = "" }, "arch is missing; known are densenet121, "},
		{"architecture", func(c *Config, _ *Options) { c.Arch = "vgg" }, `unknown architecture "vgg"; known are densenet121, `},
		{"outliers", func(c *Config, _ *Options) { c.OODType = "noise" }, "known are gradient, shuffle, gaussian"},
		{"precision", func(c *Config, _ *Options) { c.Precision = "fp16" }, `unknown precision "fp16"; known are float32, bf16`},
		{"augmentation", func(c *Config, _ *Options) { c.Augment = "strong" }, `unknown augmentation "strong"; known are none, classic, largescale`},
		{"no augmentation", func(c *Config, _ *Options) { c.Augment = "" }, "augment is missing: none, classic, largescale"},
		{"no preprocessing", func(c *Config, _ *Options) { c.Preprocess = preprocess.Config{} }, "preprocessing is missing: give preprocess with one of aircraft, "},
		{"number", func(c *Config, _ *Options) { c.PInv = 1.5 }, "p_inv 1.5: must be in (0, 1]"},
		{"not a number", func(c *Config, _ *Options) { c.LR = math.NaN() }, "lr NaN: must be at least 1e-6"},
		{"range", func(c *Config, _ *Options) { c.AlphaMin = 400 }, "alpha_min 400 is larger than alpha_max 300"},
		{"no data", func(c *Config, _ *Options) { c.Train = "" }, "train and val must name images"},
		{"data missing", func(c *Config, _ *Options) { c.Train = "/nowhere/list.txt" }, "train: stat /nowhere/list.txt: no such file"},
		{"validation missing", func(c *Config, _ *Options) { c.Val = "/nowhere/list.txt" }, "val: stat /nowhere/list.txt: no such file"},
		{"unlabelled", func(c *Config, _ *Options) { c.Val = unlabelled }, "val: images[0] has no label"},
		{"too few classes", func(c *Config, _ *Options) {
			c.Classes = write(t, filepath.Join(t.TempDir(), "classes"), []byte("x\ny\nz\n"))
		}, "train: train-images-idx3-ubyte[3] has label 3, but there are 3 classes (0 to 2)"},
		{"new class in validation", func(c *Config, _ *Options) {
			c.Train = strings.Replace(c.Train, "[0:150]", "[0:3]", 1)
		}, "val: train-images-idx3-ubyte[151] has label 3, but there are 3 classes (0 to 2)"},
		{"one class", func(c *Config, _ *Options) {
			c.Train = strings.Replace(c.Train, "[0:150]", "[0:1]", 1)
			c.Val = c.Train
		}, "number of classes 1: a classifier needs at least 2"},
		{"other folders", func(c *Config, _ *Options) { c.Train, c.Val = folder("cat", "dog"), folder("cat", "fox") },
			"the class folders of train and val differ: cat, dog against cat, fox"},
		{"image size", func(c *Config, _ *Options) { c.Preprocess.PreSize, c.Preprocess.ImageSize = 32, 32 }, "lenet cannot take 32x32 images"},
		{"image smaller than the crop", func(c *Config, _ *Options) { c.Preprocess.ImageSize = 32 },
			"image_size 32: images are resized to 28 pixels, less than the crop: raise pre_size to at least 32, or lower image_size"},
		{"class count", func(c *Config, _ *Options) { c.ClassCount = 3 },
			"train: train-images-idx3-ubyte[3] has label 3, but there are 3 classes (0 to 2)"},
		{"one class asked for", func(c *Config, _ *Options) { c.ClassCount = 1 }, "class_count 1: must be at least 2"},
		{"class count and names", func(c *Config, _ *Options) {
			c.ClassCount, c.Classes = 5, write(t, filepath.Join(t.TempDir(), "classes"), []byte("w\nx\ny\nz\n"))
		}, "class_count 5: classes names 4 classes"},
		{"threads", func(_ *Config, o *Options) { o.Threads = -1 }, "threads -1: must be at least 1, or 0 for one a core"},
		{"workers", func(_ *Config, o *Options) { o.Workers = -2 }, "workers -2: must be at least 1, or 0 for one a core"},
		{"no output", func(_ *Config, o *Options) { o.Output = "" }, "output: missing: the folder for"},
		{"output is a file", func(_ *Config, o *Options) { o.Output = unlabelled }, "output: mkdir " + unlabelled + ": not a directory"},
		{"output not writable", func(_ *Config, o *Options) { o.Output = "/proc/run" }, "output: mkdir /proc/run: no such file or directory"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, o := good, options(t)
			test.change(&c, &o)
			err := Run(t.Context(), c, o)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %q, want %q in it", message(err), test.want)
			}
			if code := ascood.CodeOf(err); code != ascood.Invalid {
				t.Errorf("code %s, want invalid", code)
			}
			if entries, _ := os.ReadDir(o.Output); len(entries) > 0 {
				t.Errorf("%v was left behind", entries)
			}
		})
	}
}

func TestBrokenImage(t *testing.T) {
	c, o := small(t), options(t)
	dir := t.TempDir()
	write(t, filepath.Join(dir, "broken.png"), []byte("no image"))
	c.Train = write(t, filepath.Join(dir, "list.txt"), []byte("broken.png 0\nbroken.png 3\n"))
	if err := Run(t.Context(), c, o); err == nil || !strings.Contains(err.Error(), "broken.png") {
		t.Errorf("training on a broken image: %v", err)
	}
}

// TestSkipBroken: broken training and validation images are reported, counted and left
// out; where all are broken there is nothing to go on with.
func TestSkipBroken(t *testing.T) {
	c := small(t)
	c.SkipBroken, c.Epochs, c.BatchSize = true, 2, 3
	dir := t.TempDir()
	var list strings.Builder
	for i := range 8 {
		name := fmt.Sprintf("%d.png", i)
		content := []byte("no image")
		if i != 2 && i != 5 {
			content = pictureOf(t, uint8(30*i))
		}
		write(t, filepath.Join(dir, name), content)
		fmt.Fprintf(&list, "%s %d\n", name, i%4)
	}
	c.Train = write(t, filepath.Join(dir, "list.txt"), []byte(list.String()))
	var broken int
	var logged strings.Builder
	o := options(t)
	o.Log = slog.New(slog.NewTextHandler(&logged, nil))
	o.Report = func(e Event) {
		if e.Row != nil {
			broken += e.Row.Broken
		}
	}
	mustRun(t, c, o)
	if broken != 4 {
		t.Errorf("%d broken images are reported, want 2 in each of 2 epochs", broken)
	}
	if n := strings.Count(logged.String(), "broken training image skipped"); n != 4 || !strings.Contains(logged.String(), "image=5.png") {
		t.Errorf("%d reports of 2 broken images in 2 epochs:\n%s", n, logged.String())
	}
	for _, row := range rows(t, o) {
		if broken := row[len(row)-2:]; broken[0] != "2" || broken[1] != "0" {
			t.Errorf("metrics count %v broken images, want 2 in training and 0 in validation", broken)
		}
	}
	sound := c
	c.Val, c.Epochs = c.Train, 1
	o = options(t)
	o.Report = func(e Event) {
		if e.Row == nil {
			return
		}
		if e.Row.ValBroken != 2 {
			t.Errorf("%d broken validation images are reported, want 2", e.Row.ValBroken)
		}
		if right := e.Row.ValAccuracy * 6; math.Abs(right-math.Round(right)) > 1e-9 {
			t.Errorf("the accuracy is %g, no share of the 6 sound images", e.Row.ValAccuracy)
		}
	}
	mustRun(t, c, o)
	c.SkipBroken = false
	if err := Run(t.Context(), c, options(t)); err == nil || !strings.Contains(err.Error(), "2 of 8 images cannot be loaded") || !strings.Contains(err.Error(), "5.png") {
		t.Errorf("broken images without leave to skip them: %v", err)
	}
	c = sound
	c.Val = write(t, filepath.Join(dir, "broken-val.txt"), []byte("2.png 0\n5.png 3\n"))
	if err := Run(t.Context(), c, options(t)); err == nil || !strings.Contains(err.Error(), "none of the 2 validation images can be loaded") {
		t.Errorf("validating on broken images alone: %v", err)
	}
	sound.Train = write(t, filepath.Join(dir, "broken.txt"), []byte("2.png 0\n5.png 3\n"))
	if err := Run(t.Context(), sound, options(t)); err == nil || !strings.Contains(err.Error(), "none of the 2 training images can be loaded") {
		t.Errorf("training on broken images alone: %v", err)
	}
}

// pictureOf is a PNG of one gray level.
func pictureOf(t *testing.T, level uint8) []byte {
	t.Helper()
	img := image.NewGray(image.Rect(0, 0, 28, 28))
	for i := range img.Pix {
		img.Pix[i] = level
	}
	var file bytes.Buffer
	if err := png.Encode(&file, img); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

// withoutPrivileges takes from the test, if root runs it, the right to write
// anywhere, and lets it into dir.
func withoutPrivileges(t *testing.T, dir string) {
	t.Helper()
	if os.Geteuid() != 0 {
		return
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	runtime.LockOSThread() // the kernel keeps the user of file accesses for each thread
	const nobody = 65534
	syscall.RawSyscall(syscall.SYS_SETFSUID, nobody, 0, 0)
	t.Cleanup(func() {
		syscall.RawSyscall(syscall.SYS_SETFSUID, 0, 0, 0)
		runtime.UnlockOSThread()
	})
}
