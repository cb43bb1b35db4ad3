package weights_test

import (
	"bytes"
	"maps"
	"math"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/checkpoint"
	"github.com/ascood/ascood/models"
	"github.com/ascood/ascood/weights"
)

// load returns the tensors of a reference network.
func load(t *testing.T, path ...string) checkpoint.StateDict {
	t.Helper()
	c, err := checkpoint.Load(filepath.Join(append([]string{"..", "testdata"}, path...)...))
	if err != nil {
		t.Fatal(err)
	}
	return c.Model
}

// resnet18 is torchvision's, of width 1 and with 3 classes.
func resnet18(t *testing.T) checkpoint.StateDict {
	return load(t, "torchvision", "resnet18-width1.pth")
}

// small is the same with a 3x3 stem.
func small(t *testing.T) checkpoint.StateDict {
	state := resnet18(t)
	state["conv1.weight"] = checkpoint.FromFloat32s(make([]float32, 27), 1, 3, 3, 3)
	return state
}

func resnet50(t *testing.T) checkpoint.StateDict {
	return load(t, "torchvision", "resnet50-width1.pth")
}

func file(state checkpoint.StateDict) *checkpoint.File {
	return (&checkpoint.Checkpoint{Model: state}).File()
}

// under is a file with state dicts under keys, in the order of the keys' names.
func under(states map[string]checkpoint.StateDict) *checkpoint.File {
	f := &checkpoint.File{}
	for _, key := range slices.Sorted(maps.Keys(states)) {
		s := file(states[key]).States[0]
		s.Key = key
		f.States = append(f.States, s)
	}
	return f
}

// renamed applies substitutions in turn to all names.
func renamed(state checkpoint.StateDict, pairs ...string) checkpoint.StateDict {
	out := checkpoint.StateDict{}
	for name, tensor := range state {
		for i := 0; i < len(pairs); i += 2 {
			name = regexp.MustCompile(pairs[i]).ReplaceAllString(name, pairs[i+1])
		}
		out[name] = tensor
	}
	return out
}

func with(state checkpoint.StateDict, more checkpoint.StateDict) checkpoint.StateDict {
	state = maps.Clone(state)
	maps.Copy(state, more)
	return state
}

func ones(shape ...int) *checkpoint.Tensor {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return checkpoint.FromFloat32s(slices.Repeat([]float32{1}, n), shape...)
}

// Names of ResNets in other programs, as substitutions for torchvision's.
var (
	weiaicunzai = []string{
		`^conv1\.`, `conv1.0.`, `^bn1\.`, `conv1.1.`,
		`\.conv1\.weight`, `.residual_function.0.weight`, `\.bn1\.`, `.residual_function.1.`,
		`\.conv2\.weight`, `.residual_function.3.weight`, `\.bn2\.`, `.residual_function.4.`,
		`\.conv3\.weight`, `.residual_function.6.weight`, `\.bn3\.`, `.residual_function.7.`,
		`downsample`, `shortcut`, `^layer1`, `conv2_x`, `^layer2`, `conv3_x`, `^layer3`, `conv4_x`, `^layer4`, `conv5_x`,
	}
	huggingFace = []string{
		`^conv1\.`, `resnet.embedder.embedder.convolution.`, `^bn1\.`, `resnet.embedder.embedder.normalization.`,
		`\.conv1\.weight`, `.layer.0.convolution.weight`, `\.bn1\.`, `.layer.0.normalization.`,
		`\.conv2\.weight`, `.layer.1.convolution.weight`, `\.bn2\.`, `.layer.1.normalization.`,
		`\.conv3\.weight`, `.layer.2.convolution.weight`, `\.bn3\.`, `.layer.2.normalization.`,
		`downsample\.0`, `shortcut.convolution`, `downsample\.1`, `shortcut.normalization`,
		`^layer1`, `resnet.encoder.stages.0.layers`, `^layer2`, `resnet.encoder.stages.1.layers`,
		`^layer3`, `resnet.encoder.stages.2.layers`, `^layer4`, `resnet.encoder.stages.3.layers`,
		`^fc`, `classifier.1`,
	}
	children = []string{`^conv1`, `0`, `^bn1`, `1`, `^layer1`, `4`, `^layer2`, `5`, `^layer3`, `6`, `^layer4`, `7`}
)

// TestFind: the network is the same under whatever names, and what was done is told.
func TestFind(t *testing.T) {
	prefix := func(p string) []string { return []string{`^`, p} }
	for name, test := range map[string]struct {
		state func(*testing.T) checkpoint.StateDict
		names []string
		more  checkpoint.StateDict
		arch  string
		notes []string
	}{
		"torchvision":                {resnet18, nil, nil, "resnet18_224x224", nil},
		"torchvision, deeper":        {resnet50, nil, nil, "resnet50", nil},
		"torchvision, small images":  {small, nil, nil, "resnet18_32x32", nil},
		"kuangliu":                   {small, []string{`downsample`, `shortcut`, `^fc`, `linear`}, nil, "resnet18_32x32", []string{"last layer: linear"}},
		"weiaicunzai":                {small, weiaicunzai, nil, "resnet18_32x32", []string{"names: those of weiaicunzai's pytorch-cifar100"}},
		"weiaicunzai, deeper":        {resnet50, weiaicunzai, nil, "resnet50", []string{"names: those of weiaicunzai's pytorch-cifar100"}},
		"Hugging Face":               {resnet18, huggingFace, nil, "resnet18_224x224", []string{"names: those of Hugging Face", "prefix of the names: resnet.", "last layer: classifier.1"}},
		"Hugging Face, deeper":       {resnet50, huggingFace, nil, "resnet50", []string{"names: those of Hugging Face"}},
		"children":                   {resnet18, slices.Concat(children, []string{`^fc`, `9`}), nil, "resnet18_224x224", []string{"names: those of nn.Sequential(*children)", "last layer: 9"}},
		"children of an extractor":   {resnet18, slices.Concat(children, []string{`^(\d)`, `feature_extractor.$1`, `^fc`, `classifier`}), nil, "resnet18_224x224", []string{"prefix of the names: feature_extractor.", "last layer: classifier"}},
		"children without a pool":    {small, []string{`^conv1`, `0`, `^bn1`, `1`, `^layer4`, `5`, `^layer3`, `4`, `^layer2`, `3`, `^layer1`, `2`, `downsample`, `shortcut`, `^fc`, `7`}, nil, "resnet18_32x32", []string{"last layer: 7"}},
		"left and shortcut":          {small, []string{`^conv1`, `conv1.0`, `^bn1`, `conv1.1`, `\.0\.conv1`, `.0.left.0`, `\.1\.conv1`, `.1.left.0`, `(\d)\.bn1`, `$1.left.1`, `\.conv2`, `.left.3`, `\.bn2`, `.left.4`, `downsample`, `shortcut`}, nil, "resnet18_32x32", nil},
		"data parallel":              {resnet18, prefix("module."), nil, "resnet18_224x224", []string{"prefix of the names: module."}},
		"compiled":                   {resnet18, prefix("module._orig_mod."), nil, "resnet18_224x224", []string{"prefix of the names: module._orig_mod."}},
		"Lightning":                  {resnet18, prefix("model."), checkpoint.StateDict{"criterion.weight": ones(3)}, "resnet18_224x224", []string{"prefix of the names: model.", "passed over: criterion.weight"}},
		"MMPretrain":                 {resnet18, []string{`^`, `backbone.`, `^backbone.fc`, `head.fc`}, nil, "resnet18_224x224", []string{"prefix of the names: backbone.", "last layer: head.fc"}},
		"a part of a Sequential":     {resnet18, prefix("1."), nil, "resnet18_224x224", []string{"prefix of the names: 1."}},
		"last layer after a dropout": {resnet18, []string{`^fc`, `fc.1`}, nil, "resnet18_224x224", []string{"last layer: fc.1"}},
		"averaged":                   {resnet18, prefix("module."), checkpoint.StateDict{"n_averaged": checkpoint.FromInt64s([]int64{3})}, "resnet18_224x224", []string{"passed over: n_averaged"}},
		"counted":                    {resnet18, nil, checkpoint.StateDict{"total_ops": ones(1), "layer1.0.total_params": ones(1)}, "resnet18_224x224", []string{"passed over: layer1.0.total_params, total_ops"}},
		"metrics beside it":          {resnet18, prefix("net."), checkpoint.StateDict{"val_acc.correct": checkpoint.FromInt64s([]int64{3}), "queue_ptr": checkpoint.FromInt64s([]int64{0}, 1)}, "resnet18_224x224", []string{"passed over: queue_ptr, val_acc.correct"}},
		"normalised":                 {resnet18, prefix("1."), checkpoint.StateDict{"0.mean": ones(1, 3, 1, 1), "0.std": ones(3)}, "resnet18_224x224", []string{"passed over: 0.mean 1,1,1, 0.std 1,1,1; the network normalised its images by these, and now mean and std must say them"}},
		"counters of another type":   {resnet18, nil, checkpoint.StateDict{"bn1.num_batches_tracked": ones(1)}, "resnet18_224x224", nil},
	} {
		t.Run(name, func(t *testing.T) {
			state := test.state(t)
			n, err := weights.Find(file(with(renamed(state, test.names...), test.more)), weights.Options{Arch: test.arch})
			if err != nil {
				t.Fatal(err)
			}
			want := models.Spec{Arch: test.arch, Width: 1, Classes: 3, Head: models.HeadLinear}
			if n.Spec != want {
				t.Errorf("network %+v, want %+v", n.Spec, want)
			}
			for name, tensor := range n.State {
				from := state[strings.Replace(name, "shortcut", "downsample", 1)]
				if from == nil || !bytes.Equal(from.Data, tensor.Data) {
					t.Errorf("%s is another tensor", name)
				}
			}
			if want := len(state) - len(counters(state)); len(n.State) != want {
				t.Errorf("%d tensors, want %d", len(n.State), want)
			}
			for _, note := range test.notes {
				if !slices.Contains(n.Notes, note) {
					t.Errorf("the notes %q do not say %q", n.Notes, note)
				}
			}
			if test.names == nil && test.more == nil && len(n.Notes) > 0 {
				t.Errorf("notes %q on what needs none", n.Notes)
			}
		})
	}
}

func counters(state checkpoint.StateDict) []string {
	return slices.DeleteFunc(slices.Collect(maps.Keys(state)), func(name string) bool { return !strings.HasSuffix(name, "num_batches_tracked") })
}

// TestOtherEntries: what lies beside the tensors in the state dict itself is passed over,
// unless it has the name of a part of a network.
func TestOtherEntries(t *testing.T) {
	f := file(resnet18(t))
	f.States[0].Others = map[string]any{"epoch": 3, "arch": "resnet18", "classes": checkpoint.Foreign("a list"), "args": checkpoint.Foreign("an object of class argparse.Namespace")}
	n, err := weights.Find(f, weights.Options{})
	if err != nil || !slices.Contains(n.Notes, "passed over: arch, args, classes, epoch") {
		t.Errorf("%v, %+v", err, n)
	}
}

// TestFindASCOOD: the head of ASCOOD is known by its sigma, also in a wrapper.
func TestFindASCOOD(t *testing.T) {
	state := load(t, "nets", "ascood-resnet18_32x32.safetensors")
	for _, prefix := range []string{"", "module."} {
		n, err := weights.Find(file(renamed(state, `^`, prefix)), weights.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if want := (models.Spec{Arch: "resnet18_32x32", Width: 8, Classes: 10, Head: models.HeadASCOOD}); n.Spec != want {
			t.Errorf("network %+v, want %+v", n.Spec, want)
		}
		g, err := models.New(n.Spec, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := g.Check(n.State.Shapes()); err != nil {
			t.Error(err)
		}
	}
}

// TestFindArch: an architecture need not be named, or by torchvision's name.
func TestFindArch(t *testing.T) {
	for arch, state := range map[string]checkpoint.StateDict{
		"resnet18_224x224": resnet18(t), "resnet18_32x32": small(t), "resnet50": resnet50(t), "lenet": load(t, "nets", "lenet.safetensors"),
	} {
		n, err := weights.Find(file(state), weights.Options{})
		if err != nil || n.Spec.Arch != arch || !slices.Contains(n.Notes, "architecture: "+arch+", which the weights are those of") {
			t.Errorf("%s: %+v, %v", arch, n, err)
		}
		n, err = weights.Find(file(state), weights.Options{Arch: "resnet18"})
		if fits := strings.HasPrefix(arch, "resnet18"); (err == nil) != fits || fits && n.Spec.Arch != arch {
			t.Errorf("%s as resnet18: %+v, %v", arch, n, err)
		}
	}
}

// TestFindWithoutBias: a last layer without a bias has one of zeros.
func TestFindWithoutBias(t *testing.T) {
	state := resnet18(t)
	delete(state, "fc.bias")
	n, err := weights.Find(file(state), weights.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if bias := n.State["fc.bias"]; bias == nil || !bytes.Equal(bias.Data, make([]byte, 12)) || !slices.Contains(n.Notes, "bias of the last layer: zeros, the file has none") {
		t.Errorf("bias %v, notes %q", bias, n.Notes)
	}
}

// TestFindKey: of several networks the one under a usual key is taken, and told;
// otherwise there is a choice to make.
func TestFindKey(t *testing.T) {
	first, second := resnet18(t), with(resnet18(t), checkpoint.StateDict{"fc.bias": ones(3)})
	both := with(renamed(first, `^`, `student.`), renamed(second, `^`, `teacher.module.`))
	other := checkpoint.StateDict{"exp_avg": ones(2)}
	for name, test := range map[string]struct {
		file        *checkpoint.File
		key         string
		second      bool
		note, fault string
	}{
		"alone":                {file: under(map[string]checkpoint.StateDict{"optimizer.0": other, "whatever.x": first}), note: `state dict: the one under "whatever.x"`},
		"usual key":            {file: under(map[string]checkpoint.StateDict{"model_ema": second, "model": first}), note: "not taken: the networks under model_ema"},
		"the other":            {file: under(map[string]checkpoint.StateDict{"model_ema": second, "model": first}), key: "model_ema", second: true, note: `state dict: the one under "model_ema"`},
		"usual, deeper":        {file: under(map[string]checkpoint.StateDict{"ema.x": second, "trainer.model": first}), note: `state dict: the one under "trainer.model"`},
		"no usual key":         {file: under(map[string]checkpoint.StateDict{"student": first, "teacher": second}), fault: "2 networks are in the file: choose one with state_dict: student, teacher"},
		"chosen":               {file: under(map[string]checkpoint.StateDict{"student": first, "teacher": second}), key: "teacher", second: true},
		"prefixes":             {file: file(both), fault: "2 networks are in the file: choose one with state_dict: student, teacher"},
		"prefix":               {file: file(both), key: "teacher", second: true, note: "prefix of the names: teacher.module."},
		"prefix, the first":    {file: file(both), key: "student", note: "not taken: the networks under teacher"},
		"prefixes under a key": {file: under(map[string]checkpoint.StateDict{"state_dict": both}), key: "state_dict.teacher", second: true},
		"usual prefix":         {file: file(with(renamed(first, `^`, `model.`), renamed(second, `^`, `ema.`))), note: "not taken: the networks under ema"},
		"no such key":          {file: under(map[string]checkpoint.StateDict{"student": first}), key: "techer", fault: `state_dict "techer": no state dict lies there; there are "student"`},
		"no such prefix":       {file: file(both), key: "techer", fault: `state_dict "techer": no network lies there; there are student, teacher`},
		"key without network":  {file: under(map[string]checkpoint.StateDict{"model": first, "optimizer": other}), key: "optimizer", fault: "the weights under optimizer are not those of"},
	} {
		t.Run(name, func(t *testing.T) {
			n, err := weights.Find(test.file, weights.Options{Key: test.key})
			if test.fault != "" {
				if ascood.CodeOf(err) != ascood.Invalid || !strings.Contains(err.Error(), test.fault) {
					t.Errorf("error %v, want %q in it", err, test.fault)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Equal(n.State["fc.bias"].Data, second["fc.bias"].Data) != test.second {
				t.Error("it is the other network")
			}
			if test.note != "" && !slices.Contains(n.Notes, test.note) {
				t.Errorf("the notes %q do not say %q", n.Notes, test.note)
			}
		})
	}
}

// TestFaults: what is wrong is said, with all that is known of what the weights are,
// and in the same words each time.
func TestFaults(t *testing.T) {
	without := func(state checkpoint.StateDict, drop string) checkpoint.StateDict {
		maps.DeleteFunc(state, func(name string, _ *checkpoint.Tensor) bool { return regexp.MustCompile(drop).MatchString(name) })
		return state
	}
	foreign := file(resnet18(t))
	foreign.States[0].Others = map[string]any{"epoch": 3, "bn1._extra_state": checkpoint.Foreign("an object of class io.BytesIO"), "fc.scale": checkpoint.Foreign("an object of class posix.system")}
	deeper := with(resnet18(t), renamed(resnet18(t), `^layer(\d)\.1`, `layer$1.2`))
	for name, test := range map[string]struct {
		file *checkpoint.File
		arch string
		want string
	}{
		"two last layers":     {file(with(renamed(resnet18(t), `^`, `backbone.`), checkpoint.StateDict{"fc.weight": ones(3, 8)})), "resnet18", "2 last layers: backbone.fc.weight [3 8], fc.weight [3 8]; want one"},
		"several layers":      {file(with(without(resnet18(t), `^fc`), checkpoint.StateDict{"fc.0.weight": ones(4, 8), "fc.0.bias": ones(4), "fc.2.weight": ones(3, 4), "fc.2.bias": ones(3)})), "", "a head of several layers: fc.0.weight [4 8], fc.2.weight [3 4]; want one linear layer"},
		"a head of fastai":    {file(with(without(resnet18(t), `^fc`), checkpoint.StateDict{"1.2.weight": ones(16), "1.4.weight": ones(4, 16), "1.8.weight": ones(3, 4)})), "", "a head of several layers: 1.4.weight [4 16], 1.8.weight [3 4]; want one linear layer"},
		"one output":          {file(with(resnet18(t), checkpoint.StateDict{"fc.weight": ones(1, 8), "fc.bias": ones(1)})), "", "one output, fc.weight [1 8]: a binary classifier with a sigmoid; two are needed: put a row of zeros"},
		"no last layer":       {file(without(resnet18(t), `^fc`)), "", "no last layer: want a matrix of 8 columns"},
		"strange tensor":      {file(with(resnet18(t), checkpoint.StateDict{"attention": ones(1)})), "", "the weights are not those of resnet18_224x224: unexpected attention [1]"},
		"not a number":        {file(with(resnet18(t), checkpoint.StateDict{"layer1.0.bn1.bias": checkpoint.FromFloat32s([]float32{float32(math.NaN())}, 1)})), "", "layer1.0.bn1.bias holds NaN: the training has diverged or the file is damaged"},
		"whole numbers":       {file(with(resnet18(t), checkpoint.StateDict{"bn1.bias": checkpoint.FromInt64s([]int64{1}, 1)})), "", "bn1.bias: elements are I64, want F32"},
		"an object":           {foreign, "", "the entry fc.scale is an object of class posix.system, not a tensor"},
		"a part is missing":   {file(without(resnet18(t), `^layer4`)), "resnet18_224x224", "the weights are not those of resnet18_224x224: no layer4.0.conv1.weight [8 4 3 3], no "},
		"of another shape":    {file(with(resnet18(t), checkpoint.StateDict{"bn1.bias": ones(2)})), "resnet18_224x224", "bn1.bias is [2], want [1]"},
		"no batch norm":       {file(without(resnet18(t), `running|num_batches`)), "resnet18", "but by their names those of a ResNet-18 without the statistics of BatchNorm (2 2 2 2 blocks): no bn1.running_mean [1], no "},
		"deeper":              {file(deeper), "resnet18", "unexpected layer1.2.bn1.bias [1], "},
		"another of ours":     {file(resnet50(t)), "resnet18", "not those of any of resnet18_224x224, resnet18_32x32, but by their names those of a ResNet-50 (3 4 6 3 blocks): layer1.0.conv1.weight is [1 1 1 1], want [1 1 3 3], "},
		"its name":            {file(resnet50(t)), "resnet18", "they are those of arch resnet50, width 1"},
		"no arch fits":        {file(checkpoint.StateDict{"features.denseblock1.x.weight": ones(2, 2)}), "", "wide_resnet50_2, but by their names those of a DenseNet: no features.conv0.weight or features.0.0.weight or block1.0.weight or conv1.weight or conv_proj.weight of 4 dimensions among features.denseblock1.x.weight"},
		"a stranger":          {file(checkpoint.StateDict{"inception3a.x.weight": ones(2, 2)}), "", "wide_resnet50_2, but by their names those of a GoogLeNet: no features.conv0.weight or features.0.0.weight or block1.0.weight or conv1.weight or conv_proj.weight of 4 dimensions among inception3a.x.weight; any other network is taken as an ONNX file, by ascood-export --onnx"},
		"pruned":              {file(renamed(with(resnet18(t), checkpoint.StateDict{"conv1.weight_mask": ones(1, 3, 7, 7)}), `^conv1.weight$`, `conv1.weight_orig`)), "", "those of a pruned network, which torch.nn.utils.prune.remove makes an ordinary one: no features.conv0.weight or "},
		"weight normalised":   {file(with(without(resnet18(t), `^fc.weight`), checkpoint.StateDict{"fc.weight_g": ones(3, 1), "fc.weight_v": ones(3, 8)})), "", "left over are fc.bias [3], fc.weight_g [3 1], fc.weight_v [3 8]; by their names the weights are those of a network with weight normalisation"},
		"an unknown arch":     {file(resnet18(t)), "vgg", `arch: unknown architecture "vgg"; known are densenet121, `},
		"first layer of none": {file(with(resnet18(t), checkpoint.StateDict{"conv1.weight": checkpoint.FromFloat32s(nil, 0, 3, 7, 7)})), "resnet18_224x224", "no channels"},
	} {
		t.Run(name, func(t *testing.T) {
			for range 5 {
				_, err := weights.Find(test.file, weights.Options{Arch: test.arch})
				if code := ascood.CodeOf(err); code != ascood.Invalid && code != ascood.Unsupported || !strings.Contains(err.Error(), test.want) {
					t.Fatalf("error %v, want %q in it", err, test.want)
				}
			}
		})
	}
}

// TestBackbone: to start a training from, the backbone must be whole and nothing of it
// left over; the last layer may be any.
func TestBackbone(t *testing.T) {
	for name, test := range map[string]struct {
		change  func(checkpoint.StateDict)
		classes int
		unfit   []string
		fault   string
	}{
		"whole":           {func(checkpoint.StateDict) {}, 3, nil, ""},
		"no last layer":   {func(s checkpoint.StateDict) { delete(s, "fc.weight"); delete(s, "fc.bias") }, 0, nil, ""},
		"several layers":  {func(s checkpoint.StateDict) { s["fc.2.weight"] = ones(2, 3) }, 3, []string{"fc.2.weight"}, ""},
		"one output":      {func(s checkpoint.StateDict) { s["fc.weight"], s["fc.bias"] = ones(1, 8), ones(1) }, 1, nil, ""},
		"two last layers": {func(s checkpoint.StateDict) { s["aux.weight"] = ones(3, 8) }, 0, nil, "2 last layers: aux.weight [3 8], fc.weight [3 8]"},
		"a part":          {func(s checkpoint.StateDict) { delete(s, "bn1.bias") }, 0, nil, "no bn1.bias [1]"},
		"deeper":          {func(s checkpoint.StateDict) { s["layer1.2.conv1.weight"] = ones(1, 1, 3, 3) }, 0, nil, "unexpected layer1.2.conv1.weight [1 1 3 3]"},
		"not a number": {func(s checkpoint.StateDict) {
			s["bn1.bias"] = checkpoint.FromFloat32s([]float32{float32(math.Inf(1))}, 1)
		}, 0, nil, "bn1.bias holds +Inf"},
	} {
		t.Run(name, func(t *testing.T) {
			state := resnet18(t)
			test.change(state)
			n, err := weights.Find(file(state), weights.Options{Arch: "resnet18_224x224", Backbone: true})
			if test.fault != "" {
				if ascood.CodeOf(err) != ascood.Invalid || !strings.Contains(err.Error(), test.fault) {
					t.Errorf("error %v, want %q in it", err, test.fault)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if n.Spec.Classes != test.classes || !slices.Equal(n.Unfit, test.unfit) {
				t.Errorf("%d classes, not taken %v; want %d, %v", n.Spec.Classes, n.Unfit, test.classes, test.unfit)
			}
		})
	}
}

// TestFirstFiles: torchvision's files of DenseNets and vision transformers have names
// that it changed later, and tell the size of their images.
func TestFirstFiles(t *testing.T) {
	for _, test := range []struct {
		spec models.Spec
		size int
		was  []string // pairs for renamed
	}{
		{models.Spec{Arch: "densenet121", Width: 2, Classes: 3, Head: models.HeadLinear}, 0, []string{`(denselayer\d+\.(norm|conv))`, `$1.`}},
		{models.Spec{Arch: "vit_b_16", Width: 64, Classes: 3, Head: models.HeadLinear}, 48, []string{`mlp\.0`, `mlp.linear_1`, `mlp\.3`, `mlp.linear_2`}},
		{models.Spec{Arch: "swin_t", Width: 32, Classes: 3, Head: models.HeadLinear}, 0, nil},
	} {
		net, err := models.New(test.spec, test.size)
		if err != nil {
			t.Fatal(err)
		}
		state := checkpoint.StateDict{}
		for _, p := range net.Params {
			if p.Integer {
				state[p.Name] = checkpoint.FromInt64s(make([]int64, p.Elements()), p.Shape...)
			} else {
				state[p.Name] = ones(p.Shape...)
			}
		}
		found, err := weights.Find(file(renamed(state, test.was...)), weights.Options{})
		if err != nil {
			t.Errorf("%s: %v", test.spec.Arch, err)
			continue
		}
		if found.Spec != test.spec {
			t.Errorf("found %+v, want %+v", found.Spec, test.spec)
		}
		if note := "names: those of torchvision's first files"; slices.Contains(found.Notes, note) != (test.was != nil) {
			t.Errorf("%s: the notes are %q", test.spec.Arch, found.Notes)
		}
	}
}
