package train

import (
	"bytes"
	"log/slog"
	"maps"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/checkpoint"
	"github.com/ascood/ascood/models"
)

var torchvision = filepath.Join("..", "testdata", "torchvision")

// TestPretrained: training starts from the file's backbone, under either head,
// and from a new last layer if the number of classes differs.
func TestPretrained(t *testing.T) {
	for _, test := range []struct {
		name, method, file, arch string
		classes                  int
		loaded, replaced         string
	}{
		{"torchvision", MethodASCOOD, filepath.Join(torchvision, "resnet18-width1.pth"), "resnet18_224x224", 4,
			"tensors_loaded=100", `replaced="fc.weight [3 8] by [4 8], fc.bias [3] by [4]"`},
		{"same classes", MethodCE, filepath.Join(torchvision, "resnet50-width1.pth"), "resnet50", 3, "tensors_loaded=267", "replaced=none"},
		{"with the head", MethodCE, filepath.Join("..", "testdata", "nets", "ascood-resnet18_32x32.safetensors"), "resnet18_32x32", 4,
			"tensors_loaded=100", `replaced="fc.weight [10 64] by [4 64], fc.bias [10] by [4]"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := small(t)
			c.Method, c.Arch, c.ClassCount, c.Pretrained = test.method, test.arch, test.classes, test.file
			var logged strings.Builder
			graph, state, width := began(t, c, &logged)
			for _, want := range []string{test.loaded, test.replaced} {
				if !strings.Contains(logged.String(), want) {
					t.Errorf("the log does not say %q: %s", want, logged.String())
				}
			}
			file, err := checkpoint.Load(test.file)
			if err != nil {
				t.Fatal(err)
			}
			weights := map[string]*checkpoint.Tensor{}
			for name, tensor := range file.Model {
				weights[plainName(name)] = tensor
			}
			if want := weights["conv1.weight"].Shape[0]; width != want {
				t.Errorf("the configuration has width %d, want %d", width, want)
			}
			for name, tensor := range state {
				plain := plainName(name)
				want, ok := weights[plain]
				isNew := strings.HasPrefix(plain, "fc.") && test.replaced != "replaced=none"
				if strings.HasSuffix(name, "num_batches_tracked") || name == models.Sigma {
					continue
				}
				if same := ok && bytes.Equal(tensor.Data, want.Data); same == isNew {
					t.Errorf("%s is that of the file: %v", name, same)
				}
			}
			if strings.Contains(logged.String(), "WARN") {
				t.Errorf("a warning of nothing: %s", logged.String())
			}
			if err := graph.Check(state.Shapes()); err != nil {
				t.Error(err)
			}
		})
	}
}

// began prepares a run and returns what it starts from, with its width.
func began(t *testing.T, c Config, logged *strings.Builder) (g *models.Network, state checkpoint.StateDict, width int) {
	t.Helper()
	c.Preprocess.PreSize, c.Preprocess.ImageSize = 32, 32
	images := &images{classes: make([]string, c.ClassCount)}
	r := &run{config: c, images: images, options: Options{Log: slog.New(slog.NewTextHandler(logged, nil))}}
	g, state, err := r.begin(nil)
	if err != nil {
		t.Fatal(err)
	}
	return g, state, r.config.Width
}

// TestPretrainedRun trains from weights and resumes without them.
func TestPretrainedRun(t *testing.T) {
	c, o := small(t), options(t)
	c.Arch, c.Epochs, c.TrainLimit, c.ValLimit = "resnet18_224x224", 2, 32, 16
	c.Pretrained = filepath.Join(t.TempDir(), "weights.pth")
	c.Preprocess.PreSize, c.Preprocess.ImageSize = 32, 32
	weights, err := os.ReadFile(filepath.Join(torchvision, "resnet18-width1.pth"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, c.Pretrained, weights)
	if err := Run(endAfter(t, 3), c, o); err == nil || !strings.Contains(err.Error(), "interrupted in epoch 2") {
		t.Fatal(err)
	}
	write(t, c.Pretrained, nil)
	if err := Resume(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if kept, err := ReadConfig(o.Output); err != nil || kept.Width != 1 || kept.Pretrained != c.Pretrained {
		t.Errorf("configuration %+v, %v; want width 1", kept, err)
	}
}

func TestPretrainedWrongInput(t *testing.T) {
	own := filepath.Join(t.TempDir(), "own.safetensors")
	strange := &checkpoint.Checkpoint{Model: checkpoint.StateDict{
		"conv1.weight": checkpoint.FromFloat32s(make([]float32, 27), 1, 3, 3, 3), "head.bias": checkpoint.FromFloat32s([]float32{1}, 1),
	}}
	if err := strange.Save(own); err != nil {
		t.Fatal(err)
	}
	resnet18, resnet50 := filepath.Join(torchvision, "resnet18-width1.pth"), filepath.Join(torchvision, "resnet50-width1.pth")
	for _, test := range []struct {
		name   string
		change func(c *Config)
		want   string
	}{
		{"missing", func(c *Config) { c.Pretrained = "/nowhere/x.pth" }, "pretrained: open /nowhere/x.pth: no such file"},
		{"no weights", func(c *Config) { c.Pretrained = write(t, filepath.Join(t.TempDir(), "x.pth"), []byte("text")) }, "neither a safetensors file nor one that torch.save wrote"},
		{"an address", func(c *Config) { c.Pretrained = "https://x.org/resnet18.pth" }, "download it first"},
		{"key of nothing", func(c *Config) { c.Pretrained, c.StateDict = NotPretrained, "ema" }, "state_dict ema has no meaning without pretrained"},
		{"no such key", func(c *Config) { c.StateDict = "ema" }, `state_dict "ema": no network lies there`},
		{"width", func(c *Config) { c.Width = 8 }, "width 8: the weights of pretrained " + resnet18 + " have width 1; give that or none"},
		{"deeper", func(c *Config) { c.Pretrained = resnet50 },
			"the weights are not those of resnet18_224x224, but by their names those of a ResNet-50 (3 4 6 3 blocks): layer1.0.conv1.weight is [1 1 1 1], want [1 1 3 3], "},
		{"deeper, by name", func(c *Config) { c.Pretrained = resnet50 }, "; they are those of arch resnet50, width 1"},
		{"small images", func(c *Config) { c.Arch = "resnet18_32x32" }, "conv1.weight is [1 3 7 7], want [1 3 3 3]; they are those of arch resnet18_224x224, width 1"},
		{"no ResNet", func(c *Config) { c.Arch = "lenet" }, "the weights are not those of lenet, but by their names those of a ResNet-18 (2 2 2 2 blocks): no block1.0.weight of 4 dimensions among bn1.bias, bn1.num_batches_tracked, bn1.running_mean, bn1.running_var, bn1.weight, conv1.weight and 116 more; they are those of arch resnet18_224x224"},
		{"nobody's", func(c *Config) { c.Pretrained = own }, "not those of resnet18_224x224: conv1.weight is [1 3 3 3], want [1 3 7 7]"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, o := small(t), options(t)
			c.Arch, c.Pretrained = "resnet18_224x224", resnet18
			test.change(&c)
			err := Run(t.Context(), c, o)
			if ascood.CodeOf(err) != ascood.Invalid || !strings.Contains(message(err), test.want) {
				t.Errorf("error %q, want %q in it", message(err), test.want)
			}
		})
	}
}

// TestPretrainedHead: without a last layer in the file a new one is trained, and told.
func TestPretrainedHead(t *testing.T) {
	c := small(t)
	c.Arch, c.ClassCount, c.Pretrained = "resnet18_224x224", 4, filepath.Join(t.TempDir(), "part.safetensors")
	whole, err := checkpoint.Load(filepath.Join(torchvision, "resnet18-width1.pth"))
	if err != nil {
		t.Fatal(err)
	}
	delete(whole.Model, "fc.weight")
	delete(whole.Model, "fc.bias")
	delete(whole.Model, "bn1.num_batches_tracked") // as in files of old
	whole.Model["projection.weight"] = checkpoint.FromFloat32s([]float32{1}, 1)
	if err := whole.Save(c.Pretrained); err != nil {
		t.Fatal(err)
	}
	var logged strings.Builder
	began(t, c, &logged)
	for _, want := range []string{
		"tensors_loaded=100 replaced=none",
		`level=WARN msg="pretrained weights without a last layer: a new one is trained" missing="fc.weight, fc.bias" not_taken=projection.weight`,
	} {
		if !strings.Contains(logged.String(), want) {
			t.Errorf("the log does not say %q: %s", want, logged.String())
		}
	}
}

// TestPretrainedWhole: a file of whatever form starts a training if the backbone is
// whole, and none does otherwise.
func TestPretrainedWhole(t *testing.T) {
	for name, test := range map[string]struct {
		change func(checkpoint.StateDict)
		want   string
	}{
		"two last layers": {func(s checkpoint.StateDict) { s["aux.weight"] = s["fc.weight"] }, "2 last layers: aux.weight [3 8], fc.weight [3 8]; want one"},
		"deeper":          {func(s checkpoint.StateDict) { s["layer1.2.conv1.weight"] = s["layer1.1.conv1.weight"] }, "unexpected layer1.2.conv1.weight [1 1 3 3]"},
		"one tensor": {func(s checkpoint.StateDict) {
			maps.DeleteFunc(s, func(n string, _ *checkpoint.Tensor) bool { return n != "conv1.weight" })
		}, "no bn1.weight [1], no bn1.bias [1], "},
		"not a number": {func(s checkpoint.StateDict) {
			s["bn1.bias"] = checkpoint.FromFloat32s([]float32{float32(math.NaN())}, 1)
		}, "bn1.bias holds NaN: the training has diverged or the file is damaged"},
	} {
		t.Run(name, func(t *testing.T) {
			whole, err := checkpoint.Load(filepath.Join(torchvision, "resnet18-width1.pth"))
			if err != nil {
				t.Fatal(err)
			}
			test.change(whole.Model)
			c := small(t)
			c.Arch, c.Pretrained = "resnet18_224x224", filepath.Join(t.TempDir(), "changed.safetensors")
			if err := whole.Save(c.Pretrained); err != nil {
				t.Fatal(err)
			}
			if _, err := openPretrained(c); ascood.CodeOf(err) != ascood.Invalid || !strings.Contains(message(err), "pretrained "+c.Pretrained) || !strings.Contains(message(err), test.want) {
				t.Errorf("error %q, want %q in it", message(err), test.want)
			}
		})
	}
}

// TestPretrainedOfAnotherSize: a vision transformer's weights are for images of one size.
func TestPretrainedOfAnotherSize(t *testing.T) {
	net, err := models.New(models.Spec{Arch: "vit_b_16", Width: 64, Classes: 4, Head: models.HeadLinear}, 48)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "vit.safetensors")
	if err := (&checkpoint.Checkpoint{Model: initial(net, sigma, 1)}).Save(path); err != nil {
		t.Fatal(err)
	}
	c, o := small(t), options(t)
	c.Arch, c.Pretrained = "vit_b_16", path
	c.Preprocess.PreSize, c.Preprocess.ImageSize = 32, 32
	err = Run(t.Context(), c, o)
	want := "pretrained: the weights of vit_b_16 are for images of 48x48 pixels alone, not for 32x32"
	if ascood.CodeOf(err) != ascood.Invalid || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want %q", err, want)
	}
}
