package train

import (
	"bytes"
	"errors"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/checkpoint"
	"github.com/ascood/ascood/dataset"
	"github.com/ascood/ascood/export"
	"github.com/ascood/ascood/gotorch"
	"github.com/ascood/ascood/importer"
	"github.com/ascood/ascood/internal/ort"
	"github.com/ascood/ascood/models"
	"github.com/ascood/ascood/onnx"
	"github.com/ascood/ascood/preprocess"
	"github.com/ascood/ascood/runs"
)

// foreignFile is a network of package importer's tests.
func foreignFile(name string) string {
	return filepath.Join("..", "importer", "testdata", "torchvision", name+".onnx")
}

// foreign is a small run of another program's network.
func foreign(t *testing.T, name string) (Config, Options) {
	t.Helper()
	c, o := small(t), options(t)
	c.Arch, c.ONNX, c.Epochs, c.LR, c.TrainLimit, c.ValLimit = "", foreignFile(name), 1, 0.01, 48, 16
	c.Preprocess = preprocess.Config{PreSize: 32, ImageSize: 32, Mean: [3]float64{.5, .5, .5}, Std: [3]float64{.5, .5, .5}}
	o.ONNX = ort.Evaluate
	return c, o
}

// TestForeign fine-tunes networks of other programs on four classes, in place of their
// ten, and exports them: the artifact computes the logits of the training's evaluation.
func TestForeign(t *testing.T) {
	for _, test := range []struct {
		name, method string
		moved        []string // some parameters that training must change
		statistics   string   // a running mean that training must change; "" if there is none
	}{
		{"resnet18.17.kept", MethodASCOOD, []string{"conv1.weight", "layer3.0.bn2.weight", "fc.weight", "fc.bias"}, "layer3.0.bn2.running_mean"},
		{"resnet18.17.kept", MethodCE, []string{"conv1.weight", "layer3.0.bn2.bias"}, "layer4.0.bn2.running_var"},
		{"mobilenet_v2.13.kept", MethodASCOOD, []string{"features.0.0.weight", "classifier.1.weight"}, "features.1.conv.0.1.running_mean"},
		{"mobilenet_v2.17", MethodCE, []string{"classifier.1.weight"}, ""},
		{"vit.11", MethodASCOOD, []string{"encoder.pos_embedding", "conv_proj.weight", "heads.head.weight"}, ""},
		{"vit.13.fixed", MethodCE, []string{"encoder.pos_embedding"}, ""},
		{"swin.17.fixed", MethodCE, nil, ""},
		{"convnext.11", MethodASCOOD, nil, ""},
		{"densenet.17", MethodASCOOD, []string{"features.norm5.weight"}, "features.norm5.running_mean"},
		{"efficientnet.17", MethodCE, nil, ""},
	} {
		t.Run(test.name+"/"+test.method, func(t *testing.T) {
			c, o := foreign(t, test.name)
			c.Method = test.method
			mustRun(t, c, o)
			saved := read(t, o, runs.BestFile)
			before := fileWeights(t, c.ONNX)
			for _, name := range test.moved {
				now, ok := saved.Model[name]
				if !ok {
					t.Fatalf("the checkpoint has no %s; it has %v", name, kinds(saved.Model))
				}
				if was := before[name]; was != nil && slices.Equal(now.Shape, was.Shape) && bytes.Equal(now.Data, was.Data) {
					t.Errorf("%s is as it was", name)
				}
			}
			if test.statistics != "" && bytes.Equal(saved.Model[test.statistics].Data, before[test.statistics].Data) {
				t.Errorf("%s is as it was", test.statistics)
			}
			compareWithArtifact(t, c, saved)
		})
	}
}

// fileWeights are the initializers of a file.
func fileWeights(t *testing.T, path string) checkpoint.StateDict {
	t.Helper()
	m, err := importer.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	state := checkpoint.StateDict{}
	for _, w := range m.Graph.Initializer {
		if values, err := w.Floats(); err == nil {
			state[w.Name] = checkpoint.FromFloat32s(values, w.Shape().At(1)...)
		}
	}
	return state
}

// compareWithArtifact exports a checkpoint, without saying anything of it, and compares
// its logits of a few images with the trainer's.
func compareWithArtifact(t *testing.T, c Config, saved *checkpoint.Checkpoint) {
	t.Helper()
	score, err := artifact.DefaultScore(artifact.ScoreIODIN)
	if err != nil {
		t.Fatal(err)
	}
	m, meta, err := export.FromCheckpoint(saved, export.Options{Name: "trained", Score: score})
	if err != nil {
		t.Fatal(err)
	}
	if want := string(c.spec(2).Head); meta.Arch != models.ArchONNX || meta.Head != want || len(meta.Classes) != 4 {
		t.Errorf("the artifact is of arch %s, head %s, classes %q", meta.Arch, meta.Head, meta.Classes)
	}
	m, err = onnx.Extract(m, []string{artifact.Logits})
	if err != nil {
		t.Fatal(err)
	}
	session, err := ort.Open(m, ort.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	images, err := dataset.Open(c.Val, "")
	if err != nil {
		t.Fatal(err)
	}
	network, err := models.Parse(saved.Meta.Network)
	if err != nil {
		t.Fatal(err)
	}
	scope := gotorch.NewScope(gotorch.NoGrad)
	defer scope.Close()
	at := place(gotorch.CPU, c)
	net, err := newNetwork(scope, network, saved.Model, at)
	if err != nil {
		t.Fatal(err)
	}
	for batch, err := range dataset.Batches(t.Context(), images, sequence(4), dataset.LoadOptions{Config: c.Preprocess, BatchSize: 4}) {
		if err != nil {
			t.Fatal(err)
		}
		x := newInput(scope, c.Preprocess, at).images(scope, batch.Pixels, len(batch.Labels))
		want := gotorch.ToSlice[float32](net.forward(x, inference))
		out, err := session.Run(map[string]ort.Value{artifact.Pixels: {Shape: []int{4, 32, 32, 3}, Data: batch.Pixels}})
		if err != nil {
			t.Fatal(err)
		}
		got := out[artifact.Logits].Floats()
		largest := 0.0
		for _, v := range want {
			largest = max(largest, math.Abs(float64(v)))
		}
		for i := range want {
			if off := math.Abs(float64(got[i] - want[i])); !(off <= 1e-5*largest) {
				t.Fatalf("logits of the artifact are %v, of the training's evaluation %v", got, want)
			}
		}
	}
	if err := scope.Err(); err != nil {
		t.Fatal(err)
	}
}

// TestForeignSameClasses: with as many classes as the file the last layer is the file's,
// and an untrained run would compute what the file does.
func TestForeignSameClasses(t *testing.T) {
	c, o := foreign(t, "resnet18.17.kept")
	c.Method = MethodCE
	var logged strings.Builder
	o.Log = slog.New(slog.NewTextHandler(&logged, nil))
	r := &run{config: c, images: &images{classes: make([]string, 10)}, options: o}
	n, state, err := r.begin(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Check(state.Shapes()); err != nil {
		t.Error(err)
	}
	for name, want := range fileWeights(t, c.ONNX) {
		if got := state[name]; got == nil || !bytes.Equal(got.Data, want.Data) {
			t.Errorf("%s is not that of the file", name)
		}
	}
	if strings.Contains(logged.String(), "WARN") || !strings.Contains(logged.String(), "new=none") {
		t.Errorf("the log says %s", &logged)
	}
}

// TestForeignAdvice: a file without normalisation is trained, with a word on how to keep
// it.
func TestForeignAdvice(t *testing.T) {
	for name, want := range map[string]bool{"resnet18.17": true, "resnet18.17.kept": false, "vit.11": false, "convnext.11": false, "densenet.17": false} {
		c, o := foreign(t, name)
		var logged strings.Builder
		o.Log = slog.New(slog.NewTextHandler(&logged, nil))
		r := &run{config: c, images: &images{classes: make([]string, 2)}, options: o}
		if _, _, err := r.begin(nil); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(logged.String(), "TrainingMode.PRESERVE"); got != want {
			t.Errorf("%s: advice is %v, want %v", name, got, want)
		}
	}
}

// TestFreezeBatchNorm: statistics stay those of the file, also in a run that goes on; scale
// and shift are trained, and end elsewhere than without.
func TestFreezeBatchNorm(t *testing.T) {
	for _, method := range []string{MethodASCOOD, MethodCE} {
		t.Run(method, func(t *testing.T) {
			c, free := foreign(t, "resnet18.17.kept")
			c.Method, c.Epochs = method, 2
			if method == MethodASCOOD {
				c.Saliency = SaliencyTrain
			}
			mustRun(t, c, free)
			c.FreezeBatchNorm = true
			_, whole := foreign(t, "resnet18.17.kept")
			mustRun(t, c, whole)
			_, o := foreign(t, "resnet18.17.kept")
			var stopped *Interruption
			if err := Run(endAfter(t, 4), c, o); !errors.As(err, &stopped) {
				t.Fatalf("not interrupted: %v", err)
			}
			if err := Resume(t.Context(), o); err != nil {
				t.Fatal(err)
			}
			frozen := read(t, o, runs.LastFile).Model
			if !equalStates(frozen, read(t, whole, runs.LastFile).Model) {
				t.Error("the resumed run ends elsewhere than one that was not interrupted")
			}
			before, moving := fileWeights(t, c.ONNX), read(t, free, runs.LastFile).Model
			for name := range before {
				statistic := strings.HasSuffix(name, ".running_mean") || strings.HasSuffix(name, ".running_var")
				if same := bytes.Equal(frozen[name].Data, before[name].Data); same != statistic {
					t.Errorf("%s is as it was: %v", name, same)
				}
				if bytes.Equal(moving[name].Data, before[name].Data) || bytes.Equal(moving[name].Data, frozen[name].Data) {
					t.Errorf("%s is the same without", name)
				}
			}
			compareWithArtifact(t, c, read(t, o, runs.BestFile))
		})
	}
}

// TestForeignResume: a run goes on without its file, and ends as if it had not stopped.
func TestForeignResume(t *testing.T) {
	c, whole := foreign(t, "mobilenet_v2.13.kept")
	c.Epochs = 2
	mustRun(t, c, whole)
	path := filepath.Join(t.TempDir(), "copy.onnx")
	content, err := os.ReadFile(c.ONNX)
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, content)
	_, o := foreign(t, "mobilenet_v2.13.kept")
	c.ONNX = path
	var stopped *Interruption
	if err := Run(endAfter(t, 4), c, o); !errors.As(err, &stopped) {
		t.Fatalf("not interrupted: %v", err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := Resume(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if !equalStates(read(t, o, runs.LastFile).Model, read(t, whole, runs.LastFile).Model) {
		t.Error("the resumed run ends elsewhere than one that was not interrupted")
	}
	damaged := read(t, o, runs.LastFile)
	damaged.Meta.Network = damaged.Meta.Network[:100]
	if err := damaged.Save(filepath.Join(o.Output, runs.LastFile)); err != nil {
		t.Fatal(err)
	}
	if err := Resume(t.Context(), o); ascood.CodeOf(err) != ascood.Invalid || !strings.Contains(err.Error(), "the checkpoint's network is not an ONNX file") {
		t.Errorf("of a damaged graph: %v", err)
	}
}

// TestForeignValues: values that are named are in the artifact.
func TestForeignValues(t *testing.T) {
	c, o := foreign(t, "mobilenet_v2.17")
	c.Tap = "layer3=/features/features.1/conv/conv.1/Conv_output_0,layer4=/features/features.3/conv/conv.2/Conv_output_0"
	mustRun(t, c, o)
	m, _, err := export.FromCheckpoint(read(t, o, runs.BestFile), export.Options{Score: artifact.Score{Name: artifact.ScoreIODIN, Temperature: 1000}})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{artifact.Layer3, artifact.Layer4, artifact.Feature} {
		if onnx.Makers(m.Graph)[name] == nil {
			t.Errorf("the artifact has no %s", name)
		}
	}
}

// TestForeignWrong: what cannot be trained is refused before any work is done.
func TestForeignWrong(t *testing.T) {
	text := filepath.Join(t.TempDir(), "text.onnx")
	write(t, text, []byte("no network"))
	for name, test := range map[string]struct {
		change func(c *Config)
		want   string
	}{
		"no file":             {func(c *Config) { c.ONNX = "absent.onnx" }, "onnx absent.onnx"},
		"no ONNX":             {func(c *Config) { c.ONNX = text }, "not an ONNX file"},
		"architecture":        {func(c *Config) { c.Arch = "lenet" }, "arch lenet has no meaning beside onnx"},
		"width":               {func(c *Config) { c.Width = 3 }, "width 3 has no meaning beside onnx"},
		"weights":             {func(c *Config) { c.Pretrained = "w.pth" }, "pretrained w.pth has no meaning beside onnx"},
		"layout":              {func(c *Config) { c.InputLayout = "nhwc" }, "input_layout is nhwc, but the input"},
		"output":              {func(c *Config) { c.Logits = "y" }, `logits: there is no output or value "y"`},
		"channels":            {func(c *Config) { c.Channels = "cmyk" }, `channels "cmyk": must be rgb`},
		"tap":                 {func(c *Config) { c.Tap = "layer5=x" }, "tap layer5=x: want name=value, with the names stem, layer1, layer2, layer3, layer4"},
		"tapped value":        {func(c *Config) { c.Tap = "layer4=x" }, `tap: "x" is not maps`},
		"feature":             {func(c *Config) { c.ONNX, c.Feature = noLinear(t), "x" }, `feature: "x" is not a vector`},
		"layout without":      {func(c *Config) { c.ONNX, c.Arch, c.InputLayout = "", "lenet", "nchw" }, "input_layout nchw has no meaning without onnx"},
		"neither":             {func(c *Config) { c.ONNX = "" }, "arch is missing"},
		"size":                {func(c *Config) { c.Preprocess.PreSize, c.Preprocess.ImageSize = 64, 64 }, "onnx"},
		"no last layer":       {func(c *Config) { c.ONNX, c.Method = noLinear(t), MethodASCOOD }, "no last linear layer, before which the ascood head is; train it by plain cross-entropy, the method ce"},
		"classes, no layer":   {func(c *Config) { c.ONNX, c.Method = noLinear(t), MethodCE }, "no last linear layer that could be replaced: it has 5 classes, and the images 4"},
		"head":                {func(c *Config) { c.Method = "godin" }, "method godin has the godin head, which networks of onnx cannot have; these can be trained by ascood, ce,"},
		"no batch norm":       {func(c *Config) { c.FreezeBatchNorm = true }, "freeze_batch_norm has no meaning here: the network has no batch normalisation"},
		"rounded statistics":  {func(c *Config) { c.FreezeBatchNorm, c.Precision = true, BF16 }, "freeze_batch_norm has no meaning with precision bf16"},
		"no statistics":       {func(c *Config) { c.ONNX, c.Arch, c.FreezeBatchNorm = "", "lenet", true }, "freeze_batch_norm has no meaning without weights to start from"},
		"one image at a time": {func(c *Config) { c.ONNX = single(t) }, "takes images one by one"},
	} {
		t.Run(name, func(t *testing.T) {
			c, o := foreign(t, "resnet18.17")
			test.change(&c)
			err := Run(t.Context(), c, o)
			if err == nil || !strings.Contains(err.Error(), test.want) || ascood.CodeOf(err) == ascood.Internal {
				t.Errorf("error %v (%s), want %q", err, ascood.CodeOf(err), test.want)
			}
			if _, err := os.Stat(filepath.Join(o.Output, runs.ConfigFile)); err == nil {
				t.Error("a refused run leaves its configuration")
			}
		})
	}
}

// saveNetwork writes a network of one convolution and what follows it.
func saveNetwork(t *testing.T, batch any, end func(b *onnx.Builder, x string) string) string {
	t.Helper()
	b := onnx.NewBuilder("net")
	x := b.Input("x", "", onnx.TensorProto_FLOAT, batch, 3, 32, 32)
	x = b.Op("Conv", []string{x, b.Weights("w", slices.Repeat([]float32{.1, -.2, .3}, 5), 5, 3, 1, 1)})
	x = b.Rename(end(b, x), "y")
	b.Output(x, "", onnx.TensorProto_FLOAT, batch, 5)
	m, err := b.Model("test", "1")
	if err != nil {
		t.Fatal(err)
	}
	data, err := onnx.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "net.onnx")
	write(t, path, data)
	return path
}

// noLinear is a network that does not end in a linear layer.
func noLinear(t *testing.T) string {
	return saveNetwork(t, "N", func(b *onnx.Builder, x string) string {
		return b.Op("Flatten", []string{b.Op("GlobalAveragePool", []string{b.Op("Relu", []string{x})})})
	})
}

// single is a network that computes of one image, of which it cannot be told where it
// would count several.
func single(t *testing.T) string {
	return saveNetwork(t, 1, func(b *onnx.Builder, x string) string {
		x = b.Op("Reshape", []string{b.Op("GlobalAveragePool", []string{x}), b.Int64s(5, 1)})
		return b.Op("Reshape", []string{b.Op("CumSum", []string{x, b.Tensor(onnx.NewInts("axis", []int64{0}))}), b.Int64s(1, 5)})
	})
}
