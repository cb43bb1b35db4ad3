// Package serve answers over HTTP whether uploaded images are in or out of
// distribution. POST /v1/score and /v1/models/NAME/score are the service itself; GET /
// is a page for people, GET /openapi.json describes all routes, and /livez, /readyz,
// /v1/models and /metrics are for operators.
// The scoring is that of package scoring, below.
package serve

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/sync/semaphore"

	"github.com/ascood/ascood/serve/scoring"
)

// Server is an http.Handler that scores images with the models that are served.
type Server struct {
	config   Config
	models   *scoring.Models
	log      *slog.Logger
	echo     *echo.Echo
	metrics  *metrics
	memory   *semaphore.Weighted // for uploads, bytes
	draining atomic.Bool
	closing  context.Context // done when the door closes
	shut     context.CancelFunc

	stepTimeout, headerTimeout time.Duration // the constants, except in tests
}

// New returns a server for models that were opened with the limits of the same
// config, and are to be closed after it has served.
func New(models *scoring.Models, config Config) (*Server, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Server{
		config:  config,
		models:  models,
		log:     config.Logger,
		echo:    echo.New(),
		metrics: newMetrics(models),
		memory:  semaphore.NewWeighted(config.MaxUploadMemory),

		stepTimeout:   stepTimeout,
		headerTimeout: headerTimeout,
	}
	s.closing, s.shut = context.WithCancel(context.Background())
	if config.Keep != nil {
		models.Observe(s.keep)
	}
	return s, s.routes()
}

func (s *Server) routes() error {
	e := s.echo
	e.HTTPErrorHandler = writeError
	e.Use(withRequestID, s.withTrace, s.withLog, withRecover, withHeaders, s.withKey)
	post := func(path string, handler echo.HandlerFunc) { e.POST(path, handler, s.withDeadline) }
	post("/v1/score", s.score)
	post("/v1/models/:"+modelParam+"/score", s.score)
	get := func(path string, handler echo.HandlerFunc) {
		e.Match([]string{http.MethodGet, http.MethodHead}, path, handler)
	}
	get("/", page())
	description, err := openAPIPage()
	if err != nil {
		return err
	}
	get("/openapi", description)
	get("/openapi.json", openAPI)
	get("/livez", s.live)
	get("/readyz", s.ready)
	get("/v1/models", s.listModels)
	get("/v1/drift", s.driftReport)
	if !s.config.OwnMetrics {
		get("/metrics", echo.WrapHandler(s.Metrics()))
	}
	s.v2Routes(get, post)
	return nil
}

// Metrics is what GET /metrics has.
func (s *Server) Metrics() http.Handler {
	return promhttp.HandlerFor(s.metrics.registry, promhttp.HandlerOpts{})
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.echo.ServeHTTP(w, r) }

// httpServer is a server of the limits of connections, without HTTP/2.
func (s *Server) httpServer(handler http.Handler) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: s.headerTimeout,
		ReadTimeout:       s.config.Timeout,
		WriteTimeout:      s.config.Timeout + writeMargin,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		TLSConfig:         s.config.TLS,
		TLSNextProto:      map[string]func(*http.Server, *tls.Conn, http.Handler){},
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
	}
}

// Serve answers requests on l, and on the listener for gRPC if there is one, until ctx is
// done, then lets the requests in flight finish. The error says what kept it from doing
// either; it wraps ascood.ErrDeviceLost if the device failed for good. It closes both.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	servers, listeners := servers{s.httpServer(s)}, []net.Listener{l}
	if grpc := s.config.GRPC; grpc != nil {
		servers, listeners = append(servers, s.grpcServer()), append(listeners, grpc)
		s.log.Info("listening for gRPC", "addr", grpc.Addr().String())
	}
	s.log.Info("listening", "addr", l.Addr().String())
	failed := make(chan error, len(servers))
	for i, server := range servers {
		go func() { failed <- s.serve(server, listeners[i]) }()
	}
	lost := s.models.Lost()
	var err error
	select {
	case err := <-failed:
		return errors.Join(fmt.Errorf("serve: %w", err), servers.close())
	case <-lost.Done():
		// No use in waiting until load balancers notice: all requests fail.
		err = s.drain(servers, 0)
	case <-ctx.Done():
		err = s.drain(servers, s.config.DrainDelay)
	}
	return errors.Join(context.Cause(lost), err)
}

func (s *Server) serve(server *http.Server, l net.Listener) error {
	if s.config.TLS != nil {
		return server.ServeTLS(l, "", "")
	}
	return server.Serve(l)
}

// servers are ended together.
type servers []*http.Server

func (all servers) shutdown(ctx context.Context) error {
	errs := make([]error, len(all))
	var group sync.WaitGroup
	for i, server := range all {
		group.Go(func() { errs[i] = server.Shutdown(ctx) })
	}
	group.Wait()
	return errors.Join(errs...)
}

func (all servers) close() (err error) {
	for _, server := range all {
		err = errors.Join(err, server.Close())
	}
	return err
}

// drain announces the end, closes the door after a delay and waits for those inside.
func (s *Server) drain(all servers, delay time.Duration) error {
	s.draining.Store(true)
	s.log.Info("shutting down", "in_flight", s.metrics.inFlight.Load())
	time.Sleep(delay)
	ctx, cancel := context.WithTimeout(context.Background(), s.config.DrainTimeout)
	defer cancel()
	s.shut()
	err := all.shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("%d requests cut off: they did not finish within %v", s.metrics.inFlight.Load(), s.config.DrainTimeout)
	}
	return errors.Join(err, all.close())
}
