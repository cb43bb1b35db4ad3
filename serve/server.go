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

	stepTimeout time.Duration // the constant, except in tests
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

		stepTimeout: stepTimeout,
	}
	if config.Keep != nil {
		models.Observe(s.keep)
	}
	return s, s.routes()
}

func (s *Server) routes() error {
	e := s.echo
	e.HTTPErrorHandler = writeError
	e.Use(withRequestID, s.withLog, withRecover, withHeaders, s.withKey)
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

// Serve answers requests on l until ctx is done, then lets the requests in
// flight finish. The error says what kept it from doing either; it wraps
// ascood.ErrDeviceLost if the device failed for good. It closes l.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	server := &http.Server{
		Handler:           s,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       s.config.Timeout,
		WriteTimeout:      s.config.Timeout + writeMargin,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		TLSConfig:         s.config.TLS,
		TLSNextProto:      map[string]func(*http.Server, *tls.Conn, http.Handler){}, // no HTTP/2
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
	}
	s.log.Info("listening", "addr", l.Addr().String())
	failed := make(chan error, 1)
	go func() {
		if s.config.TLS != nil {
			failed <- server.ServeTLS(l, "", "")
		} else {
			failed <- server.Serve(l)
		}
	}()
	lost := s.models.Lost()
	var err error
	select {
	case err := <-failed:
		return errors.Join(fmt.Errorf("serve: %w", err), server.Close())
	case <-lost.Done():
		// No use in waiting until load balancers notice: all requests fail.
		err = s.drain(server, 0)
	case <-ctx.Done():
		err = s.drain(server, s.config.DrainDelay)
	}
	return errors.Join(context.Cause(lost), err)
}

// drain announces the end, closes the door after a delay and waits for those inside.
func (s *Server) drain(server *http.Server, delay time.Duration) error {
	s.draining.Store(true)
	s.log.Info("shutting down", "in_flight", s.metrics.inFlight.Load())
	time.Sleep(delay)
	ctx, cancel := context.WithTimeout(context.Background(), s.config.DrainTimeout)
	defer cancel()
	err := server.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("%d requests cut off: they did not finish within %v", s.metrics.inFlight.Load(), s.config.DrainTimeout)
	}
	return errors.Join(err, server.Close())
}
