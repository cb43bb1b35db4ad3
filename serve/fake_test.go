package serve

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/ioodin"
	"github.com/ascood/ascood/preprocess"
	"github.com/ascood/ascood/serve/scoring"
)

// fakeModel scores an image by its brightness, 0 to 1. It keeps dark images,
// below 0.25, out.
type fakeModel struct {
	uncalibrated bool
	device       ascood.Device
	before       func(crops [][]uint8) error // called ahead of each batch for clients, if set
	served       bool                        // it has been tried
	mu           sync.Mutex
	batches      []int // sizes of the batches so far
}

const side = 8

var fakeScore = artifact.Score{Name: artifact.ScoreIODIN, Temperature: 1000, Noise: 0.0014}

var fakeInfo = artifact.Metadata{
	Name: "fake", Arch: "lenet", Width: 6, Head: "linear", Classes: []string{"dark", "bright"},
	Preprocess: preprocess.Config{PreSize: side, ImageSize: side, Std: [3]float64{1, 1, 1}},
	Score:      fakeScore,
	Calibration: &artifact.Calibration{
		Samples: 9, TPR: 0.8, Threshold: 0.25, Quantiles: []float64{0.1, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9},
		Score: fakeScore, Data: "/home/someone/private/images", Classes: []int{2, 7},
	},
	Source: artifact.Source{Checkpoint: "best.safetensors", SHA256: "abc123"},
}

func (m *fakeModel) Info() artifact.Metadata {
	info := fakeInfo
	if m.uncalibrated {
		info.Calibration = nil
	}
	return info
}

func (m *fakeModel) Settings() artifact.Score { return fakeInfo.Score }
func (m *fakeModel) Device() ascood.Device    { return m.device }
func (m *fakeModel) BatchSize() int           { return 32 }
func (m *fakeModel) BatchSizes() []int        { return nil }
func (m *fakeModel) Close() error             { return nil }

func (m *fakeModel) Score(_ context.Context, crops [][]uint8) ([]ioodin.Result, error) {
	m.mu.Lock()
	if m.served {
		m.batches = append(m.batches, len(crops))
	}
	m.mu.Unlock()
	if m.served && m.before != nil {
		if err := m.before(crops); err != nil {
			return nil, err
		}
	}
	results := make([]ioodin.Result, len(crops))
	for i, crop := range crops {
		sum := 0
		for _, v := range crop {
			sum += int(v)
		}
		brightness := float64(sum) / float64(len(crop)) / 255
		results[i] = ioodin.Result{Score: brightness, Prediction: int(brightness + 0.5), Probability: 0.75}
	}
	return results, nil
}

// Outputs are a gradient that is as large as its pixel, and where it is largest.
func (m *fakeModel) Outputs() []ioodin.Signature {
	return []ioodin.Signature{
		{Name: artifact.Logits, Type: ioodin.Float32, Shape: []int{2}},
		{Name: artifact.Prediction, Type: ioodin.Int64, Shape: []int{}},
		{Name: artifact.Gradient, Type: ioodin.Float32, Shape: []int{3, side, side}},
		{Name: artifact.Index, Type: ioodin.Int64, Shape: []int{}},
	}
}

func (m *fakeModel) Details(ctx context.Context, crops [][]uint8) ([]ioodin.Result, []map[string]ioodin.Output, error) {
	results, err := m.Score(ctx, crops)
	outputs := make([]map[string]ioodin.Output, len(crops))
	for i, crop := range crops {
		gradient, largest := make([]float32, len(crop)), 0
		for channel := range 3 {
			for p := range side * side {
				at := channel*side*side + p
				gradient[at] = float32(crop[3*p+channel])
				if gradient[at] > gradient[largest] {
					largest = at
				}
			}
		}
		outputs[i] = map[string]ioodin.Output{
			artifact.Logits:     {Floats: []float32{0.5, 1.5}},
			artifact.Prediction: {Ints: []int64{int64(results[i].Prediction)}},
			artifact.Gradient:   {Floats: gradient},
			artifact.Index:      {Ints: []int64{int64(largest)}},
		}
	}
	return results, outputs, err
}

// blocking returns a model that, once it has begun a batch, waits for release to
// be closed. begun receives a value for each batch.
func blocking() (m *fakeModel, begun chan int, release chan struct{}) {
	begun, release = make(chan int, 100), make(chan struct{})
	m = &fakeModel{before: func(crops [][]uint8) error {
		begun <- len(crops)
		<-release
		return nil
	}}
	return m, begun, release
}

// newServer returns a server with the default limits, changed by each tweak. All that it
// answers is held to its description (contract).
func newServer(t testing.TB, m tested, tweaks ...func(*Config)) *Server {
	t.Helper()
	config := DefaultConfig()
	for _, tweak := range tweaks {
		tweak(&config)
	}
	models := open(t, m, config)
	s, err := New(models, config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { models.Close() })
	newContract(t).watch(s)
	return s
}

// tested is a fake that is told when it has been tried.
type tested interface {
	scoring.Model
	serve()
}

func (m *fakeModel) serve() { m.served = true }

// open makes a fake the default model, in the place of a file.
func open(t testing.TB, m tested, config Config) *scoring.Models {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fake.onnx")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	source := scoring.Source{Model: path, Open: func(string, bool) (scoring.Model, error) { return m, nil }}
	models, err := scoring.Open(t.Context(), source, config.Limits, nil)
	if err != nil {
		t.Fatal(err)
	}
	m.serve()
	return models
}

// logTo makes the server log JSON lines to w.
func logTo(w io.Writer) func(*Config) {
	return func(c *Config) { c.Logger = slog.New(slog.NewJSONHandler(w, nil)) }
}

// grayPNG is an image of one level of gray.
func grayPNG(t testing.TB, level uint8) []byte {
	t.Helper()
	img := image.NewGray(image.Rect(0, 0, 2*side, side))
	for i := range img.Pix {
		img.Pix[i] = level
	}
	return encodePNG(t, img)
}

func encodePNG(t testing.TB, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// uniform is an image of one colour in any of the standard library's models.
func uniform[T interface {
	image.Image
	Set(x, y int, c color.Color)
}](img T, c color.Color) T {
	b := img.Bounds()
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			img.Set(x, y, c)
		}
	}
	return img
}

// file is a part of a form.
type file struct {
	field, name string
	data        []byte
}

// form is a request with the files as parts.
func form(t testing.TB, files ...file) *http.Request {
	t.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for _, f := range files {
		part, err := w.CreateFormFile(f.field, f.name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := part.Write(f.data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, "/v1/score", &body)
	r.Header.Set("Content-Type", w.FormDataContentType())
	return r
}

// raw is a request whose body is the file.
func raw(data []byte) *http.Request {
	return httptest.NewRequest(http.MethodPost, "/v1/score", bytes.NewReader(data))
}

func do(s http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

// parse reads a JSON answer of the type that goes with its status.
func parse[T any](t testing.TB, w *httptest.ResponseRecorder) T {
	t.Helper()
	var v T
	d := json.NewDecoder(w.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("answer of status %d is not a %T: %v", w.Code, v, err)
	}
	return v
}

// wantError checks that an answer is an error of the given status and code.
func wantError(t testing.TB, w *httptest.ResponseRecorder, status int, code string) Error {
	t.Helper()
	answer := parse[ErrorResponse](t, w)
	if w.Code != status || string(answer.Error.Code) != code {
		t.Errorf("got status %d, %+v; want %d, %s", w.Code, answer.Error, status, code)
	}
	if answer.RequestID == "" || answer.RequestID != w.Header().Get("X-Request-Id") {
		t.Errorf("request id %q in the body, %q in the header", answer.RequestID, w.Header().Get("X-Request-Id"))
	}
	return answer.Error
}

// wantScore checks that an answer holds one result of about the given score.
func wantScore(t testing.TB, w *httptest.ResponseRecorder, score float64) {
	t.Helper()
	if w.Code != http.StatusOK {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	answer := parse[ScoreResponse](t, w)
	if len(answer.Results) != 1 {
		t.Fatalf("%d results, want 1", len(answer.Results))
	}
	r := answer.Results[0]
	if r.Decision == nil || !near(r.Score, score) {
		t.Errorf("got %s, want score %v", fmt.Sprint(r.Decision, r.Error), score)
	}
}

func near(a, b float64) bool { return a-b < 0.01 && b-a < 0.01 }
