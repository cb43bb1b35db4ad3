package serve

import (
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics are a server's own, so that several may live in one process.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.HistogramVec // route, status
	images   *prometheus.CounterVec   // outcome: a verdict, or the code of an image's error
	stages   *prometheus.HistogramVec // stage: waiting, decoding, inference
	batches  prometheus.Histogram     // images a run
	inFlight atomic.Int64             // score requests being received, in work or being answered
	queued   prometheus.Gauge
}

func newMetrics() *metrics {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	factory := promauto.With(registry)
	m := &metrics{
		registry: registry,
		requests: factory.NewHistogramVec(prometheus.HistogramOpts{
			Name: "ascood_http_request_seconds", Help: "Time from a request's header to its answer.",
			Buckets: prometheus.DefBuckets,
		}, []string{"route", "status"}),
		images: factory.NewCounterVec(prometheus.CounterOpts{
			Name: "ascood_images_total", Help: "Images by outcome: a verdict, or the code of the image's error.",
		}, []string{"outcome"}),
		stages: factory.NewHistogramVec(prometheus.HistogramOpts{
			Name: "ascood_image_seconds", Help: "Time an image spends in each stage.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 14),
		}, []string{"stage"}),
		batches: factory.NewHistogram(prometheus.HistogramOpts{
			Name: "ascood_batch_images", Help: "Images that shared one run of the network.",
			Buckets: []float64{1, 2, 4, 8, 16, 32, 64},
		}),
		queued: factory.NewGauge(prometheus.GaugeOpts{
			Name: "ascood_images_queued", Help: "Images that wait for the network.",
		}),
	}
	factory.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "ascood_requests_in_flight", Help: "Score requests being received, in work or being answered.",
	}, func() float64 { return float64(m.inFlight.Load()) })
	return m
}

// request counts an answered request. The route, not the path, is the label:
// anyone can make up paths.
func (m *metrics) request(c echo.Context, elapsed time.Duration) {
	route, status := c.Path(), c.Response().Status
	if status == http.StatusNotFound {
		route = "none"
	}
	m.requests.WithLabelValues(route, strconv.Itoa(status)).Observe(elapsed.Seconds())
}

// stage records the time that an image has spent in a stage.
func (m *metrics) stage(t timing) {
	m.stages.WithLabelValues("waiting").Observe(t.waiting.Seconds())
	m.stages.WithLabelValues("decoding").Observe(t.decoding.Seconds())
	m.stages.WithLabelValues("inference").Observe(t.inference.Seconds())
}

func (m *metrics) handler() echo.HandlerFunc {
	return echo.WrapHandler(promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{}))
}
