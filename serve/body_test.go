package serve

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// sender is a client that uploads an image bit by bit.
type sender struct {
	t *testing.T
	net.Conn
	answers *bufio.Reader
}

// startUpload announces a body of n bytes and waits until the server reads it.
func startUpload(t *testing.T, address string, n int) *sender {
	t.Helper()
	s := dial(t, address)
	fmt.Fprintf(s, "POST /v1/score HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n", n)
	if line, err := s.answers.ReadString('\n'); err != nil || line != "HTTP/1.1 100 Continue\r\n" {
		t.Fatalf("the server does not ask for the body: %q %v", line, err)
	}
	if _, err := s.answers.Discard(len("\r\n")); err != nil {
		t.Fatal(err)
	}
	return s
}

func dial(t *testing.T, address string) *sender {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return &sender{t, conn, bufio.NewReader(conn)}
}

// answer reads the answer's status and body.
func (s *sender) answer() (int, string) {
	s.t.Helper()
	response, err := http.ReadResponse(s.answers, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

func (s *sender) wantAnswer(status int, part string) {
	s.t.Helper()
	if got, body := s.answer(); got != status || !strings.Contains(body, part) {
		s.t.Errorf("status %d, want %d: %s lacks %s", got, status, body, part)
	}
}

// postImage uploads an image at once and returns the answer's status.
func postImage(t *testing.T, address string) int {
	t.Helper()
	response, err := http.Post("http://"+address+"/v1/score", "image/png", bytes.NewReader(grayPNG(t, 128)))
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	return response.StatusCode
}

// Clients that do not send what they announced keep no other one out, however
// many they are, and do not stay for the whole of the request's time.
func TestStalledUploadsHoldNoSlots(t *testing.T) {
	s := newServer(t, &fakeModel{}, func(c *Config) { c.MaxQueue, c.MaxImages = 2, 2 })
	s.stepTimeout = time.Second
	address := serveOn(t, s)
	var stalled []*sender
	for range 40 {
		c := startUpload(t, address, 1000)
		fmt.Fprint(c, "some bytes and then no more")
		stalled = append(stalled, c)
	}
	for range 3 {
		if status := postImage(t, address); status != http.StatusOK {
			t.Errorf("another client got status %d", status)
		}
	}
	for _, c := range stalled {
		c.wantAnswer(http.StatusRequestTimeout, `"message":"the upload is too slow: every 32768 bytes of it must arrive within 1s"`)
	}
	wantNothingHeld(t, s)
}

// A byte now and then does not keep an upload alive.
func TestDrippingUpload(t *testing.T) {
	s := newServer(t, &fakeModel{})
	s.stepTimeout = 200 * time.Millisecond
	c := startUpload(t, serveOn(t, s), 1<<20)
	go func() {
		for {
			if _, err := c.Write([]byte{0}); err != nil {
				return
			}
			time.Sleep(s.stepTimeout / 20)
		}
	}()
	c.wantAnswer(http.StatusRequestTimeout, `"code":"timeout"`)
}

// An upload may take longer than a step, and its scoring, too.
func TestStepsOfAnUpload(t *testing.T) {
	end := time.Now().Add(time.Hour)
	for _, tt := range []struct{ size, steps int }{
		{1, 1}, {stepBytes - 1, 1}, {stepBytes, 1}, {stepBytes + 1, 2}, {5*stepBytes - 1, 5}, {5 * stepBytes, 5},
	} {
		s := newServer(t, &fakeModel{})
		ctx, cancel := context.WithDeadline(t.Context(), end)
		defer cancel()
		// A connection yields the end of a body together with its last bytes.
		file := &dataWithEOF{*bytes.NewReader(make([]byte, tt.size))}
		w := &deadlines{ResponseWriter: httptest.NewRecorder()}
		body := s.limitBody(w, httptest.NewRequest("POST", "/", file).WithContext(ctx))
		before := time.Now()
		got, err := io.ReadAll(body)
		if len(got) != tt.size || err != nil {
			t.Errorf("%d bytes of %d read: %v", len(got), tt.size, err)
		}
		if _, err := body.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("reading on at the end: %v", err)
		}
		if len(w.set) != tt.steps {
			t.Errorf("%d bytes: %d deadlines, want %d", tt.size, len(w.set), tt.steps)
		}
		for _, d := range w.set {
			if d.Before(before.Add(stepTimeout)) || d.After(time.Now().Add(stepTimeout)) {
				t.Errorf("%d bytes: deadline after %v, want %v", tt.size, d.Sub(before), stepTimeout)
			}
		}
		if want := int64(tt.steps) * stepBytes; body.held != want {
			t.Errorf("%d bytes hold %d, want %d", tt.size, body.held, want)
		}
		body.release()
		wantNothingHeld(t, s)
	}
}

// dataWithEOF reports the end with the last bytes.
type dataWithEOF struct{ bytes.Reader }

func (r *dataWithEOF) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if r.Len() == 0 {
		err = io.EOF
	}
	return n, err
}

// deadlines records the read deadlines of a connection.
type deadlines struct {
	http.ResponseWriter
	set []time.Time
}

func (d *deadlines) SetReadDeadline(t time.Time) error {
	d.set = append(d.set, t)
	return nil
}

// The deadline of the last step does not end the scoring.
func TestScoringOutlastsTheStep(t *testing.T) {
	const step = 100 * time.Millisecond
	s := newServer(t, &fakeModel{before: func([][]uint8) error {
		time.Sleep(3 * step)
		return nil
	}})
	s.stepTimeout = step
	if status := postImage(t, serveOn(t, s)); status != http.StatusOK {
		t.Errorf("status %d", status)
	}
}

// While all slots are taken a client is refused before it uploads anything; one
// that was uploading when they were taken is refused after it.
func TestBusyBeforeAndAfterTheUpload(t *testing.T) {
	m, begun, release := blocking()
	s := newServer(t, m, func(c *Config) { c.MaxQueue, c.MaxImages = 1, 1 })
	web := httptest.NewServer(s)
	defer web.Close()
	defer close(release)
	image := grayPNG(t, 128)
	early := startUpload(t, web.Listener.Addr().String(), len(image))
	go do(s, raw(image))
	<-begun

	body := &endless{left: 100}
	r := httptest.NewRequest(http.MethodPost, "/v1/score", body)
	wantError(t, do(s, r), http.StatusServiceUnavailable, "busy")
	if body.read != 0 {
		t.Errorf("%d bytes read of the upload that is refused", body.read)
	}
	if _, err := early.Write(image); err != nil {
		t.Fatal(err)
	}
	early.wantAnswer(http.StatusServiceUnavailable, `"message":"1 images are in work, of 1 that may be: try again later"`)
}

// A client that leaves while its images are scored is noticed, even if its body
// went on after the end of the form.
func TestClientLeavesAfterItsForm(t *testing.T) {
	m, begun, release := blocking()
	s := newServer(t, m)
	web := httptest.NewServer(s)
	defer web.Close()
	defer close(release)
	r := form(t, file{"image", "a.png", grayPNG(t, 128)})
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	body = append(body, make([]byte, 20_000)...)
	c := dial(t, web.Listener.Addr().String())
	fmt.Fprintf(c, "POST /v1/score HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s",
		r.Header.Get("Content-Type"), len(body), body)
	<-begun
	c.Close()
	eventually(t, "the client that left to be noticed", func() bool { return s.metrics.inFlight.Load() == 0 })
	wantNothingHeld(t, s)
}

// A client that ends its upload early, but still listens, is told so.
func TestHalfClosedUpload(t *testing.T) {
	s := newServer(t, &fakeModel{})
	c := startUpload(t, serveOn(t, s), 1000)
	fmt.Fprint(c, "some bytes and then no more")
	if err := c.Conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	c.wantAnswer(http.StatusBadRequest, `"message":"the upload ended early"`)
}

// A client that does not read its answer holds nothing that others need.
func TestSlowReaderHoldsNoSlot(t *testing.T) {
	s := newServer(t, &fakeModel{}, func(c *Config) { c.MaxQueue, c.MaxImages = 1, 1 })
	w := &stuck{httptest.NewRecorder(), make(chan struct{}), make(chan struct{})}
	done := make(chan struct{})
	go func() {
		s.ServeHTTP(w, raw(grayPNG(t, 128)))
		close(done)
	}()
	<-w.writing
	wantNothingHeld(t, s)
	close(w.gate)
	<-done
	wantScore(t, w.ResponseRecorder, 128./255)
}

// stuck is a connection on which nothing can be written until gate is closed.
type stuck struct {
	*httptest.ResponseRecorder
	writing, gate chan struct{}
}

func (s *stuck) Write(p []byte) (int, error) {
	close(s.writing)
	<-s.gate
	return s.ResponseRecorder.Write(p)
}

// Uploads under way count as requests that a shutdown cuts off.
func TestShutdownCutsOffUploads(t *testing.T) {
	s := newServer(t, &fakeModel{}, func(c *Config) { c.DrainTimeout = 20 * time.Millisecond })
	l := listen(t)
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error)
	go func() { served <- s.Serve(ctx, l) }()
	startUpload(t, l.Addr().String(), 1000)
	stop()
	if err := <-served; err == nil || err.Error() != "1 requests cut off: they did not finish within 20ms" {
		t.Errorf("got %v", err)
	}
}

// Uploads that together exceed the memory for them are refused, until others are
// done with it.
func TestUploadMemory(t *testing.T) {
	const most = 4
	s := newServer(t, &fakeModel{}, func(c *Config) { c.MaxBody, c.MaxUploadMemory = 2*stepBytes, most*stepBytes })
	address := serveOn(t, s)
	var holding []*sender
	for range most {
		holding = append(holding, startUpload(t, address, 2*stepBytes))
	}
	w := do(s, raw(grayPNG(t, 128)))
	e := wantError(t, w, http.StatusServiceUnavailable, "busy")
	if e.Message != "other uploads fill the memory for them: try again later" || w.Header().Get("Retry-After") == "" {
		t.Errorf("message %q, headers %v", e.Message, w.Header())
	}
	// The first to need more than its share gets none, and makes room.
	if _, err := holding[0].Write(make([]byte, stepBytes+1)); err != nil {
		t.Fatal(err)
	}
	holding[0].wantAnswer(http.StatusServiceUnavailable, `"code":"busy"`)
	wantScore(t, do(s, raw(grayPNG(t, 128))), 128./255)
	for _, c := range holding[1:] {
		c.Close()
	}
	eventually(t, "the clients that left to be noticed", func() bool { return s.metrics.inFlight.Load() == 0 })
	wantNothingHeld(t, s)
}

// wantNothingHeld checks that the whole queue and all memory are free.
func wantNothingHeld(t *testing.T, s *Server) {
	t.Helper()
	if n := metric(t, s, "ascood_images_in_work"); n != "0" {
		t.Errorf("%s places in the queue still taken", n)
	}
	if !s.memory.TryAcquire(s.config.MaxUploadMemory) {
		t.Error("memory for uploads still taken")
		return
	}
	s.memory.Release(s.config.MaxUploadMemory)
}
