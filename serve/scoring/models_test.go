package scoring

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ascood/ascood"
)

func TestNames(t *testing.T) {
	s := newShelf(t)
	standard := s.put("elsewhere/model.onnx", "0.5") // no model of the folder: it has no name there
	s.put("models/clothes.onnx", "0.1")
	s.put("models/digits/model.onnx", "0.2")
	s.put("models/digits/readme.txt", "text")
	s.put("models/readme.txt", "text")
	s.put("models/.clothes.onnx.part", "0.3")
	s.put("models/.hidden/model.onnx", "0.3")
	s.put("models/empty/readme.txt", "text")
	folder := filepath.Join(s.folder, "models")

	m := s.serve(Source{Model: standard, Folder: folder})
	if got := told(m); got != "clothes, digits, fake*" {
		t.Errorf("served are %s", got)
	}
	for name, want := range map[string]float64{"": 0.5, "fake": 0.5, "clothes": 0.1, "digits": 0.2} {
		if got := scored(t, m, name); got != want {
			t.Errorf("%q scores %v, want %v", name, got, want)
		}
	}
	if _, err := m.Acquire("readme"); ascood.CodeOf(err) != NotFound || err.Error() != `no such model: "readme"` {
		t.Errorf("got %v", err)
	}

	if got := told(s.serve(Source{Model: standard, Name: "other", Folder: folder})); got != "clothes, digits, other*" {
		t.Errorf("with a name: served are %s", got)
	}
	several := s.serve(Source{Folder: folder})
	if _, err := several.Acquire(""); told(several) != "clothes, digits" || ascood.CodeOf(err) != NotFound {
		t.Errorf("several: served are %s; %v", told(several), err)
	}
	if got := told(s.serve(Source{Folder: folder, Default: "digits"})); got != "clothes, digits*" {
		t.Errorf("chosen: served are %s", got)
	}
	s.remove("models/digits")
	if got := told(s.serve(Source{Folder: folder})); got != "clothes*" {
		t.Errorf("one: served are %s", got)
	}
}

func TestOpenRefuses(t *testing.T) {
	s := newShelf(t)
	good, bad := s.put("good.onnx", "0.5"), s.put("bad.onnx", "text")
	s.put("none/readme.txt", "text")
	s.put("both/a.onnx", "0.1")
	s.put("both/a/model.onnx", "0.1")
	s.put("broken/a.onnx", "text")
	for _, tt := range []struct {
		source Source
		want   string
	}{
		{Source{Model: bad}, "bad.onnx: not an ONNX file"},
		{Source{Model: "missing.onnx"}, "model: open missing.onnx: no such file or directory"},
		{Source{Model: s.folder}, "a folder, not a file"},
		{Source{Model: s.put("u.onnx", "uncalibrated")}, "model fake was exported without a calibration"},
		{Source{Model: s.put("k.onnx", "no kernel")}, "the model cannot score the test image\nno kernel"},
		{Source{Model: s.put("p.onnx", "panic")}, "panic: index out of range"},
		{Source{Folder: "missing"}, "folder of models: open missing: no such file or directory"},
		{Source{Folder: filepath.Join(s.folder, "none")}, "none: want NAME.onnx or NAME/model.onnx"},
		{Source{Folder: filepath.Join(s.folder, "both")}, "are both named a: one of them needs another name"},
		{Source{Folder: filepath.Join(s.folder, "broken")}, "a.onnx: not an ONNX file"},
		{Source{Model: good, Name: "a", Folder: filepath.Join(s.folder, "broken")}, "are both named a"},
		{Source{Folder: s.folder, Default: "bad"}, "bad.onnx: not an ONNX file"},
		{Source{Folder: s.folder, Default: "nothing"}, "default nothing: there is no such model; there are bad, good"},
	} {
		tt.source.Open = s.open
		if m, err := Open(t.Context(), tt.source, limits, nil); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: got %v, want %s", tt.source, err, tt.want)
			if err == nil {
				m.Close()
			}
		}
	}
	if n := s.alive(); n != 0 {
		t.Errorf("%d models are still open", n)
	}
}

// The sizes of batches that there will be are tried before anybody asks.
func TestSelfTest(t *testing.T) {
	for _, tt := range []struct {
		padded []int
		most   int
		want   []int
	}{
		{nil, 1, []int{1}},
		{nil, 8, []int{1, 8}},
		{[]int{1, 8, 32}, 1, []int{1}},
		{[]int{1, 8, 32}, 8, []int{1, 8}},
		{[]int{1, 8, 32}, 20, []int{1, 8, 20}},
		{[]int{1, 8, 32}, 100, []int{1, 8, 32}},
		{[]int{1}, 8, []int{1}},
	} {
		m := &fakeModel{padded: tt.padded}
		if err := selfTest(t.Context(), m, tt.most); err != nil || !slices.Equal(m.batches, tt.want) {
			t.Errorf("padded to %v, up to %d images: tried %v, %v; want %v", tt.padded, tt.most, m.batches, err, tt.want)
		}
	}
}

// Without a limit, batches are as large as suits the image and the device.
func TestBatch(t *testing.T) {
	if got := (Limits{}).batch(&fakeModel{}); got != 32 {
		t.Errorf("up to %d images of 8x8 pixels", got)
	}
	if got := (Limits{MaxBatch: 3}).batch(&fakeModel{}); got != 3 {
		t.Errorf("up to %d images, of 3 that may be", got)
	}
}

func TestReload(t *testing.T) {
	s := newShelf(t)
	standard := s.put("standard.onnx", "0.5")
	s.put("models/a.onnx", "0.1")
	m := s.serve(Source{Model: standard, Name: "standard", Folder: filepath.Join(s.folder, "models")})
	for _, step := range []struct {
		name   string
		change func()
		retry  bool
		want   string
		opened int // models opened by the reload
	}{
		{"nothing changed", func() {}, true, "a, standard*", 0},
		{"a new one", func() { s.put("models/b/model.onnx", "0.2") }, false, "a, b, standard*", 1},
		{"a changed one", func() { s.put("models/a.onnx", "0.3") }, false, "a, b, standard*", 1},
		{"another file in its place", func() {
			replace(t, s.put("models/.a", "0.4"), filepath.Join(s.folder, "models/a.onnx"))
		}, false, "a, b, standard*", 1},
		{"a bad one, the old goes on", func() { s.put("models/a.onnx", "text") }, false, "a (model a.onnx: not an ONNX file), b, standard*", 0},
		{"still bad", func() {}, true, "a (model a.onnx: not an ONNX file), b, standard*", 0},
		{"a new bad one", func() { s.put("models/c.onnx", "no kernel") }, false,
			"a (model a.onnx: not an ONNX file), b, c missing (the model cannot score the test image\nno kernel), standard*", 1},
		{"bad ones are not tried again", func() {}, false,
			"a (model a.onnx: not an ONNX file), b, c missing (the model cannot score the test image\nno kernel), standard*", 0},
		{"but by a signal", func() {}, true,
			"a (model a.onnx: not an ONNX file), b, c missing (the model cannot score the test image\nno kernel), standard*", 1},
		{"gone", func() { s.remove("models/c.onnx"); s.remove("models/b") }, false, "a (model a.onnx: not an ONNX file), standard*", 0},
		{"good again", func() { s.put("models/a.onnx", "0.6") }, false, "a, standard*", 1},
		{"the default is gone", func() { s.remove("standard.onnx") }, false, "a, standard* (model: open standard.onnx: no such file or directory)", 0},
		{"and back", func() { s.put("standard.onnx", "0.7") }, false, "a, standard*", 1},
		{"two of one name", func() { s.put("models/a/model.onnx", "0.8") }, true, "a, standard*", 0},
		{"no folder", func() { s.remove("models") }, true, "a, standard*", 0},
	} {
		step.change()
		before := len(s.opened)
		m.Reload(t.Context(), step.retry)
		if got := told(m); got != step.want || len(s.opened)-before != step.opened {
			t.Errorf("%s: served are %s, want %s; %d models opened", step.name, got, step.want, len(s.opened)-before)
		}
		serving := 0
		for _, status := range m.List() {
			if status.Serving != nil {
				serving++
			}
		}
		if n := s.alive(); n != serving {
			t.Errorf("%s: %d models are open, %d served", step.name, n, serving)
		}
	}
	if a, standard := scored(t, m, "a"), scored(t, m, ""); a != 0.6 || standard != 0.7 {
		t.Errorf("at the end the scores are %v and %v", a, standard)
	}
}

func replace(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

// Whoever has acquired a model goes on with it while it is replaced.
func TestReloadUnderUse(t *testing.T) {
	s := newShelf(t)
	path := s.put("a.onnx", "1")
	m := s.serve(Source{Model: path})
	old, err := m.Acquire("")
	if err != nil {
		t.Fatal(err)
	}
	s.put("a.onnx", "2")
	reloaded := make(chan struct{})
	go func() {
		m.Reload(t.Context(), false)
		close(reloaded)
	}()
	for deadline := time.Now().Add(10 * time.Second); scored(t, m, "") != 2; {
		if time.Now().After(deadline) {
			t.Fatal("the new one is not served")
		}
	}
	if r, err := old.Score(t.Context(), Image{Crop: make([]uint8, info.Preprocess.CropLen())}, false); err != nil || r.Score != 1 {
		t.Errorf("the old one: %v, %v", r, err)
	}
	select {
	case <-reloaded:
		t.Error("the old one was freed while it was used")
	default:
	}
	old.Release()
	<-reloaded
	if n := s.alive(); n != 1 {
		t.Errorf("%d models are open", n)
	}
}

// No image is lost while models come and go.
func TestReloadUnderLoad(t *testing.T) {
	s := newShelf(t)
	path := s.put("a.onnx", "0")
	m := s.serve(Source{Model: path})
	stop := make(chan struct{})
	var clients sync.WaitGroup
	for range 8 {
		clients.Go(func() {
			for latest := 0.0; ; {
				select {
				case <-stop:
					return
				default:
				}
				got := scored(t, m, "")
				if got < latest {
					t.Errorf("scored %v after %v", got, latest)
					return
				}
				latest = got
			}
		})
	}
	for _, score := range []string{"1", "text", "2", "3", "no kernel", "4", "5"} {
		s.put("a.onnx", score)
		m.Reload(t.Context(), false)
	}
	close(stop)
	clients.Wait()
	if got := scored(t, m, ""); got != 5 {
		t.Errorf("at last it scores %v", got)
	}
	if n := s.alive(); n != 1 {
		t.Errorf("%d models are open", n)
	}
}

func TestWatch(t *testing.T) {
	s := newShelf(t)
	m := s.serve(Source{Model: s.put("a.onnx", "1")})
	signals, done := make(chan os.Signal), make(chan struct{})
	go func() {
		defer close(done)
		m.Watch(t.Context(), time.Millisecond, signals)
	}()
	await := func(want float64) {
		t.Helper()
		for deadline := time.Now().Add(10 * time.Second); scored(t, m, "") != want; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("it does not come to score %v", want)
			}
		}
	}
	s.put("a.onnx", "2")
	await(2)
	signals <- os.Interrupt
	s.put("a.onnx", "3")
	await(3)
	t.Cleanup(func() { <-done })
}

// Details are of the same file as the scores, and opened only if asked for.
func TestDetails(t *testing.T) {
	s := newShelf(t)
	m := s.serve(Source{Model: s.put("a.onnx", "1")})
	ask := func() (*Result, error) {
		v, err := m.Acquire("")
		if err != nil {
			t.Fatal(err)
		}
		defer v.Release()
		crop := make([]uint8, info.Preprocess.CropLen())
		crop[0] = 7
		return v.Score(t.Context(), Image{Crop: crop}, true)
	}
	if n := s.alive(); n != 1 {
		t.Errorf("%d models are open before anybody asks", n)
	}
	for range 2 {
		r, err := ask()
		if err != nil || r.Score != 1 || r.Details.Outputs["index"].Ints[0] != 7 || r.Details.Crop[0] != 7 {
			t.Errorf("got %+v, %v", r, err)
		}
	}
	if n := s.alive(); n != 2 {
		t.Errorf("%d models are open", n)
	}
	s.put("a.onnx", "2")
	m.Reload(t.Context(), false)
	if n := s.alive(); n != 1 {
		t.Errorf("%d models are open after a reload", n)
	}
	s.put("a.onnx", "3")
	if _, err := ask(); ascood.CodeOf(err) != ascood.Unavailable || !strings.Contains(err.Error(), "has changed since it was loaded") {
		t.Errorf("of a changed file: %v", err)
	}
	m.Reload(t.Context(), false)
	if r, err := ask(); err != nil || r.Score != 3 {
		t.Errorf("after the next reload: %+v, %v", r, err)
	}
}

// A crop of another size is the client's mistake.
func TestWrongCrop(t *testing.T) {
	s := newShelf(t)
	m := s.serve(Source{Model: s.put("a.onnx", "1")})
	v, err := m.Acquire("")
	if err != nil {
		t.Fatal(err)
	}
	defer v.Release()
	if _, err := v.Score(t.Context(), Image{Crop: make([]uint8, 3)}, false); ascood.CodeOf(err) != ascood.Invalid {
		t.Errorf("got %v", err)
	}
}

// A device that is lost in a trial is lost to all.
func TestDeviceLostInTrial(t *testing.T) {
	s := newShelf(t)
	m := s.serve(Source{Model: s.put("a.onnx", "1")})
	m.source.Open = func(string, bool) (Model, error) {
		return &fakeModel{before: func(int) error { return ascood.Errorf(ascood.Unavailable, "run: %w", ascood.ErrDeviceLost) }}, nil
	}
	s.put("a.onnx", "2")
	m.Reload(t.Context(), false)
	<-m.Lost().Done()
	if got := scored(t, m, ""); got != 1 || !errors.Is(m.entries["fake"].refused, ascood.ErrDeviceLost) {
		t.Errorf("scores %v", got)
	}
}
