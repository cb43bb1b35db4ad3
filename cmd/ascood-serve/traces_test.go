package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestTraces: what is asked for is sent to the collector, at the latest at the end.
func TestTraces(t *testing.T) {
	received := make(chan string, 100)
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { received <- r.URL.Path }))
	t.Cleanup(collector.Close)
	t.Cleanup(func() { // once the server has ended
		close(received)
		if path := <-received; path != "/v1/traces" {
			t.Errorf("sent to %q", path)
		}
	})
	model, meta := exported(t, lenet)
	url := start(t, "--model", save(t, model, meta), "--device", "cpu", "--otlp-endpoint", collector.URL)
	if _, err := post(url, encoded(t, picture(1))); err != nil {
		t.Error(err)
	}
	err := run(t.Context(), []string{"--model", "m", "--addr", "127.0.0.1:0", "--otlp-endpoint", "collector:4318"}, io.Discard, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "--otlp-endpoint collector:4318: want a URL such as http://127.0.0.1:4318") {
		t.Errorf("got %v", err)
	}
}
