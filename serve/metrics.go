package serve

import (
	"errors"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/ascood/ascood/serve/scoring"
)

// metrics are a server's own, so that several may live in one process.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.HistogramVec // route, status
	calls    *prometheus.HistogramVec // method, code
	rejected *prometheus.CounterVec   // reason: of a scoring.BusyError
	clients  *prometheus.CounterVec   // client, status or code
	kept     *prometheus.CounterVec   // outcome: kept, left_out
	inFlight atomic.Int64             // score requests being received, in work or being answered
}

// newMetrics adds to the metrics of the server those of the models.
func newMetrics(models *scoring.Models) *metrics {
	registry := prometheus.NewRegistry()
	registry.MustRegister(models, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	factory := promauto.With(registry)
	m := &metrics{
		registry: registry,
		requests: factory.NewHistogramVec(prometheus.HistogramOpts{
			Name: "ascood_http_request_seconds", Help: "Time from a request's header to its answer.",
			Buckets: prometheus.DefBuckets,
		}, []string{"route", "status"}),
		calls: factory.NewHistogramVec(prometheus.HistogramOpts{
			Name: "ascood_grpc_request_seconds", Help: "Time from a gRPC request's header to its answer.",
			Buckets: prometheus.DefBuckets,
		}, []string{"method", "code"}),
		rejected: factory.NewCounterVec(prometheus.CounterOpts{
			Name: "ascood_rejected_total",
			Help: "Requests told to try again, by reason: queue (full), deadline (too much ahead), memory (for uploads), timeout (no result in time).",
		}, []string{"reason"}),
		clients: factory.NewCounterVec(prometheus.CounterOpts{
			Name: "ascood_client_requests_total", Help: "Requests by the name of the key that they had, and by HTTP's status or gRPC's code.",
		}, []string{"client", "status"}),
		kept: factory.NewCounterVec(prometheus.CounterOpts{
			Name: "ascood_kept_images_total", Help: "Images to look at, by whether they were kept or left out for want of time or room.",
		}, []string{"outcome"}),
	}
	factory.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "ascood_requests_in_flight", Help: "Score requests being received, in work or being answered.",
	}, func() float64 { return float64(m.inFlight.Load()) })
	return m
}

// request counts an answered request. The route, not the path, is the label:
// anyone can make up paths.
func (m *metrics) request(c echo.Context, elapsed time.Duration) {
	route, requests, status := c.Path(), m.calls, grpcStatus(c)
	if status == "" {
		requests, status = m.requests, strconv.Itoa(c.Response().Status)
	}
	if c.Response().Status == http.StatusNotFound || route == anyRoute {
		route = "none"
	}
	requests.WithLabelValues(route, status).Observe(elapsed.Seconds())
	if client, _ := c.Get(clientKey).(string); client != "" {
		m.clients.WithLabelValues(client, status).Inc()
	}
}

// refused counts a request that was told to try again.
func (m *metrics) refused(err error) {
	if busy, ok := errors.AsType[*scoring.BusyError](err); ok {
		m.rejected.WithLabelValues(busy.Reason).Inc()
	}
}
