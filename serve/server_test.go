package serve

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/artifact"
)

// serveOn serves on a free port until the test ends, and returns the address.
func serveOn(t *testing.T, s *Server) string {
	t.Helper()
	l := listen(t)
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, l) }()
	t.Cleanup(func() {
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// eventually waits for what other goroutines bring about.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("timed out waiting for %s", what)
		}
	}
}

// metric is a sample's value in /metrics.
func metric(t *testing.T, s http.Handler, sample string) string {
	t.Helper()
	w := do(s, httptest.NewRequest("GET", "/metrics", nil))
	line := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(sample) + ` (.*)$`).FindStringSubmatch(w.Body.String())
	if line == nil {
		t.Fatalf("no %s in %s", sample, w.Body)
	}
	return line[1]
}

// running is a server whose one client's image is being scored.
type running struct {
	url     string
	stop    context.CancelFunc
	served  chan error
	answer  chan int      // status of the client's answer, 0 if there was none
	release chan struct{} // lets the model finish
}

func startRunning(t *testing.T, tweak func(*Config)) *running {
	t.Helper()
	m, begun, release := blocking()
	s := newServer(t, m, tweak)
	l := listen(t)
	ctx, stop := context.WithCancel(context.Background())
	r := &running{"http://" + l.Addr().String(), stop, make(chan error, 1), make(chan int, 1), release}
	go func() { r.served <- s.Serve(ctx, l) }()
	go func() {
		response, err := http.Post(r.url+"/v1/score", "image/png", strings.NewReader(string(grayPNG(t, 128))))
		if err != nil {
			r.answer <- 0
			return
		}
		response.Body.Close()
		r.answer <- response.StatusCode
	}()
	<-begun
	return r
}

func TestShutdownFinishesRequests(t *testing.T) {
	r := startRunning(t, func(c *Config) { c.DrainDelay = 200 * time.Millisecond })
	if status := get(t, r.url+"/readyz"); status != http.StatusOK {
		t.Errorf("/readyz before the shutdown: status %d", status)
	}
	r.stop()
	eventually(t, "/readyz to fail", func() bool { return get(t, r.url+"/readyz") == http.StatusServiceUnavailable })
	if status := get(t, r.url+"/livez"); status != http.StatusOK {
		t.Errorf("/livez while draining: status %d", status)
	}
	eventually(t, "the door to close", func() bool { return get(t, r.url+"/livez") == 0 })
	close(r.release)
	if status := <-r.answer; status != http.StatusOK {
		t.Errorf("the request in flight got status %d", status)
	}
	if err := <-r.served; err != nil {
		t.Error(err)
	}
}

func TestShutdownDeadline(t *testing.T) {
	r := startRunning(t, func(c *Config) { c.DrainTimeout = 20 * time.Millisecond })
	r.stop()
	err := <-r.served
	if err == nil || err.Error() != "1 requests cut off: they did not finish within 20ms" {
		t.Errorf("got %v", err)
	}
	if status := <-r.answer; status != 0 {
		t.Errorf("the request cut off got status %d", status)
	}
	close(r.release)
}

// get returns the status of a GET on a connection of its own, 0 if there is no
// answer.
func get(t *testing.T, url string) int {
	t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get(url)
	if err != nil {
		return 0
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		t.Error(err)
	}
	return response.StatusCode
}

// TestDeviceLost: a device that fails for good is not asked again; the server says that
// it is not ready, refuses what is in flight and ends with the error.
func TestDeviceLost(t *testing.T) {
	begun, release, lost := make(chan int, 100), make(chan struct{}), false
	m := &fakeModel{before: func(crops [][]uint8) error {
		begun <- len(crops)
		if <-release; lost {
			return ascood.Errorf(ascood.Unavailable, "run model on cuda:0: %w: CUDA failure 700", ascood.ErrDeviceLost)
		}
		return nil
	}}
	s := newServer(t, m)
	l := listen(t)
	served := make(chan error, 1)
	go func() { served <- s.Serve(t.Context(), l) }()
	url := "http://" + l.Addr().String()
	answers := make(chan int, 5)
	post := func() {
		response, err := http.Post(url+"/v1/score", "image/png", strings.NewReader(string(grayPNG(t, 128))))
		if err != nil {
			t.Error(err)
			return
		}
		response.Body.Close()
		answers <- response.StatusCode
	}
	go post()
	<-begun
	for range 4 { // that share the next batch
		go post()
	}
	eventually(t, "the others to wait", func() bool { return metric(t, s, `ascood_images_queued{model="fake"}`) == "4" })
	lost = true
	close(release)
	for range 5 {
		if status := <-answers; status != http.StatusServiceUnavailable {
			t.Errorf("a request got status %d", status)
		}
	}
	if err := <-served; !errors.Is(err, ascood.ErrDeviceLost) || !strings.Contains(err.Error(), "CUDA failure 700") {
		t.Errorf("it ended with %v", err)
	}
	if w := do(s, httptest.NewRequest("GET", "/readyz", nil)); w.Code != http.StatusServiceUnavailable {
		t.Errorf("/readyz: status %d", w.Code)
	}
	if !slices.Equal(m.batches, []int{1, 4}) {
		t.Errorf("the batches were %v; a lost device was asked for images one by one", m.batches)
	}
}

// A server whose runs all fail lives, but is not ready.
func TestFailingModel(t *testing.T) {
	s := newServer(t, &fakeModel{before: func([][]uint8) error { return errors.New("no memory") }})
	for range 3 {
		if w := do(s, httptest.NewRequest("GET", "/readyz", nil)); w.Code != http.StatusOK {
			t.Errorf("/readyz: status %d", w.Code)
		}
		wantError(t, do(s, raw(grayPNG(t, 1))), http.StatusInternalServerError, "internal")
	}
	wantError(t, do(s, httptest.NewRequest("GET", "/readyz", nil)), http.StatusServiceUnavailable, "unavailable")
	if w := do(s, httptest.NewRequest("GET", "/livez", nil)); w.Code != http.StatusOK {
		t.Errorf("/livez: status %d", w.Code)
	}
}

func TestRoutes(t *testing.T) {
	s := newServer(t, &fakeModel{})
	for _, tt := range []struct {
		method, path string
		status       int
		want         string // beginning of the body
	}{
		{"GET", "/livez", 200, `{"status":"alive"}`},
		{"GET", "/readyz", 200, `{"status":"ready"}`},
		{"HEAD", "/readyz", 200, ``},
		{"GET", "/v1/models", 200, `{"models":[{"name":"fake","default":true,"arch":"lenet","width":6,"head":"linear","classes":["dark","bright"],` +
			`"preprocess":{"pre_size":8,"image_size":8,"mean":[0,0,0],"std":[1,1,1],"resize":"shorter","interpolation":"bilinear","gray16":"clip","exif_orientation":"ignore","truncated":"refuse"},"settings":{"method":"iodin","temperature":1000,"noise":0.0014},` +
			`"explains":"score","calibration":{"samples":9,"tpr":0.8,"threshold":0.25},"device":"cpu","weights_sha256":"abc123",` +
			`"limits":{"body_bytes":16777216,"image_pixels":25000000,"images":16}}]}`},
		{"POST", "/v1/models/fake/score", 400, `{"error":{"code":"invalid","message":"no image: the body is empty`},
		{"POST", "/v1/models/fak%65/score", 400, `{"error":{"code":"invalid","message":"no image: the body is empty`},
		{"POST", "/v1/models/other/score", 404, `{"error":{"code":"not_found","message":"no such model: \"other\""},`},
		{"POST", "/v1/models/two%20words/score", 404, `{"error":{"code":"not_found","message":"no such model: \"two words\""},`},
		{"POST", "/v1/models//score", 404, `{"error":{"code":"not_found","message":"no such `},
		{"GET", "/v1/models/fake/score", 405, `{"error":{"code":"method_not_allowed"`},
		{"GET", "/v1/nothing", 404, `{"error":{"code":"not_found","message":"no such page: \"/v1/nothing\""},`},
		{"GET", "/../../etc/passwd", 404, `{"error":{"code":"not_found"`},
		{"GET", "/v1/score", 405, `{"error":{"code":"method_not_allowed","message":"method \"GET\" is not allowed here"},`},
		{"DELETE", "/", 405, `{"error":{"code":"method_not_allowed"`},
		{"BREW", "/v1/score", 405, `{"error":{"code":"method_not_allowed"`},
	} {
		t.Run(tt.method+tt.path, func(t *testing.T) {
			w := do(s, httptest.NewRequest(tt.method, tt.path, nil))
			if w.Code != tt.status || !strings.HasPrefix(w.Body.String(), tt.want) {
				t.Errorf("status %d: %s", w.Code, w.Body)
			}
			if w.Header().Get("X-Content-Type-Options") != "nosniff" {
				t.Error("nosniff is missing")
			}
			if w.Code == http.StatusMethodNotAllowed {
				checkAllow(t, s, tt.path, w.Header().Values("Allow"))
			}
		})
	}
}

// checkAllow tries all methods on a path: the allowed ones must be the handled
// ones.
func checkAllow(t *testing.T, s *Server, path string, allow []string) {
	t.Helper()
	var handled []string
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"} {
		if w := do(s, httptest.NewRequest(method, path, nil)); w.Code != http.StatusMethodNotAllowed {
			handled = append(handled, method)
		}
	}
	listed := strings.Split(strings.Join(allow, ", "), ", ")
	slices.Sort(listed)
	slices.Sort(handled)
	if !slices.Equal(listed, handled) {
		t.Errorf("Allow lists %v, handled are %v", listed, handled)
	}
}

func TestRequestID(t *testing.T) {
	s := newServer(t, &fakeModel{})
	generated := regexp.MustCompile(`^[A-Z2-7]{26}$`)
	for _, tt := range []struct {
		sent string
		kept bool
	}{
		{"abc-123", true},
		{"0af7651916cd43dd8448eb211c80319c", true},
		{"", false},
		{"two words", false},
		{"<script>", false},
		{strings.Repeat("a", 65), false},
	} {
		r := httptest.NewRequest("GET", "/livez", nil)
		r.Header.Set("X-Request-Id", tt.sent)
		got := do(s, r).Header().Get("X-Request-Id")
		if tt.kept && got != tt.sent || !tt.kept && !generated.MatchString(got) {
			t.Errorf("sent %q, got %q", tt.sent, got)
		}
	}
}

// Each request is one line of the log; a client's mistake is no error of ours.
func TestLog(t *testing.T) {
	var log strings.Builder
	s := newServer(t, &fakeModel{}, logTo(&log))
	do(s, form(t, file{"image", "a", grayPNG(t, 1)}, file{"image", "b", grayPNG(t, 1)}))
	do(s, raw([]byte("text")))
	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	want := []map[string]any{
		{"level": "INFO", "msg": "request", "method": "POST", "path": "/v1/score", "status": 200., "images": 2.},
		{"level": "INFO", "msg": "request", "method": "POST", "path": "/v1/score", "status": 415., "images": 1., "code": "unsupported"},
	}
	if len(lines) != len(want) {
		t.Fatalf("%d lines: %s", len(lines), log.String())
	}
	for i, line := range lines {
		var got map[string]any
		if err := json.Unmarshal([]byte(line), &got); err != nil {
			t.Fatal(err)
		}
		for key, value := range want[i] {
			if got[key] != value {
				t.Errorf("line %d: %s is %v, want %v", i, key, got[key], value)
			}
		}
		if got["request_id"] == "" || got["time_ms"] == nil {
			t.Errorf("line %d lacks the request id or the time: %s", i, line)
		}
	}
}

func TestMetrics(t *testing.T) {
	s := newServer(t, &fakeModel{})
	do(s, form(t, file{"image", "a", grayPNG(t, 255)}, file{"image", "b", grayPNG(t, 0)}, file{"image", "c", nil}))
	do(s, raw([]byte("text")))
	do(s, httptest.NewRequest("GET", "/made/up", nil))
	for sample, want := range map[string]string{
		`ascood_images_total{model="fake",outcome="in_distribution"}`:       "1",
		`ascood_images_total{model="fake",outcome="out_of_distribution"}`:   "1",
		`ascood_images_total{model="fake",outcome="invalid"}`:               "1",
		`ascood_images_total{model="fake",outcome="unsupported"}`:           "1",
		`ascood_http_request_seconds_count{route="/v1/score",status="200"}`: "1",
		`ascood_http_request_seconds_count{route="/v1/score",status="415"}`: "1",
		`ascood_http_request_seconds_count{route="none",status="404"}`:      "1",
		`ascood_image_seconds_count{model="fake",stage="inference"}`:        "2",
		`ascood_requests_in_flight`:                                         "0",
		`ascood_images_queued{model="fake"}`:                                "0",
	} {
		if got := metric(t, s, sample); got != want {
			t.Errorf("%s is %s, want %s", sample, got, want)
		}
	}
}

// breakingModel panics within a handler, once it is broken.
type breakingModel struct {
	fakeModel
	broken bool
}

func (m *breakingModel) Settings() artifact.Score {
	if m.broken {
		panic("secret state")
	}
	return m.fakeModel.Settings()
}

func TestPanicOfAHandler(t *testing.T) {
	var log strings.Builder
	m := &breakingModel{}
	s := newServer(t, m, logTo(&log))
	m.broken = true
	e := wantError(t, do(s, httptest.NewRequest("GET", "/v1/models", nil)), http.StatusInternalServerError, "internal")
	if strings.Contains(e.Message, "secret") || !strings.Contains(log.String(), "secret state") {
		t.Errorf("the client is told %q, the log %s", e.Message, log.String())
	}
}

// brokenListener accepts one connection.
type brokenListener struct {
	net.Listener
	accepted, breaks chan struct{}
}

func (l *brokenListener) Accept() (net.Conn, error) {
	select {
	case l.accepted <- struct{}{}:
		return l.Listener.Accept()
	case <-l.breaks:
		return nil, errors.New("no more files")
	}
}

// A server that cannot go on closes the connections that it has.
func TestServeFails(t *testing.T) {
	s := newServer(t, &fakeModel{})
	l := &brokenListener{listen(t), make(chan struct{}, 1), make(chan struct{})}
	served := make(chan error)
	go func() { served <- s.Serve(t.Context(), l) }()
	c := startUpload(t, l.Addr().String(), 1000)
	close(l.breaks)
	if err := <-served; err == nil || err.Error() != "serve: no more files" {
		t.Errorf("got %v", err)
	}
	if _, err := c.answers.ReadByte(); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the connection is still open: %v", err)
	}
}
