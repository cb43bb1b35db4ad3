package serve

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// Images that wait while a batch runs make up the next ones.
func TestWaitingImagesShareBatches(t *testing.T) {
	m, begun, release := blocking()
	s := newServer(t, m, func(c *Config) { c.MaxBatch = 4 })
	answers := make(chan *httptest.ResponseRecorder)
	send := func() { answers <- do(s, raw(grayPNG(t, 128))) }
	go send()
	<-begun
	for range 6 {
		go send()
	}
	eventually(t, "six images to wait", func() bool { return metric(t, s, `ascood_images_queued{model="fake"}`) == "6" })
	close(release)
	for range 7 {
		wantScore(t, <-answers, 128./255)
	}
	if want := []int{1, 4, 2}; !slices.Equal(m.batches, want) {
		t.Errorf("batches of %v, want %v", m.batches, want)
	}
}

// An image on which the model fails takes no other client's image with it.
func TestFailureStaysWithItsImage(t *testing.T) {
	const bad = 66
	gate, begun := make(chan struct{}), make(chan struct{}, 100)
	m := &fakeModel{before: func(crops [][]uint8) error {
		begun <- struct{}{}
		<-gate
		for _, c := range crops {
			if c[0] == bad {
				return errors.New("kernel failed at /secret/path")
			}
		}
		return nil
	}}
	var log strings.Builder
	s := newServer(t, m, logTo(&log))
	type answer struct {
		level uint8
		*httptest.ResponseRecorder
	}
	answers := make(chan answer)
	send := func(level uint8) { answers <- answer{level, do(s, raw(grayPNG(t, level)))} }
	go send(1)
	<-begun
	for _, level := range []uint8{100, bad, 200} {
		go send(level)
	}
	eventually(t, "three images to wait", func() bool { return metric(t, s, `ascood_images_queued{model="fake"}`) == "3" })
	close(gate)
	for range 4 {
		a := <-answers
		if a.level != bad {
			wantScore(t, a.ResponseRecorder, float64(a.level)/255)
			continue
		}
		e := wantError(t, a.ResponseRecorder, http.StatusInternalServerError, "internal")
		if strings.Contains(e.Message, "secret") {
			t.Errorf("the client is told %q", e.Message)
		}
	}
	if n := strings.Count(log.String(), `"level":"ERROR"`); n != 1 || !strings.Contains(log.String(), "kernel failed at /secret/path") {
		t.Errorf("%d errors logged, want the one: %s", n, log.String())
	}
}

// Panics of the model end neither the worker nor the server.
func TestPanicOfTheModel(t *testing.T) {
	explode := true
	m := &fakeModel{before: func([][]uint8) error {
		if explode {
			panic("index out of range")
		}
		return nil
	}}
	var log strings.Builder
	s := newServer(t, m, logTo(&log))
	e := wantError(t, do(s, raw(grayPNG(t, 1))), http.StatusInternalServerError, "internal")
	if strings.Contains(e.Message, "index") {
		t.Errorf("the client is told %q", e.Message)
	}
	if !strings.Contains(log.String(), "panic: index out of range") || !strings.Contains(log.String(), "batch.go") {
		t.Errorf("the log lacks the panic or its stack: %s", log.String())
	}
	explode = false
	wantScore(t, do(s, raw(grayPNG(t, 128))), 128./255)
}
