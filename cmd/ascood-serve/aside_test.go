package main

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// free is an address that nobody listens on.
func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestAside(t *testing.T) {
	model, meta := exported(t, lenet)
	metrics, profiles := free(t), free(t)
	url := start(t, "--model", save(t, model, meta), "--device", "cpu", "--metrics-addr", metrics, "--pprof-addr", profiles)
	for path, want := range map[string]int{
		url + "/metrics": 404, url + "/debug/pprof/": 404, "http://" + metrics + "/metrics": 200, "http://" + metrics + "/v1/models": 404,
		"http://" + metrics + "/debug/pprof/": 404, "http://" + profiles + "/debug/pprof/goroutine": 200, "http://" + profiles + "/metrics": 404,
	} {
		response, err := http.Get(path)
		if err != nil {
			t.Fatal(err)
		}
		if response.Body.Close(); response.StatusCode != want {
			t.Errorf("%s: status %d", path, response.StatusCode)
		}
	}
}

// Others are let in only as the operator says, and not without a word.
func TestAccessFlags(t *testing.T) {
	wrong := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(wrong, []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"--tls-cert", "a"}, "--tls-cert and --tls-key are files of one pair: give both"},
		{[]string{"--tls-key", "a"}, "--tls-cert and --tls-key are files of one pair: give both"},
		{[]string{"--tls-cert", "missing", "--tls-key", "missing"}, "TLS: stat missing: no such file"},
		{[]string{"--keys", "missing"}, "keys: stat missing: no such file"},
		{[]string{"--keys", wrong}, "line 1: 1 words: want a name"},
		{[]string{"--pprof-addr", ":6060"}, "--pprof-addr :6060: profiles tell too much for others"},
		{[]string{"--pprof-addr", "10.0.0.1:6060"}, "profiles tell too much for others"},
	} {
		err := run(t.Context(), append(tt.args, "--model", "m", "--addr", "127.0.0.1:0"), io.Discard, io.Discard)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v: got %v, want %s", tt.args, err, tt.want)
		}
	}
	for addr, warned := range map[string]bool{":0": true, "0.0.0.0:0": true, "127.0.0.1:0": false, "localhost:0": false, "[::1]:0": false} {
		var log bytes.Buffer
		o, err := parse([]string{"--model", "m", "--addr", addr}, io.Discard, &log)
		if err == nil {
			err = o.access()
		}
		if err != nil || strings.Contains(log.String(), "whoever reaches this address") != warned {
			t.Errorf("%s: %v, logged %s", addr, err, log.String())
		}
		log.Reset()
		if o, err = parse([]string{"--model", "m", "--grpc-addr", addr}, io.Discard, &log); err == nil {
			err = o.access()
		}
		if err != nil || strings.Contains(log.String(), "whoever reaches this address") != warned {
			t.Errorf("gRPC on %s: %v, logged %s", addr, err, log.String())
		}
	}
}
