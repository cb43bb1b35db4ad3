package scoring

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/ioodin"
	"github.com/ascood/ascood/preprocess"
	"github.com/ascood/ascood/serve/drift"
)

var score = artifact.Score{Name: artifact.ScoreIODIN, Temperature: 1000, Noise: 0.0014}

var info = artifact.Metadata{
	Name: "fake", Classes: []string{"dark", "bright"},
	Preprocess:  preprocess.Config{PreSize: 8, ImageSize: 8, Std: [3]float64{1, 1, 1}},
	Score:       score,
	Calibration: &artifact.Calibration{Samples: 2, TPR: 0.5, Threshold: 0.25, Quantiles: []float64{0.1, 0.25}, Score: score},
}

// fakeModel gives all images one score.
type fakeModel struct {
	score        float64
	uncalibrated bool
	padded       []int
	details      bool
	before       func(n int) error // called ahead of each batch of n images, if set

	mu      sync.Mutex
	batches []int
	closed  atomic.Bool
}

func (m *fakeModel) Info() artifact.Metadata {
	i := info
	if m.uncalibrated {
		i.Calibration = nil
	}
	return i
}

func (m *fakeModel) Settings() artifact.Score { return score }
func (m *fakeModel) Device() ascood.Device    { return ascood.Device{} }
func (m *fakeModel) BatchSize() int           { return 32 }
func (m *fakeModel) BatchSizes() []int        { return m.padded }

func (m *fakeModel) Close() error {
	if m.closed.Swap(true) {
		return errors.New("closed twice")
	}
	return nil
}

func (m *fakeModel) Score(_ context.Context, crops [][]uint8) ([]ioodin.Result, error) {
	if m.closed.Load() {
		return nil, errors.New("used after it was closed")
	}
	m.mu.Lock()
	m.batches = append(m.batches, len(crops))
	m.mu.Unlock()
	if m.before != nil {
		if err := m.before(len(crops)); err != nil {
			return nil, err
		}
	}
	results := make([]ioodin.Result, len(crops))
	for i := range results {
		results[i] = ioodin.Result{Score: m.score, Prediction: 1}
	}
	return results, nil
}

func (m *fakeModel) Outputs() []ioodin.Signature {
	return []ioodin.Signature{{Name: "index", Type: ioodin.Int64, Shape: []int{}}}
}

func (m *fakeModel) Details(ctx context.Context, crops [][]uint8) ([]ioodin.Result, []map[string]ioodin.Output, error) {
	if !m.details {
		return nil, nil, errors.New("opened without details")
	}
	results, err := m.Score(ctx, crops)
	outputs := make([]map[string]ioodin.Output, len(crops))
	for i, crop := range crops {
		outputs[i] = map[string]ioodin.Output{"index": {Ints: []int64{int64(crop[0])}}}
	}
	return results, outputs, err
}

// shelf is where fake models are opened from: files that say what they score.
type shelf struct {
	t      *testing.T
	folder string
	writes int

	mu     sync.Mutex
	opened []*fakeModel
}

// newShelf is empty. All that is opened from it is to be closed by the end of the test.
func newShelf(t *testing.T) *shelf {
	s := &shelf{t: t, folder: t.TempDir()}
	t.Cleanup(func() {
		if n := s.alive(); n > 0 {
			t.Errorf("%d models are still open", n)
		}
	})
	return s
}

// put writes a file: a number is the score of its model, anything else is wrong.
func (s *shelf) put(name, content string) string {
	s.t.Helper()
	path := filepath.Join(s.folder, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		s.t.Fatal(err)
	}
	s.writes++ // each at a time of its own, however coarse the file system's clock
	at := time.Unix(int64(1e9+s.writes), 0)
	if err := os.Chtimes(path, at, at); err != nil {
		s.t.Fatal(err)
	}
	return path
}

func (s *shelf) remove(name string) {
	s.t.Helper()
	if err := os.RemoveAll(filepath.Join(s.folder, name)); err != nil {
		s.t.Fatal(err)
	}
}

func (s *shelf) open(path string, details bool) (Model, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	m := &fakeModel{details: details}
	switch text := string(data); text {
	case "uncalibrated":
		m.uncalibrated = true
	case "no kernel":
		m.before = func(int) error { return errors.New("no kernel") }
	case "panic":
		m.before = func(int) error { panic("index out of range") }
	default:
		if m.score, err = strconv.ParseFloat(text, 64); err != nil {
			return nil, ascood.Errorf(ascood.Invalid, "model %s: not an ONNX file", path)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opened = append(s.opened, m)
	return m, nil
}

// alive counts the models that have not been closed.
func (s *shelf) alive() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, m := range s.opened {
		if !m.closed.Load() {
			n++
		}
	}
	return n
}

var limits = Limits{MaxPixels: 1000, MaxBatch: 4, MaxQueue: 100, Drift: drift.Config{Window: 10, Age: time.Hour, Level: 0.01}}

// serve opens the models until the test ends.
func (s *shelf) serve(source Source) *Models {
	s.t.Helper()
	source.Open = s.open
	m, err := Open(s.t.Context(), source, limits, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		if err := m.Close(); err != nil {
			s.t.Error(err)
		}
	})
	return m
}

// scored is what a model of that name scores.
func scored(t *testing.T, m *Models, name string) float64 {
	t.Helper()
	v, err := m.Acquire(name)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Release()
	r, err := v.Score(t.Context(), Image{Crop: make([]uint8, info.Preprocess.CropLen())}, false)
	if err != nil {
		t.Fatal(err)
	}
	return r.Score
}

// told is the list of models in one line.
func told(m *Models) string {
	var words []string
	for _, s := range m.List() {
		word := s.Name
		if s.Default {
			word += "*"
		}
		if s.Serving == nil {
			word += " missing"
		}
		if s.Refused != "" {
			word += " (" + s.Refused + ")"
		}
		words = append(words, word)
	}
	return strings.Join(words, ", ")
}
