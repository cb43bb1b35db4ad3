// Package serve answers over HTTP whether uploaded images are in or out of
// distribution. POST /v1/score is the service itself; GET / is a page for
// people, and /livez, /readyz, /v1/models and /metrics are for operators.
package serve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"
	"golang.org/x/sync/semaphore"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/ioodin"
)

// Model is what the server asks of an *ioodin.Model.
type Model interface {
	Info() artifact.Metadata
	Settings() artifact.Score
	Device() ascood.Device
	Score(ctx context.Context, crops [][]uint8) ([]ioodin.Result, error)
}

// Server is an http.Handler that scores images with one model.
type Server struct {
	config      Config
	model       Model
	calibration *artifact.Calibration
	log         *slog.Logger
	echo        *echo.Echo
	metrics     *metrics
	decoder     *decoder
	batcher     *batcher
	slots       slots
	memory      *semaphore.Weighted // for uploads, bytes
	draining    atomic.Bool

	stepTimeout time.Duration // the constant, except in tests
}

// New returns a server for a model, which must be calibrated: without that there
// are no verdicts. Close it before the model.
func New(model Model, config Config) (*Server, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	info := model.Info()
	calibration, err := info.CalibrationOf(model.Settings())
	if err != nil {
		return nil, err
	}
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	m := newMetrics()
	s := &Server{
		config:      config,
		model:       model,
		calibration: calibration,
		log:         config.Logger,
		echo:        echo.New(),
		metrics:     m,
		decoder:     newDecoder(info.Preprocess, config.MaxPixels),
		batcher:     newBatcher(model, config.MaxBatch, workers(model.Device()), m),
		slots:       make(slots, config.MaxRequests),
		memory:      semaphore.NewWeighted(config.MaxUploadMemory),

		stepTimeout: stepTimeout,
	}
	s.routes()
	return s, nil
}

func (s *Server) routes() {
	e := s.echo
	e.HTTPErrorHandler = writeError
	e.Use(withRequestID, s.withLog, withRecover, withHeaders)
	e.POST("/v1/score", s.score, s.withDeadline)
	get := func(path string, handler echo.HandlerFunc) {
		e.Match([]string{http.MethodGet, http.MethodHead}, path, handler)
	}
	get("/", page())
	get("/livez", s.live)
	get("/readyz", s.ready)
	get("/v1/models", s.models)
	get("/metrics", s.metrics.handler())
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.echo.ServeHTTP(w, r) }

// Close stops the workers once the batches in work are done.
func (s *Server) Close() { s.batcher.close() }

// Serve answers requests on l until ctx is done, then lets the requests in
// flight finish. The error says what kept it from doing either; it wraps
// ascood.ErrDeviceLost if the device failed for good. It closes l.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	err := s.warm(ctx)
	if err != nil {
		return errors.Join(fmt.Errorf("try the model: %w", err), l.Close())
	}
	server := &http.Server{
		Handler:           s,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       s.config.Timeout,
		WriteTimeout:      s.config.Timeout + writeMargin,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
	}
	s.log.Info("listening", "addr", l.Addr().String(), "model", s.model.Info().Name,
		"settings", s.model.Settings().String(), "device", s.model.Device().String())
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(l) }()
	select {
	case err := <-failed:
		return errors.Join(fmt.Errorf("serve: %w", err), server.Close())
	case <-s.batcher.lost.Done():
		// No use in waiting until load balancers notice: all requests fail.
		err = s.drain(server, 0)
	case <-ctx.Done():
		err = s.drain(server, s.config.DrainDelay)
	}
	return errors.Join(context.Cause(s.batcher.lost), err)
}

// warm scores black images, so that a model that cannot run fails the start and
// not the first client. On a GPU small and large batches are computed by different
// programs, each loaded and planned when it is first needed.
func (s *Server) warm(ctx context.Context) error {
	largest := 1
	if s.model.Device().IsCUDA() {
		largest = s.config.MaxBatch
	}
	var sizes []int
	for n := 1; n < largest; n *= 2 {
		sizes = append(sizes, n)
	}
	sizes = append(sizes, largest)
	black := make([]uint8, s.model.Info().Preprocess.CropLen())
	for _, n := range sizes {
		if _, err := s.model.Score(ctx, slices.Repeat([][]uint8{black}, n)); err != nil {
			return err
		}
	}
	return nil
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
