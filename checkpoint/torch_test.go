package checkpoint

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ascood/ascood"
)

// expectation is what loading a file of testdata/torch must give.
type expectation struct {
	Tensors map[string]struct {
		DType  DType
		Shape  []int
		Values []float64
	}
	Error string
}

func TestLoadTorch(t *testing.T) {
	var all map[string]expectation
	if err := json.Unmarshal(read(t, "testdata/torch/expected.json"), &all); err != nil {
		t.Fatal(err)
	}
	if len(all) < 26 {
		t.Errorf("%d files, want 26", len(all))
	}
	for name, want := range all {
		t.Run(name, func(t *testing.T) {
			c, err := Load("testdata/torch/" + name)
			if want.Error != "" {
				wantError(t, err, name, want.Error)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got, want := slices.Sorted(maps.Keys(c.Model)), slices.Sorted(maps.Keys(want.Tensors)); !slices.Equal(got, want) {
				t.Fatalf("tensors %v, want %v", got, want)
			}
			for key, want := range want.Tensors {
				got := c.Model[key]
				if got.DType != want.DType || !slices.Equal(got.Shape, want.Shape) {
					t.Errorf("%s is %v, want %s%v", key, got, want.DType, want.Shape)
				} else if values := float64s(t, got); !slices.Equal(values, want.Values) {
					t.Errorf("%s holds %v, want %v", key, values, want.Values)
				}
			}
		})
	}
}

// float64s widens the elements of a tensor of any type.
func float64s(t *testing.T, tensor *Tensor) (values []float64) {
	t.Helper()
	if tensor.DType == F32 {
		singles, err := tensor.Float32s()
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range singles {
			values = append(values, float64(v))
		}
		return values
	}
	size := tensor.DType.Size()
	for data := tensor.Data; len(data) > 0; data = data[size:] {
		var word [8]byte
		negative := tensor.DType[0] == 'I' && data[size-1] >= 0x80
		for i := range word {
			switch {
			case i < size:
				word[i] = data[i]
			case negative:
				word[i] = 0xff
			}
		}
		v := int64(0)
		for i := 7; i >= 0; i-- {
			v = v<<8 | int64(word[i])
		}
		values = append(values, float64(v))
	}
	return values
}

// TestTorchEqualsSafetensors: one network in both formats.
func TestTorchEqualsSafetensors(t *testing.T) {
	a, err := Load("testdata/lenet.pth")
	if err != nil {
		t.Fatal(err)
	}
	b, err := Load("testdata/lenet.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	if len(a.Model) != 10 {
		t.Errorf("%d tensors, want 10", len(a.Model))
	}
	wantSame(t, a.Model, b.Model)
}

func wantSame(t *testing.T, got, want StateDict) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%d tensors, want %d", len(got), len(want))
	}
	for name, w := range want {
		g, ok := got[name]
		if !ok || g.String() != w.String() || !bytes.Equal(g.Data, w.Data) {
			t.Errorf("%s: got %v, want the %v", name, g, w)
		}
	}
}

func TestLoadDamagedTorch(t *testing.T) {
	zip, legacy := read(t, "testdata/torch/zip-plain.pth"), read(t, "testdata/torch/legacy-plain.pth")
	flip := func(data, at []byte, by int) []byte {
		data = bytes.Clone(data)
		data[bytes.Index(data, at)+by] ^= 0x40
		return data
	}
	for name, test := range map[string]struct {
		data []byte
		want string
	}{
		"truncated archive":      {zip[:len(zip)/2], "damaged or truncated zip archive"},
		"damaged storage":        {flip(zip, float32Bytes(-1.5), 0), "checksum"},
		"truncated legacy":       {legacy[:len(legacy)-3], "truncated: storage"},
		"legacy without storage": {legacy[:bytes.Index(legacy, []byte("conv.weight"))+200], "pickle"},
		"legacy magic only":      {legacyMagic, "truncated pickle"},
		"legacy of 2 bytes":      {legacy[:2], "neither a safetensors file nor"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "damaged.pth")
			if err := os.WriteFile(path, test.data, 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := Load(path)
			wantError(t, err, path, test.want)
		})
	}
}

func float32Bytes(v float32) []byte { return FromFloat32s([]float32{v}).Data }

// TestUnpickleHostile: lengths that the data does not have, and what makes the
// library panic.
func TestUnpickleHostile(t *testing.T) {
	for name, data := range map[string]string{
		"long string":    "\x80\x02X\xff\xff\xff\xff",
		"huge bytes":     "\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x7f",
		"negative huge":  "\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\xff",
		"huge frame":     "\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\x0f.",
		"no such opcode": "\x80\x02\xff.",
		"empty long":     "\x80\x02\x8a\x00.",
		"list as key":    "\x80\x02ccollections\nOrderedDict\n)RC\x01aNs.",
		"odd items":      "\x80\x02}(Nu.",
		"no stop":        "\x80\x02N",
		"no line":        "ctorch\nFloatStorage",
		"marks":          strings.Repeat("(", maxPickle+1),
		"instance":       "\x80\x02(cos\nsystem\no.",
		"old instance":   "(ios\nsystem\n.",
		"new object":     "\x80\x02cbuiltins\nobject\n)\x81.",
		"bare reference": "\x80\x02NQ.",
		"extension":      "\x80\x02\x82\x01.",
	} {
		t.Run(name, func(t *testing.T) {
			r := &torchReader{storages: map[string]*storage{}, open: func(string, *storage) error { return nil }}
			object, _, err := unpickle([]byte(data), r.persistent)
			if code := ascood.CodeOf(err); err == nil || code == ascood.Internal {
				t.Errorf("got %v and error %v, want an error of the user's", object, err)
			}
		})
	}
}

// TestStridedBounds: a tensor that reaches outside its storage, or whose size
// overflows, is refused before anything is read.
func TestStridedBounds(t *testing.T) {
	s := &storage{dtype: F32, elements: 6}
	for _, test := range []struct {
		offset         int
		shape, strides []int
		ok             bool
	}{
		{0, []int{2, 3}, []int{3, 1}, true},
		{5, []int{}, []int{}, true},
		{0, []int{1000}, []int{0}, true},
		{9, []int{0}, []int{1}, true},
		{6, []int{}, []int{}, false},
		{-1, []int{1}, []int{1}, false},
		{1, []int{2, 3}, []int{3, 1}, false},
		{0, []int{-1}, []int{1}, false},
		{0, []int{2}, []int{-1}, false},
		{0, []int{2}, []int{math.MaxInt}, false},
		{0, []int{1 << 39, 1 << 39}, []int{0, 0}, false},
		{0, []int{2, 2}, []int{1 << 39, 1 << 39}, false},
		{0, make([]int, 65), make([]int, 65), false},
	} {
		if err := (&strided{s, test.offset, test.shape, test.strides}).validate(); (err == nil) != test.ok {
			t.Errorf("shape %v, strides %v at %d: error %v", test.shape, test.strides, test.offset, err)
		}
	}
}

// TestStateDictLimit: a small file cannot become a large network by viewing one
// element a billion times.
func TestStateDictLimit(t *testing.T) {
	s := &storage{dtype: F32, elements: 1, data: make([]byte, 4)}
	_, err := stateDict(map[string]*strided{"w": {s, 0, []int{1 << 30}, []int{0}}}, 1000)
	if ascood.CodeOf(err) != ascood.TooLarge {
		t.Errorf("got %v, want an error of code %s", err, ascood.TooLarge)
	}
}

// FuzzUnpickle skips the archive around a pickle, whose checksums would reject
// most of what the fuzzer tries.
func FuzzUnpickle(f *testing.F) {
	for _, path := range []string{"zip-views.pt", "protocol4.pth", "nested-model.pth", "evil-zip.pth", "parameter.pth"} {
		content := read(f, "testdata/torch/"+path)
		archive, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
		if err != nil {
			f.Fatal(err)
		}
		for _, record := range archive.File {
			if !strings.HasSuffix(record.Name, "data.pkl") {
				continue
			}
			r, err := record.Open()
			if err != nil {
				f.Fatal(err)
			}
			data, err := io.ReadAll(r)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		open := func(_ string, s *storage) error {
			if s.elements > 1000 {
				return errors.New("the test has no such record")
			}
			s.data = make([]byte, s.elements*s.dtype.Size())
			return nil
		}
		r := &torchReader{storages: map[string]*storage{}, open: open}
		object, _, err := unpickle(data, r.persistent)
		if err != nil {
			return
		}
		tensors, err := findStateDict(object)
		if err != nil {
			return
		}
		state, err := stateDict(tensors, len(data))
		if err != nil {
			return
		}
		for name, tensor := range state {
			if err := tensor.validate(); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
	})
}
