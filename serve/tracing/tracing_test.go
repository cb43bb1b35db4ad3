package tracing

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/ascood/ascood"
)

// variables are those of OpenTelemetry that matter here.
var variables = []string{
	"OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
	"OTEL_TRACES_EXPORTER", "OTEL_SDK_DISABLED", "OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES", "OTEL_EXPORTER_OTLP_HEADERS", "OTEL_TRACES_SAMPLER",
}

// only sets these of the variables, and no other.
func only(t *testing.T, settings ...string) {
	t.Helper()
	for _, name := range variables {
		t.Setenv(name, "")
	}
	for _, s := range settings {
		name, value, _ := strings.Cut(s, "=")
		t.Setenv(name, value)
	}
}

func TestEndpoint(t *testing.T) {
	for _, tt := range []struct {
		base        string
		environment []string
		want        string
		err         string
	}{
		{},
		{base: "http://a:4318", want: "http://a:4318/v1/traces"},
		{base: "https://a/otlp/", want: "https://a/otlp/v1/traces"},
		{environment: []string{"OTEL_EXPORTER_OTLP_ENDPOINT=http://b:4318"}, want: "http://b:4318/v1/traces"},
		{environment: []string{"OTEL_EXPORTER_OTLP_ENDPOINT=http://b:4318", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://c/x"}, want: "http://c/x"},
		{base: "http://a:4318", environment: []string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://c/x", "OTEL_SDK_DISABLED=true"}, want: "http://a:4318/v1/traces"},
		{environment: []string{"OTEL_EXPORTER_OTLP_ENDPOINT=http://b:4318", "OTEL_SDK_DISABLED=true"}},
		{environment: []string{"OTEL_EXPORTER_OTLP_ENDPOINT=http://b:4318", "OTEL_TRACES_EXPORTER=none"}},
		{environment: []string{"OTEL_EXPORTER_OTLP_ENDPOINT=http://b:4318", "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf"}, want: "http://b:4318/v1/traces"},
		{environment: []string{"OTEL_EXPORTER_OTLP_ENDPOINT=http://b:4318", "OTEL_EXPORTER_OTLP_PROTOCOL=grpc"}, err: "OTEL_EXPORTER_OTLP_PROTOCOL=grpc: traces are sent by http/protobuf"},
		{environment: []string{"OTEL_EXPORTER_OTLP_ENDPOINT=http://b:4318", "OTEL_EXPORTER_OTLP_PROTOCOL=grpc", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=http/protobuf"}, want: "http://b:4318/v1/traces"},
		{environment: []string{"OTEL_EXPORTER_OTLP_ENDPOINT=http://b:4318", "OTEL_TRACES_EXPORTER=zipkin"}, err: "OTEL_TRACES_EXPORTER=zipkin: want otlp or none"},
		{environment: []string{"OTEL_EXPORTER_OTLP_ENDPOINT=b:4318"}, err: "OTEL_EXPORTER_OTLP_ENDPOINT b:4318: want a URL"},
		{base: "a:4318", err: "otlp_endpoint a:4318: want a URL such as http://127.0.0.1:4318"},
		{base: "ftp://a", err: "want a URL"},
		{base: "http://", err: "want a URL"},
	} {
		only(t, tt.environment...)
		got, err := endpoint(tt.base)
		if got != tt.want || tt.err == "" && err != nil || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err) || ascood.CodeOf(err) != ascood.Invalid) {
			t.Errorf("%q, %v: got %q, %v", tt.base, tt.environment, got, err)
		}
	}
	only(t)
	if p, err := Open(t.Context(), "", nil); p != nil || err != nil {
		t.Errorf("without an endpoint: %v, %v", p, err)
	}
}

// TestSent: spans reach the collector with what the environment says of them.
func TestSent(t *testing.T) {
	var mu sync.Mutex
	var received []*collector.ExportTraceServiceRequest
	var headers http.Header
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		headers = r.Header
		body := io.Reader(r.Body)
		if r.Header.Get("Content-Encoding") == "gzip" {
			body, _ = gzip.NewReader(body)
		}
		data, _ := io.ReadAll(body)
		message := new(collector.ExportTraceServiceRequest)
		if err := proto.Unmarshal(data, message); err != nil || r.URL.Path != "/v1/traces" || r.Header.Get("Content-Type") != "application/x-protobuf" {
			t.Errorf("%s, %v: %v", r.URL, r.Header, err)
		}
		received = append(received, message)
	}))
	defer server.Close()
	only(t, "OTEL_EXPORTER_OTLP_ENDPOINT="+server.URL, "OTEL_EXPORTER_OTLP_HEADERS=x-token=abc", "OTEL_RESOURCE_ATTRIBUTES=deployment.environment.name=test")
	for _, name := range []string{"ascood-serve", "camera"} {
		if name != "ascood-serve" {
			t.Setenv("OTEL_SERVICE_NAME", name)
		}
		p, err := Open(t.Context(), "", slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		_, s := p.Tracer("test").Start(t.Context(), "span")
		s.End()
		if err := p.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
		about := received[len(received)-1].ResourceSpans[0].Resource.String()
		if !strings.Contains(about, `"`+name+`"`) || !strings.Contains(about, `"test"`) || !strings.Contains(about, ascood.Version) || headers.Get("X-Token") != "abc" {
			t.Errorf("%s: sent %s, %v", name, about, headers)
		}
	}
}

// TestComplaints: what goes wrong is told once, until something else does.
func TestComplaints(t *testing.T) {
	var log bytes.Buffer
	c := complaints{log: slog.New(slog.NewTextHandler(&log, nil))}
	for _, text := range []string{"refused", "refused", "timeout", "refused"} {
		c.Handle(errors.New(text))
	}
	if n := strings.Count(log.String(), "traces are not sent"); n != 3 {
		t.Errorf("told %d times: %s", n, log.String())
	}
}
