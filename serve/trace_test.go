package serve

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	sdk "go.opentelemetry.io/otel/sdk/trace"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	sent "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	"github.com/ascood/ascood/serve/inference"
	"github.com/ascood/ascood/serve/scoring"
	"github.com/ascood/ascood/serve/tracing"
)

// A request's line in the log has its trace, if that is sane.
func TestTraceparent(t *testing.T) {
	const trace, span = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
	for header, valid := range map[string]bool{
		"00-" + trace + "-" + span + "-01":                    true,
		"00-" + trace + "-" + span + "-00":                    true,
		"01-" + trace + "-" + span + "-01-what-comes-later":   true,
		"00-" + trace + "-" + span + "-01-more":               false,
		"ff-" + trace + "-" + span + "-01":                    false,
		"00-" + strings.ToUpper(trace) + "-" + span + "-01":   false,
		"00-" + strings.Repeat("0", 32) + "-" + span + "-01":  false,
		"00-" + trace + "-" + strings.Repeat("0", 16) + "-01": false,
		"00-" + trace[1:] + "-" + span + "-01":                false,
		"00-" + trace + "\n-" + span + "-01":                  false,
		"":                                                    false,
	} {
		var log strings.Builder
		r := httptest.NewRequest("GET", "/livez", nil)
		if header != "" {
			r.Header.Set("Traceparent", header)
		}
		do(newServer(t, &fakeModel{}, logTo(&log)), r)
		if has := strings.Contains(log.String(), `"trace_id":"`+trace+`","parent_span_id":"`+span+`"`); has != valid || strings.Contains(log.String(), "trace_id") != valid {
			t.Errorf("%q: logged %s", header, log.String())
		}
	}
}

// traced has a server's traces sent to a collector; spans returns those that it has got.
func traced(t *testing.T) (tweak func(*Config), spans func() []*sent.Span) {
	t.Helper()
	var mu sync.Mutex
	var all []*sent.Span
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		data, err := io.ReadAll(r.Body)
		m := new(collector.ExportTraceServiceRequest)
		if err != nil || proto.Unmarshal(data, m) != nil {
			t.Errorf("received %d bytes, %v", len(data), err)
		}
		mu.Lock()
		defer mu.Unlock()
		for _, r := range m.ResourceSpans {
			for _, s := range r.ScopeSpans {
				all = append(all, s.Spans...)
			}
		}
	}))
	t.Cleanup(web.Close)
	provider, err := tracing.Open(t.Context(), web.URL, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { provider.Shutdown(context.Background()) })
	spans = func() []*sent.Span {
		if err := provider.ForceFlush(t.Context()); err != nil {
			t.Fatal(err)
		}
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(all)
	}
	return func(c *Config) { c.Tracer = provider.Tracer(scoring.TracerName) }, spans
}

// attributesOf are a span's, as text.
func attributesOf(s *sent.Span) map[string]string {
	all := map[string]string{}
	for _, a := range s.Attributes {
		if text := a.Value.GetStringValue(); text != "" {
			all[a.Key] = text
		} else {
			all[a.Key] = fmt.Sprint(a.Value.GetIntValue())
		}
	}
	return all
}

// TestTraces: a request is a span under the one that its header names, over HTTP and gRPC,
// and each stage of its image is one under that. Nothing of the image is sent.
func TestTraces(t *testing.T) {
	const trace, parent = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
	const header = "00-" + trace + "-" + parent + "-01"
	tweak, spans := traced(t)
	var log syncBuilder
	s, conn := startGRPC(t, &fakeModel{}, tweak, logTo(&log))
	for name, tt := range map[string]struct {
		ask  func()
		want map[string]string
	}{
		"POST /v1/score": {func() {
			r := form(t, file{"image", "private.png", grayPNG(t, 255)})
			r.Header.Set("Traceparent", header)
			wantScore(t, do(s, r), 1)
		}, map[string]string{"http.request.method": "POST", "http.route": "/v1/score", "http.response.status_code": "200", "ascood.images": "1"}},
		"inference.GRPCInferenceService/ModelInfer": {func() {
			ctx := metadata.AppendToOutgoingContext(t.Context(), "traceparent", header)
			if _, err := inference.NewGRPCInferenceServiceClient(conn).ModelInfer(ctx, filesRequest(grayPNG(t, 255))); err != nil {
				t.Error(err)
			}
		}, map[string]string{"rpc.system.name": "grpc", "rpc.method": "inference.GRPCInferenceService/ModelInfer", "rpc.response.status_code": "OK", "ascood.images": "1"}},
	} {
		before := len(spans())
		tt.ask()
		var got []*sent.Span
		eventually(t, "the spans", func() bool { got = spans()[before:]; return len(got) == 5 })
		root := got[slices.IndexFunc(got, func(s *sent.Span) bool { return s.Kind == sent.Span_SPAN_KIND_SERVER })]
		if root.Name != name || hex.EncodeToString(root.TraceId) != trace || hex.EncodeToString(root.ParentSpanId) != parent || root.Status.GetCode() != sent.Status_STATUS_CODE_UNSET {
			t.Errorf("the request is %v", root)
		}
		has := attributesOf(root)
		for key, want := range tt.want {
			if has[key] != want {
				t.Errorf("%s: %s is %q, want %q", name, key, has[key], want)
			}
		}
		if len(has) != len(tt.want)+1 || has["ascood.request_id"] == "" {
			t.Errorf("%s: attributes are %v", name, has)
		}
		var stages []string
		for _, s := range got {
			if s == root {
				continue
			}
			stages = append(stages, s.Name)
			if !slices.Equal(s.ParentSpanId, root.SpanId) || !slices.Equal(s.TraceId, root.TraceId) || s.StartTimeUnixNano < root.StartTimeUnixNano ||
				s.EndTimeUnixNano > root.EndTimeUnixNano || s.EndTimeUnixNano < s.StartTimeUnixNano || len(s.Attributes) > 0 {
				t.Errorf("%s is %v, in %v", s.Name, s, root)
			}
		}
		if slices.Sort(stages); !slices.Equal(stages, []string{"decode", "inference", "queue", "queue"}) {
			t.Errorf("%s: stages are %v", name, stages)
		}
		if want := `"trace_id":"` + trace + `","span_id":"` + hex.EncodeToString(root.SpanId) + `","parent_span_id":"` + parent + `"`; !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %s: %s", want, log.String())
		}
	}
}

// TestTracesOfOthers: errors are told by their code, requests without a trace begin one, and
// what a client does not want to be traced, or comes all the time, is not.
func TestTracesOfOthers(t *testing.T) {
	tweak, spans := traced(t)
	s := newServer(t, &fakeModel{before: func([][]uint8) error { panic("secret") }}, tweak)
	ask := func(r *http.Request, header string) []*sent.Span {
		before := len(spans())
		if header != "" {
			r.Header.Set("Traceparent", header)
		}
		do(s, r)
		return spans()[before:]
	}
	if got := ask(raw([]byte("text")), ""); len(got) != 3 || got[2].Name != "POST /v1/score" || len(got[2].ParentSpanId) > 0 ||
		got[2].Status.GetCode() != sent.Status_STATUS_CODE_UNSET || attributesOf(got[2])["error.type"] != "unsupported" || got[1].Status.GetCode() != sent.Status_STATUS_CODE_ERROR {
		t.Errorf("what is no image: %v", got)
	}
	got := ask(raw(grayPNG(t, 255)), "")
	if len(got) != 5 || got[4].Status.GetCode() != sent.Status_STATUS_CODE_ERROR || attributesOf(got[4])["error.type"] != "internal" || strings.Contains(fmt.Sprint(got), "secret") {
		t.Errorf("a fault: %v", got)
	}
	if got := ask(httptest.NewRequest("GET", "/secret", nil), ""); len(got) != 1 || got[0].Name != "no such route" || strings.Contains(fmt.Sprint(got), "secret") {
		t.Errorf("a path that there is not: %v", got)
	}
	for _, path := range []string{"/livez", "/readyz", "/metrics", "/v2/health/ready", "/"} {
		if got := ask(httptest.NewRequest("GET", path, nil), ""); len(got) > 0 {
			t.Errorf("%s: %v", path, got)
		}
	}
	if got := ask(raw([]byte("text")), "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"); len(got) > 0 {
		t.Errorf("not to be sampled: %v", got)
	}
}

// BenchmarkTraces is a request with traces and without.
func BenchmarkTraces(b *testing.B) {
	image := grayPNG(b, 255)
	for _, name := range []string{"off", "on"} {
		b.Run(name, func(b *testing.B) {
			config := DefaultConfig()
			if name == "on" {
				config.Tracer = sdk.NewTracerProvider().Tracer("")
			}
			models := open(b, &fakeModel{}, config)
			defer models.Close()
			s, err := New(models, config)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				do(s, raw(image))
			}
		})
	}
}
