package serve

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/serve/scoring"
)

// endless is an upload of n bytes that counts what is read of it.
type endless struct{ left, read int64 }

func (e *endless) Read(p []byte) (int, error) {
	if e.left == 0 {
		return 0, io.EOF
	}
	n := min(int64(len(p)), e.left)
	clear(p[:n])
	e.left -= n
	e.read += n
	return int(n), nil
}

// An upload of 100 MB is refused by its length, or after MaxBody bytes where it
// states none, without that much memory.
func TestLargeUpload(t *testing.T) {
	const size, limit = 100 << 20, 4 << 20
	part := "--x\r\nContent-Disposition: form-data; name=image\r\n\r\n"
	for _, tt := range []struct {
		name, contentType, head string
		length                  int64 // stated
		most                    int64 // bytes read
	}{
		{"body", "image/jpeg", "", size, 0},
		{"body of unknown length", "image/jpeg", "", -1, limit + 1},
		{"part", "multipart/form-data; boundary=x", part, size, 0},
		{"part of unknown length", "multipart/form-data; boundary=x", part, -1, limit + 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newServer(t, &fakeModel{}, func(c *Config) { c.MaxBody = limit })
			body := &endless{left: size}
			r := httptest.NewRequest(http.MethodPost, "/v1/score", io.MultiReader(strings.NewReader(tt.head), body))
			r.ContentLength = tt.length
			r.Header.Set("Content-Type", tt.contentType)
			used := allocated(func() {
				e := wantError(t, do(s, r), http.StatusRequestEntityTooLarge, "too_large")
				if want := fmt.Sprintf("the request is larger than the limit of %d bytes", limit); e.Message != want {
					t.Errorf("message %q", e.Message)
				}
			})
			if body.read > tt.most {
				t.Errorf("read %d bytes, want at most %d", body.read, tt.most)
			}
			// A buffer that grows by doubling allocates a few times its size.
			if used > 8*limit {
				t.Errorf("allocated %d bytes", used)
			}
		})
	}
}

// The refusal reaches a client that is still sending.
func TestLargeUploadIsAnswered(t *testing.T) {
	s := newServer(t, &fakeModel{}, func(c *Config) { c.MaxBody = 1 << 20 })
	address := serveOn(t, s)
	response, err := http.Post("http://"+address+"/v1/score", "image/png", io.LimitReader(&endless{left: 100 << 20}, 100<<20))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusRequestEntityTooLarge || !response.Close {
		t.Errorf("status %d, connection to be closed: %v", response.StatusCode, response.Close)
	}
}

func TestBusy(t *testing.T) {
	m, begun, release := blocking()
	s := newServer(t, m, func(c *Config) { c.MaxQueue, c.MaxImages = 1, 1 })
	first := make(chan *httptest.ResponseRecorder)
	go func() { first <- do(s, raw(grayPNG(t, 128))) }()
	<-begun

	w := do(s, raw(grayPNG(t, 128)))
	wantError(t, w, http.StatusServiceUnavailable, "busy")
	if w.Header().Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	for _, probe := range []string{"/livez", "/readyz"} {
		if w := do(s, httptest.NewRequest("GET", probe, nil)); w.Code != http.StatusOK {
			t.Errorf("%s of a busy server: %s", probe, w.Body)
		}
	}

	close(release)
	wantScore(t, <-first, 128./255)
	wantScore(t, do(s, raw(grayPNG(t, 128))), 128./255)
	if got := metric(t, s, `ascood_rejected_total{reason="queue"}`); got != "1" {
		t.Errorf("%s rejected", got)
	}
}

// Retry-After is the time that what is in work will take, by what came before.
func TestRetryAfter(t *testing.T) {
	for after, want := range map[time.Duration]string{0: "1", time.Millisecond: "1", time.Second: "1", 2100 * time.Millisecond: "3"} {
		err := fmt.Errorf("wrapped: %w", scoring.NewBusy("queue", after, "busy"))
		if got := retryAfter(err); got != want {
			t.Errorf("%v: %s, want %s", after, got, want)
		}
	}
	if got := retryAfter(ascood.Errorf(ascood.Unavailable, "shutting down")); got != "1" {
		t.Errorf("shutting down: %s", got)
	}
}

// A client that leaves frees its slot, whether its image waits or is being
// scored.
func TestCanceledClientFreesItsSlot(t *testing.T) {
	m, begun, release := blocking()
	defer close(release)
	s := newServer(t, m, func(c *Config) { c.MaxQueue, c.MaxImages = 2, 2 })
	ctx, leave := context.WithCancel(t.Context())
	done := make(chan struct{})
	send := func() {
		do(s, raw(grayPNG(t, 128)).WithContext(ctx))
		done <- struct{}{}
	}
	go send()
	<-begun
	go send()
	eventually(t, "one image to wait", func() bool { return metric(t, s, `ascood_images_queued{model="fake"}`) == "1" })
	leave()
	<-done
	<-done
	wantNothingHeld(t, s)
	if got := metric(t, s, `ascood_images_queued{model="fake"}`); got != "0" {
		t.Errorf("%s images still wait", got)
	}
}

func TestDeadline(t *testing.T) {
	m, _, release := blocking()
	defer close(release)
	s := newServer(t, m, func(c *Config) { c.Timeout = 20 * time.Millisecond })
	e := wantError(t, do(s, raw(grayPNG(t, 128))), http.StatusServiceUnavailable, "busy")
	if e.Message != "no result in time: the server is busy: try again later" {
		t.Errorf("message %q", e.Message)
	}
}

// The same over a connection, whose own deadline passes at the same time.
func TestDeadlineIsAnswered(t *testing.T) {
	r := startRunning(t, func(c *Config) { c.Timeout = 100 * time.Millisecond })
	if status := <-r.answer; status != http.StatusServiceUnavailable {
		t.Errorf("status %d", status)
	}
	close(r.release)
	r.stop()
	if err := <-r.served; err != nil {
		t.Error(err)
	}
}

// A client that sends too slowly is told so.
func TestSlowUpload(t *testing.T) {
	s := newServer(t, &fakeModel{}, func(c *Config) { c.Timeout = 50 * time.Millisecond })
	conn, err := net.Dial("tcp", serveOn(t, s))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "POST /v1/score HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nsome bytes and then no more")
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	if response.StatusCode != http.StatusRequestTimeout || !strings.Contains(string(body), `"code":"timeout","message":"the upload took too long: all of it must arrive within 50ms"`) {
		t.Errorf("status %d: %s %v", response.StatusCode, body, err)
	}
}
