package serve

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/ascood/ascood/serve/inference"
	"github.com/ascood/ascood/serve/keys"
)

// TestGRPCKeys: only those with a key get past the health checks.
func TestGRPCKeys(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(path, fmt.Appendf(nil, "line %x 2\n", sha256.Sum256([]byte("secret"))), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := keys.Open(path, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	var log syncBuilder
	s, conn := startGRPC(t, &fakeModel{}, logTo(&log), func(c *Config) { c.Keys = file })
	client := inference.NewGRPCInferenceServiceClient(conn)
	if _, err := client.ServerLive(t.Context(), &inference.ServerLiveRequest{}); err != nil {
		t.Error(err)
	}
	if _, err := client.ServerReady(t.Context(), &inference.ServerReadyRequest{}); err != nil {
		t.Error(err)
	}
	if _, err := grpc_health_v1.NewHealthClient(conn).Check(t.Context(), &grpc_health_v1.HealthCheckRequest{}); err != nil {
		t.Error(err)
	}
	if err := conn.Invoke(t.Context(), "/other.Service/Method", filesRequest(), &inference.ModelInferResponse{}); status.Code(err) != codes.Unauthenticated {
		t.Errorf("an unknown method: %v", err)
	}
	image := filesRequest(grayPNG(t, 255))
	for _, header := range [][]string{{}, {"authorization", "Basic secret"}, {"x-api-key", "Secret"}} {
		_, err := client.ModelInfer(metadata.AppendToOutgoingContext(t.Context(), header...), image)
		wantStatus(t, err, codes.Unauthenticated, "no key, or an unknown one")
	}
	for _, header := range [][]string{{"authorization", "Bearer secret"}, {"x-api-key", "secret"}} {
		if _, err := client.ModelInfer(metadata.AppendToOutgoingContext(t.Context(), header...), image); err != nil {
			t.Error(err)
		}
	}
	var sent metadata.MD
	_, err = client.ModelInfer(metadata.AppendToOutgoingContext(t.Context(), "x-api-key", "secret"), image, grpc.Header(&sent), grpc.Trailer(&sent))
	wantStatus(t, err, codes.ResourceExhausted, "line may send 2 requests a minute")
	eventually(t, "the log", func() bool { return strings.Contains(log.String(), `"grpc_status":"ResourceExhausted"`) })
	if text := log.String(); !strings.Contains(text, `"client":"line"`) || strings.Contains(text, "secret") {
		t.Errorf("logged %s", text)
	}
	if got := do(s.Metrics(), httptest.NewRequest("GET", "/metrics", nil)).Body.String(); !strings.Contains(got, `ascood_client_requests_total{client="line",status="OK"} 2`) {
		t.Error("the client's requests are not counted")
	}
}

// syncBuilder is a log that several goroutines write.
type syncBuilder struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *syncBuilder) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *syncBuilder) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// TestGRPCTLS: connections are encrypted, by the certificate that is there now.
func TestGRPCTLS(t *testing.T) {
	folder := t.TempDir()
	cert, key, first := selfSigned(t, folder, 1)
	config, err := TLS(cert, key, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	_, plain := startGRPC(t, &fakeModel{}, func(c *Config) { c.TLS = config })
	ask := func(trusted *x509.Certificate) error {
		roots := x509.NewCertPool()
		roots.AddCert(trusted)
		conn, err := grpc.NewClient(plain.Target(), grpc.WithTransportCredentials(credentials.NewClientTLSFromCert(roots, "localhost")))
		if err != nil {
			return err
		}
		defer conn.Close()
		_, err = inference.NewGRPCInferenceServiceClient(conn).ModelInfer(t.Context(), filesRequest(grayPNG(t, 255)))
		return err
	}
	if err := ask(first); err != nil {
		t.Error(err)
	}
	if _, err := inference.NewGRPCInferenceServiceClient(plain).ServerLive(t.Context(), &inference.ServerLiveRequest{}); status.Code(err) != codes.Unavailable {
		t.Errorf("without TLS: %v", err)
	}
	_, _, second := selfSigned(t, folder, 2)
	eventually(t, "the new certificate", func() bool { return ask(second) == nil })
}

// TestGRPCBusy: who finds no place is told so at once, and when to come again.
func TestGRPCBusy(t *testing.T) {
	m, begun, release := blocking()
	s, conn := startGRPC(t, m, func(c *Config) { c.MaxQueue, c.MaxImages = 1, 1 })
	client := inference.NewGRPCInferenceServiceClient(conn)
	first := make(chan error)
	go func() {
		_, err := client.ModelInfer(t.Context(), filesRequest(grayPNG(t, 255)))
		first <- err
	}()
	<-begun
	var trailer metadata.MD
	_, err := client.ModelInfer(t.Context(), filesRequest(grayPNG(t, 255)), grpc.Trailer(&trailer))
	wantStatus(t, err, codes.Unavailable, "1 images are in work, of 1 that may be: try again later")
	if after := trailer.Get("grpc-retry-pushback-ms"); len(after) != 1 || after[0] == "" {
		t.Errorf("the trailer is %v", trailer)
	} else if n, err := strconv.Atoi(after[0]); err != nil || n < 1000 {
		t.Errorf("to be tried again in %v ms", after)
	}
	close(release)
	if err := <-first; err != nil {
		t.Errorf("the first: %v", err)
	}
	wantNothingHeld(t, s)
	if n := metric(t, s, `ascood_rejected_total{reason="queue"}`); n != "1" {
		t.Errorf("%s rejected", n)
	}
}

// TestGRPCDeadlines: a client's deadline is kept and so is the server's, and who leaves
// makes room.
func TestGRPCDeadlines(t *testing.T) {
	for name, tt := range map[string]struct {
		server, client time.Duration
		leave          bool
		code           codes.Code
		message        string
	}{
		"the client's":         {time.Hour, 100 * time.Millisecond, false, codes.DeadlineExceeded, ""},
		"the server's":         {100 * time.Millisecond, time.Hour, false, codes.DeadlineExceeded, "no result in time: the server is busy"},
		"a client that leaves": {time.Hour, time.Hour, true, codes.Canceled, ""},
	} {
		t.Run(name, func(t *testing.T) {
			m, begun, release := blocking()
			defer close(release)
			s, conn := startGRPC(t, m, func(c *Config) { c.Timeout = tt.server })
			ctx, cancel := context.WithTimeout(t.Context(), tt.client)
			defer cancel()
			if tt.leave {
				go func() {
					<-begun
					cancel()
				}()
			}
			_, err := inference.NewGRPCInferenceServiceClient(conn).ModelInfer(ctx, filesRequest(grayPNG(t, 255)))
			wantStatus(t, err, tt.code, tt.message)
			eventually(t, "the call to end", func() bool {
				return s.metrics.inFlight.Load() == 0 && metric(t, s, "ascood_images_in_work") == "0"
			})
			wantNothingHeld(t, s)
		})
	}
}

// TestGRPCPanics: a panic is the failure of its call alone, and clients are not told what
// it was.
func TestGRPCPanics(t *testing.T) {
	var log syncBuilder
	_, conn := startGRPC(t, &fakeModel{before: func(crops [][]uint8) error {
		if crops[0][0] == 7 {
			panic("seven")
		}
		return nil
	}}, logTo(&log))
	client := inference.NewGRPCInferenceServiceClient(conn)
	_, err := client.ModelInfer(t.Context(), filesRequest(grayPNG(t, 7)))
	wantStatus(t, err, codes.Internal, "internal error; the server's log has the details under this request's id")
	if _, err := client.ModelInfer(t.Context(), filesRequest(grayPNG(t, 255))); err != nil {
		t.Error(err)
	}
	eventually(t, "the log", func() bool { return strings.Contains(log.String(), "seven") })
	// Of what is ours around it.
	o := &outcome{request: httptest.NewRequest("POST", "/", nil), release: func() {}}
	_, err = unary(context.WithValue(t.Context(), outcomeKey{}, o), nil, nil, func(context.Context, any) (any, error) { panic("eight") })
	if status.Code(err) != codes.Internal || o.err == nil || !strings.Contains(o.err.Error(), "eight") || strings.Contains(err.Error(), "eight") {
		t.Errorf("got %v, logged %v", err, o.err)
	}
}

// TestGRPCShutdown: at the end those who watch the health are told, a call in work is
// answered, and no other begins.
func TestGRPCShutdown(t *testing.T) {
	m, begun, release := blocking()
	l, grpcL := listen(t), listen(t)
	s := newServer(t, m, func(c *Config) { c.GRPC, c.DrainDelay = grpcL, 2*time.Second })
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error)
	go func() { served <- s.Serve(ctx, l) }()
	conn := connect(t, grpcL.Addr().String(), plaintext)
	client, health := inference.NewGRPCInferenceServiceClient(conn), grpc_health_v1.NewHealthClient(conn)
	const service = "inference.GRPCInferenceService"
	watch, err := health.Watch(t.Context(), &grpc_health_v1.HealthCheckRequest{Service: service})
	if err != nil {
		t.Fatal(err)
	}
	if r, err := watch.Recv(); err != nil || r.Status != grpc_health_v1.HealthCheckResponse_SERVING {
		t.Errorf("watching: %v, %v", r, err)
	}
	if all, err := health.List(t.Context(), &grpc_health_v1.HealthListRequest{}); err != nil || len(all.Statuses) != 2 {
		t.Errorf("list: %v, %v", all, err)
	}
	_, err = health.Check(t.Context(), &grpc_health_v1.HealthCheckRequest{Service: "other"})
	wantStatus(t, err, codes.NotFound, "unknown service")
	answered := make(chan error)
	go func() {
		_, err := client.ModelInfer(t.Context(), filesRequest(grayPNG(t, 255)))
		answered <- err
	}()
	<-begun
	stop()
	eventually(t, "the end", s.draining.Load)
	if r, err := health.Check(t.Context(), &grpc_health_v1.HealthCheckRequest{Service: service}); err != nil || r.Status != grpc_health_v1.HealthCheckResponse_NOT_SERVING {
		t.Errorf("health: %v, %v", r, err)
	}
	if r, err := client.ServerReady(t.Context(), &inference.ServerReadyRequest{}); err != nil || r.Ready {
		t.Errorf("ready: %v, %v", r, err)
	}
	if r, err := watch.Recv(); err != nil || r.Status != grpc_health_v1.HealthCheckResponse_NOT_SERVING {
		t.Errorf("watching: %v, %v", r, err)
	}
	_, err = watch.Recv()
	wantStatus(t, err, codes.Unavailable, "shutting down")
	eventually(t, "the door to close", func() bool {
		_, err := client.ServerLive(t.Context(), &inference.ServerLiveRequest{})
		return status.Code(err) == codes.Unavailable
	})
	close(release)
	if err := <-answered; err != nil {
		t.Errorf("a call in work: %v", err)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}
