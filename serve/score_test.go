package serve

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"sync"
	"testing"

	"github.com/ascood/ascood"
)

// elapsed are the numbers that differ from run to run.
var elapsed = regexp.MustCompile(`"(time_ms|waiting|decoding|inference)":[0-9.]+`)

// The form of the answer is a promise to clients.
func TestScoreAnswer(t *testing.T) {
	const head = `{"request_id":"r1","model":"fake","settings":{"method":"iodin","temperature":1000,"noise":0.0014},"results":[`
	const tail = `],"time_ms":0}` + "\n"
	const stages = `"stages_ms":{"waiting":0,"decoding":0,"inference":0}}`
	white := `"verdict":"in_distribution","score":1,"threshold":0.25,"p_value":1,"prediction":1,"class":"bright","probability":0.75,` + stages
	black := `"verdict":"out_of_distribution","score":0,"threshold":0.25,"p_value":0.1,"prediction":0,"class":"dark","probability":0.75,` + stages

	s := newServer(t, &fakeModel{})
	for _, tt := range []struct {
		name    string
		request *http.Request
		want    string
	}{
		{"body", raw(grayPNG(t, 255)), head + `{` + white + tail},
		{"one part", form(t, file{"image", "a.png", grayPNG(t, 255)}), head + `{"file":"a.png",` + white + tail},
		{"several parts, one wrong",
			form(t, file{"image", "a.png", grayPNG(t, 255)}, file{"image", "../b.txt", []byte("text")}, file{"image", "", grayPNG(t, 0)}),
			head + `{"file":"a.png",` + white +
				`,{"file":"b.txt","error":{"code":"unsupported","message":"not an image in a known format; known are JPEG, PNG, GIF, BMP, TIFF and WebP"}},{` +
				black + tail},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.request.Header.Set("X-Request-Id", "r1")
			w := do(s, tt.request)
			if w.Code != http.StatusOK {
				t.Fatalf("status %d: %s", w.Code, w.Body)
			}
			if got := elapsed.ReplaceAllString(w.Body.String(), `"$1":0`); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			if got := w.Header().Get("Content-Type"); got != "application/json" {
				t.Errorf("content type %q", got)
			}
		})
	}
}

// If no image can be scored, the request itself fails as the first image did.
func TestScoreAllWrong(t *testing.T) {
	s := newServer(t, &fakeModel{})
	w := do(s, form(t, file{"image", "a", []byte("text")}, file{"image", "b", hugePNG()}))
	e := wantError(t, w, http.StatusUnsupportedMediaType, "unsupported")
	const want = "none of the 2 images can be scored; the first: not an image in a known format; known are JPEG, PNG, GIF, BMP, TIFF and WebP"
	if e.Message != want {
		t.Errorf("got %q", e.Message)
	}
}

// Many clients at once get what each would get alone.
func TestConcurrentEqualsSequential(t *testing.T) {
	m := &fakeModel{}
	s := newServer(t, m, func(c *Config) { c.MaxQueue = 256 })
	want := map[uint8]string{}
	for level := 0; level < 256; level++ {
		want[uint8(level)] = scored(t, s, uint8(level))
	}
	m.batches = nil
	var clients sync.WaitGroup
	for level := range want {
		clients.Go(func() {
			if got := scored(t, s, level); got != want[level] {
				t.Errorf("level %d: got %s, alone %s", level, got, want[level])
			}
		})
	}
	clients.Wait()
	t.Logf("%d images in %d batches", len(want), len(m.batches))
}

// scored is the answer for a gray image, less what differs from run to run.
func scored(t *testing.T, s http.Handler, level uint8) string {
	w := do(s, form(t, file{"image", fmt.Sprint(level), grayPNG(t, level)}))
	if w.Code != http.StatusOK {
		t.Errorf("status %d: %s", w.Code, w.Body)
	}
	return regexp.MustCompile(`"results":.*`).FindString(elapsed.ReplaceAllString(w.Body.String(), ""))
}

func TestNewRefuses(t *testing.T) {
	models := open(t, &fakeModel{}, DefaultConfig())
	defer models.Close()
	for _, tt := range []struct {
		change func(*Config)
		want   string
	}{
		{func(c *Config) { c.MaxBody = 0 }, "max_body 0: must be greater than 0"},
		{func(c *Config) { c.MaxPixels = -1 }, "max_pixels -1: must be greater than 0"},
		{func(c *Config) { c.MaxBatch = -1 }, "max_batch -1: must not be negative"},
		{func(c *Config) { c.MaxBody, c.MaxUploadMemory = 9, 8 }, "max_upload_memory: 8 bytes are less than the 9 of one request (max_body)"},
		{func(c *Config) { c.MaxQueue, c.MaxImages = 8, 9 }, "max_queue: 8 images are less than the 9 of one request (max_images)"},
		{func(c *Config) { c.DrainDelay = -1 }, "drain_delay -1ns: must not be negative"},
	} {
		config := DefaultConfig()
		tt.change(&config)
		if _, err := New(models, config); err == nil || err.Error() != tt.want || ascood.CodeOf(err) != ascood.Invalid {
			t.Errorf("got %v, want %s", err, tt.want)
		}
	}
}

// BenchmarkScore is what a request costs besides decoding a real photograph and
// running a real network.
func BenchmarkScore(b *testing.B) {
	s := newServer(b, &fakeModel{})
	image := grayPNG(b, 128)
	b.ReportAllocs()
	for b.Loop() {
		if w := do(s, raw(image)); w.Code != http.StatusOK {
			b.Fatal(w.Body)
		}
	}
}

// BenchmarkScoreParallel is the same with clients that share batches.
func BenchmarkScoreParallel(b *testing.B) {
	s := newServer(b, &fakeModel{}, func(c *Config) { c.MaxQueue = 1000 })
	image := grayPNG(b, 128)
	b.SetParallelism(16)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			w := httptest.NewRecorder()
			if s.ServeHTTP(w, raw(image)); w.Code != http.StatusOK {
				b.Fatal(w.Body)
			}
		}
	})
}
