package checkpoint

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"maps"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/models"
	"github.com/ascood/ascood/preprocess"
)

func read(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// wantError checks that err is the user's and contains all of the texts.
func wantError(t *testing.T, err error, texts ...string) {
	t.Helper()
	if err == nil || ascood.CodeOf(err) == ascood.Internal {
		t.Errorf("got %v, want an error with a code", err)
		return
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("error %q does not say %q", err, text)
		}
	}
}

// example is a checkpoint with every field set.
func example(t *testing.T) *Checkpoint {
	t.Helper()
	cifar10, err := preprocess.Preset("cifar10")
	if err != nil {
		t.Fatal(err)
	}
	return &Checkpoint{
		Model: StateDict{
			"fc.weight":               FromFloat32s([]float32{1, -2, 3.5, float32(math.Inf(1)), 5, 6}, 2, 3),
			"sigma":                   FromFloat32s([]float32{0.5}),
			"bn1.num_batches_tracked": FromInt64s([]int64{-7}),
			"none":                    FromFloat32s(nil, 0, 3),
		},
		Training: StateDict{
			"momentum.fc.weight": FromFloat32s(make([]float32, 6), 2, 3),
			"rng":                {DType: U8, Shape: []int{3}, Data: []byte{1, 2, 3}},
			"exact":              {DType: F64, Shape: []int{}, Data: make([]byte, 8)},
		},
		Meta: Meta{
			Arch: "resnet18_32x32", Classes: []string{"cat", "naïve \"dog\""}, Preprocess: &cifar10,
			Training: json.RawMessage(`{"lr":0.1,"epochs":5}`), Epoch: 3, Step: 17, Accuracy: 0.8725, Tool: "ascood-train 1.0",
		},
	}
}

func TestSaveLoad(t *testing.T) {
	want := example(t)
	dir := t.TempDir()
	path := filepath.Join(dir, "last.safetensors")
	for range 2 { // the second replaces the first
		if err := want.Save(path); err != nil {
			t.Fatal(err)
		}
	}
	got, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	wantSame(t, got.Model, want.Model)
	wantSame(t, got.Training, want.Training)
	if !reflect.DeepEqual(got.Meta, want.Meta) {
		t.Errorf("metadata %+v, want %+v", got.Meta, want.Meta)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 1 {
		t.Errorf("files %v, want last.safetensors alone", entries)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm()&0o600 != 0o600 || info.Mode().Perm()&0o022 != 0 {
		t.Errorf("mode %v, want readable and not writable by others", info.Mode())
	}
	other := filepath.Join(dir, "other.safetensors")
	if err := got.Save(other); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(read(t, path), read(t, other)) {
		t.Error("a loaded and saved checkpoint is another file")
	}
}

// TestFileLayout: the documented keys, for programs in other languages.
func TestFileLayout(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.safetensors")
	if err := example(t).Save(path); err != nil {
		t.Fatal(err)
	}
	content := read(t, path)
	n := binary.LittleEndian.Uint64(content)
	var header map[string]json.RawMessage
	if err := json.Unmarshal(content[8:8+n], &header); err != nil {
		t.Fatal(err)
	}
	names := []string{
		"__metadata__", "bn1.num_batches_tracked", "fc.weight", "none", "sigma",
		"training.exact", "training.momentum.fc.weight", "training.rng",
	}
	if got := slices.Sorted(maps.Keys(header)); !slices.Equal(got, names) {
		t.Errorf("names %v, want %v", got, names)
	}
	var metadata map[string]string
	if err := json.Unmarshal(header["__metadata__"], &metadata); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"format":            "pt",
		"ascood.format":     "1",
		"ascood.arch":       `"resnet18_32x32"`,
		"ascood.classes":    `["cat","naïve \"dog\""]`,
		"ascood.preprocess": `{"pre_size":32,"image_size":32,"mean":[0.4914,0.4822,0.4465],"std":[0.247,0.2435,0.2616],"resize":"shorter","interpolation":"bilinear","gray16":"clip","exif_orientation":"ignore","truncated":"refuse"}`,
		"ascood.training":   `{"lr":0.1,"epochs":5}`,
		"ascood.epoch":      "3",
		"ascood.step":       "17",
		"ascood.accuracy":   "0.8725",
		"ascood.tool":       `"ascood-train 1.0"`,
	}
	if !maps.Equal(metadata, want) {
		t.Errorf("metadata %v, want %v", metadata, want)
	}
}

func TestLoadBareStateDict(t *testing.T) {
	c, err := Load("testdata/lenet.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(c.Meta, Meta{}) || len(c.Training) != 0 {
		t.Errorf("metadata %+v and %d training tensors of a bare state dict", c.Meta, len(c.Training))
	}
	graph, err := models.New(models.Spec{Arch: "lenet", Width: 6, Classes: 10, Head: models.HeadLinear}, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := graph.Check(c.Model.Shapes()); err != nil {
		t.Error(err)
	}
}

// header is a safetensors file of the given header and number of data bytes.
func header(text string, data int) []byte {
	content := binary.LittleEndian.AppendUint64(nil, uint64(len(text)))
	return append(append(content, text...), make([]byte, data)...)
}

func TestLoadWrongInput(t *testing.T) {
	whole := read(t, "testdata/lenet.safetensors")
	for name, test := range map[string]struct {
		content []byte
		want    string
	}{
		"empty":                {nil, "the file is empty"},
		"text":                 {[]byte("these are no weights"), "neither a safetensors file nor one that torch.save wrote"},
		"truncated header":     {whole[:100], "invalid header length"},
		"truncated data":       {whole[:len(whole)-1], "incomplete"},
		"left over":            {append(bytes.Clone(whole), 0), "incomplete"},
		"huge header":          {append([]byte{255, 255, 255, 255, 255, 255, 255, 127, '{'}, whole...), "header too large"},
		"garbage header":       {header(`{"a":`, 0), "invalid header"},
		"no tensors":           {header(`{}`, 0), "no tensors"},
		"training only":        {header(`{"training.a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 4), "no tensors of a model"},
		"unknown type":         {header(`{"a":{"dtype":"F4","shape":[1],"data_offsets":[0,4]}}`, 4), `"F4"`},
		"shape and data":       {header(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}`, 4), "offsets mismatch"},
		"overflow":             {header(`{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,4]}}`, 4), "overflow"},
		"huge and zero":        {header(`{"a":{"dtype":"F32","shape":[18446744073709551615,0],"data_offsets":[0,0]}}`, 0), "negative dimension"},
		"outside":              {header(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}`, 4), `"a"`},
		"overlap":              {header(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 4), "offset"},
		"null":                 {header(`{"a":null}`, 0), `"a"`},
		"metadata of a number": {header(`{"__metadata__":{"x":1}}`, 0), "expected string"},
		"newer":                {header(`{"__metadata__":{"ascood.format":"2"}}`, 0), "a newer one wrote the file"},
		"no architecture":      {header(`{"__metadata__":{"ascood.format":"1"}}`, 0), "no ascood.arch"},
		"spoilt metadata":      {header(`{"__metadata__":{"ascood.format":"1","ascood.epoch":"x"}}`, 0), "ascood.epoch"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "weights.bin")
			if err := os.WriteFile(path, test.content, 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := Load(path)
			wantError(t, err, path, test.want)
		})
	}
	dir := t.TempDir()
	_, err := Load(filepath.Join(dir, "missing"))
	wantError(t, err, filepath.Join(dir, "missing"))
	_, err = Load(dir)
	wantError(t, err, dir)
}

// TestSaveFails: the error names the fault, and nothing is left behind.
func TestSaveFails(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "c.safetensors")
	one := FromFloat32s([]float32{1}, 1)
	for want, c := range map[string]*Checkpoint{
		"a: 4 bytes of data for shape [2]": {Model: StateDict{"a": FromFloat32s([]float32{1}, 2)}},
		`a: element type "F4"`:             {Model: StateDict{"a": {DType: "F4", Shape: []int{}, Data: []byte{0}}}},
		"training.b: 4 bytes":              {Model: StateDict{"a": one}, Training: StateDict{"b": FromFloat32s([]float32{1}, 2)}},
		"ascood.accuracy":                  {Model: StateDict{"a": one}, Meta: Meta{Arch: "lenet", Accuracy: math.NaN()}},
		"no ascood.arch":                   {Model: StateDict{"a": one}, Meta: Meta{Epoch: 3}},
		"the model has no tensors":         {Training: StateDict{"a": one}},
		"begins with training.":            {Model: StateDict{"training.a": one}},
	} {
		wantError(t, c.Save(path), path, want)
	}
	wantError(t, (&Checkpoint{Model: StateDict{"a": one}}).Save(filepath.Join(dir, "missing", "c")), "missing")
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 0 {
		t.Errorf("%v left behind", entries)
	}
}

func TestTensorConversions(t *testing.T) {
	for _, test := range []struct {
		dtype DType
		data  []byte
		want  []float32
	}{
		{F16, []byte{0x00, 0x3c, 0x01, 0x00, 0xff, 0xfb, 0x00, 0x80, 0x00, 0x7c}, []float32{1, 0x1p-24, -65504, 0, float32(math.Inf(1))}},
		{BF16, []byte{0x80, 0x3f, 0x49, 0xc0}, []float32{1, -3.140625}},
		{F64, binary.LittleEndian.AppendUint64(nil, math.Float64bits(0.1)), []float32{0.1}},
	} {
		tensor := &Tensor{DType: test.dtype, Shape: []int{len(test.want)}, Data: test.data}
		if got, err := tensor.Float32s(); err != nil || !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, %v; want %v", test.dtype, got, err, test.want)
		}
	}
	nan := &Tensor{DType: F16, Shape: []int{1}, Data: []byte{0x01, 0x7e}}
	if got, err := nan.Float32s(); err != nil || !math.IsNaN(float64(got[0])) {
		t.Errorf("half NaN is %v, %v", got, err)
	}
	integers := FromInt64s([]int64{math.MinInt64, 3}, 2)
	if got, err := integers.Int64s(); err != nil || !slices.Equal(got, []int64{math.MinInt64, 3}) {
		t.Errorf("integers %v, %v", got, err)
	}
	_, err := integers.Float32s()
	wantError(t, err, "elements are I64")
	_, err = nan.Int64s()
	wantError(t, err, "elements are F16")
	_, err = (&Tensor{DType: F32, Shape: []int{2}}).Float32s()
	wantError(t, err, "0 bytes of data for shape [2]")
}

func FuzzLoad(f *testing.F) {
	paths, err := filepath.Glob("testdata/torch/*.p*")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range paths {
		f.Add(read(f, path))
	}
	f.Add(header(`{"__metadata__":{"ascood.format":"1","ascood.arch":"\"lenet\""},"a":{"dtype":"F16","shape":[1],"data_offsets":[0,2]}}`, 2))
	f.Add(header(`{"training.b":{"dtype":"F64","shape":[0,9],"data_offsets":[0,0]}}`, 0))
	f.Fuzz(func(t *testing.T, content []byte) {
		file, err := parse(content)
		if err != nil {
			return
		}
		readAll(t, file)
	})
}
