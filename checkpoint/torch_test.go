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
	"github.com/ascood/ascood/internal/pickle"
)

// expectation is what opening a file of testdata/torch must give: the tensors of each
// state dict, by its key.
type expectation struct {
	States map[string]map[string]struct {
		DType  DType
		Shape  []int
		Values []float64
	}
	Classes []string
	Error   string
}

// TestOpenTorch: the state dicts are found wherever they lie and whatever lies beside
// them.
func TestOpenTorch(t *testing.T) {
	var all map[string]expectation
	if err := json.Unmarshal(read(t, "testdata/torch/expected.json"), &all); err != nil {
		t.Fatal(err)
	}
	if files, err := os.ReadDir("testdata/torch"); err != nil || len(all) != len(files)-1 {
		t.Errorf("%d files, %d are expected (%v)", len(files)-1, len(all), err)
	}
	for name, want := range all {
		t.Run(name, func(t *testing.T) {
			f, err := Open("testdata/torch/" + name)
			if want.Error != "" {
				wantError(t, err, name, want.Error)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			states := map[string]*State{}
			for _, s := range f.States {
				states[s.Key] = s
			}
			for key, tensors := range want.States {
				s, ok := states[key]
				if !ok {
					t.Fatalf("no state dict under %q", key)
				}
				if got, want := slices.Sorted(maps.Keys(s.Shapes)), slices.Sorted(maps.Keys(tensors)); !slices.Equal(got, want) {
					t.Fatalf("%q: tensors %v, want %v", key, got, want)
				}
				for tensor, want := range tensors {
					got, err := s.Tensor(tensor)
					if err != nil {
						t.Fatal(err)
					}
					if got.DType != want.DType || !slices.Equal(got.Shape, want.Shape) || !slices.Equal(s.Shapes[tensor], want.Shape) {
						t.Errorf("%s is %v, want %s%v", tensor, got, want.DType, want.Shape)
					} else if values := float64s(t, got); !slices.Equal(values, want.Values) {
						t.Errorf("%s holds %v, want %v", tensor, values, want.Values)
					}
				}
			}
			if !slices.Equal(f.Classes.Names, want.Classes) {
				t.Errorf("classes %v under %s, want %v", f.Classes.Names, f.Classes.Key, want.Classes)
			}
		})
	}
	if _, err := os.Stat("/tmp/this-must-not-exist"); err == nil {
		t.Error("the command in a file was run")
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
		"legacy magic only":      {legacy[:15], "truncated pickle"},
		"legacy of 2 bytes":      {legacy[:2], "a pickle that torch.save did not write: truncated pickle"},
		"changed compression":    {flip(read(t, "testdata/torch/deflated.pth"), []byte("PK\x01\x02"), 16), "is damaged: zip: checksum error"},
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

// TestStridedBounds: a tensor that reaches outside its storage, or whose size
// overflows, is refused before anything is read.
// TestLikelierClasses: of two lists of names in one place the likelier is taken.
func TestLikelierClasses(t *testing.T) {
	names := func(names ...any) any { return &pickle.List{Kind: "list", Items: names} }
	f := &finder{}
	f.lookForClasses("meta", []pickle.Entry{{Key: "labels", Value: names("day", "night", "dawn")}, {Key: "classes", Value: names("cat", "dog")}, {Key: "class_to_idx", Value: 3}})
	if f.classes.Key != "meta.classes" || !slices.Equal(f.classes.Names, []string{"cat", "dog"}) {
		t.Errorf("classes %+v", f.classes)
	}
}

// TestWrongRecord: one that cannot be read, or has another size than its storage, is an
// error whenever it is asked for: tensors share storages.
func TestWrongRecord(t *testing.T) {
	wrong := errors.New("of another size")
	s := &storage{element: elementOf(F32), elements: 2, read: func() ([]byte, error) { return []byte{1}, wrong }}
	tensor := &strided{storage: s, element: s.element, shape: []int{2}, strides: []int{1}}
	for range 2 {
		if got, err := tensor.tensor(); !errors.Is(err, wrong) {
			t.Errorf("got %v, %v", got, err)
		}
	}
}

func TestStridedBounds(t *testing.T) {
	s := &storage{element: elementOf(F32), elements: 6}
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
		if err := (&strided{s, s.element, test.offset, test.shape, test.strides}).validate(); (err == nil) != test.ok {
			t.Errorf("shape %v, strides %v at %d: error %v", test.shape, test.strides, test.offset, err)
		}
	}
}

// TestCopyLimit: a small file cannot become a large network by viewing one element a
// billion times.
func TestCopyLimit(t *testing.T) {
	s := &storage{element: elementOf(F32), elements: 1, data: make([]byte, 4)}
	_, err := newCopier(1000).tensor(&strided{s, s.element, 0, []int{1 << 30}, []int{0}})
	if ascood.CodeOf(err) != ascood.TooLarge {
		t.Errorf("got %v, want an error of code %s", err, ascood.TooLarge)
	}
}

// TestInflateLimit: nor by compression.
func TestInflateLimit(t *testing.T) {
	var packed bytes.Buffer
	w := zip.NewWriter(&packed)
	record, err := w.Create("x/data.pkl")
	if err != nil {
		t.Fatal(err)
	}
	zeros := make([]byte, 1<<20)
	for range 300 {
		if _, err := record.Write(zeros); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := parse(packed.Bytes()); ascood.CodeOf(err) != ascood.TooLarge {
		t.Errorf("got %v, want an error of code %s", err, ascood.TooLarge)
	}
}

// FuzzUnpickle skips the archive around a pickle, whose checksums would reject
// most of what the fuzzer tries.
func FuzzUnpickle(f *testing.F) {
	for _, path := range []string{"zip-views.pt", "protocol4.pth", "nested-model.pth", "evil-zip.pth", "parameter-state.pth", "zip-beside.pth", "beside-protocol5.pth", "module.pth", "script.pt", "arrays.pth", "classes0.pth"} {
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
		r := newTorchReader(func(_ string, s *storage) {
			s.read = func() ([]byte, error) {
				if s.elements > 1000 {
					return nil, errors.New("the test has no such record")
				}
				return make([]byte, s.elements*s.size), nil
			}
		})
		object, _, err := r.read(data)
		if err != nil {
			return
		}
		file, err := newFile(object, len(data))
		if err != nil {
			return
		}
		readAll(t, file)
	})
}

// readAll reads every tensor of a file, which must be sound or refused.
func readAll(t *testing.T, f *File) {
	for _, s := range f.States {
		for name, shape := range s.Shapes {
			tensor, err := s.Tensor(name)
			if err != nil {
				continue
			}
			if err := tensor.validate(); err != nil || !slices.Equal(shape, tensor.Shape) {
				t.Fatalf("%s: %v, %v against %v", name, err, tensor, shape)
			}
		}
	}
}
