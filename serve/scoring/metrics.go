package scoring

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/serve/drift"
)

// metrics are those of the models, each labelled with the name that its model is
// served by. Names are those that the operator chose, so they are few.
type metrics struct {
	images  *prometheus.CounterVec   // outcome: a verdict, or the code of an image's error
	stages  *prometheus.HistogramVec // stage: waiting, decoding, inference
	batches *prometheus.HistogramVec // images a run
	seconds *prometheus.CounterVec   // in which the network ran
	queued  *prometheus.GaugeVec
	classes *prometheus.CounterVec // class, verdict
	pValues *prometheus.HistogramVec
	loads   *prometheus.CounterVec // outcome: loaded, refused
}

func newMetrics() *metrics {
	return &metrics{
		images: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ascood_images_total", Help: "Images by outcome: a verdict, or the code of the image's error.",
		}, []string{"model", "outcome"}),
		stages: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "ascood_image_seconds", Help: "Time an image spends in each stage.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 14),
		}, []string{"model", "stage"}),
		batches: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "ascood_batch_images", Help: "Images that shared one run of the network.",
			Buckets: []float64{1, 2, 4, 8, 16, 32, 64},
		}, []string{"model"}),
		seconds: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ascood_inference_seconds_total", Help: "Time in which the network ran; its rate is the share of time that it is busy.",
		}, []string{"model"}),
		queued: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "ascood_images_queued", Help: "Images that wait for the network.",
		}, []string{"model"}),
		classes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ascood_predictions_total", Help: "Images by their most likely class and verdict; of models with few classes.",
		}, []string{"model", "class", "verdict"}),
		pValues: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "ascood_p_value", Help: "p-values of images: uniform while they are like the calibration's.",
			Buckets: prometheus.LinearBuckets(0.1, 0.1, 10),
		}, []string{"model"}),
		loads: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ascood_model_loads_total", Help: "Model files by what came of them: loaded or refused.",
		}, []string{"model", "outcome"}),
	}
}

// vectors are all of them.
func (m *metrics) vectors() []interface {
	prometheus.Collector
	DeletePartialMatch(prometheus.Labels) int
} {
	return []interface {
		prometheus.Collector
		DeletePartialMatch(prometheus.Labels) int
	}{m.images, m.stages, m.batches, m.seconds, m.queued, m.classes, m.pValues, m.loads}
}

// of returns those of one model. All of its series are there from now on, so that a
// rate of zero is seen as one.
func (m *metrics) of(model string, calibration *artifact.Calibration) *modelMetrics {
	for _, v := range []artifact.Verdict{artifact.InDistribution, artifact.OutOfDistribution} {
		m.images.WithLabelValues(model, string(v))
	}
	return &modelMetrics{
		scores:    newScores(model, calibration),
		images:    m.images.MustCurryWith(prometheus.Labels{"model": model}),
		waiting:   m.stages.WithLabelValues(model, "waiting"),
		decoding:  m.stages.WithLabelValues(model, "decoding"),
		inference: m.stages.WithLabelValues(model, "inference"),
		batches:   m.batches.WithLabelValues(model),
		seconds:   m.seconds.WithLabelValues(model),
		queued:    m.queued.WithLabelValues(model),
		pValues:   m.pValues.WithLabelValues(model),
		classes:   m.classes.MustCurryWith(prometheus.Labels{"model": model}),
	}
}

// forget drops the series of a model that is gone.
func (m *metrics) forget(model string) {
	for _, v := range m.vectors() {
		v.DeletePartialMatch(prometheus.Labels{"model": model})
	}
}

// mostClasses is of how many classes there are series: 1000 classes would be 2000 series.
const mostClasses = 100

// modelMetrics are those of one model.
type modelMetrics struct {
	images                       *prometheus.CounterVec
	waiting, decoding, inference prometheus.Observer
	batches, pValues             prometheus.Observer
	scores                       prometheus.Histogram // by its own calibration's buckets
	classes                      *prometheus.CounterVec
	byClass                      bool // whether they are few enough
	seconds                      prometheus.Counter
	queued                       prometheus.Gauge
}

// answered counts an image that got a verdict.
func (m *modelMetrics) answered(r *Result) {
	m.images.WithLabelValues(string(r.Verdict)).Inc()
	m.waiting.Observe(r.Times.Waiting.Seconds())
	m.decoding.Observe(r.Times.Decoding.Seconds())
	m.inference.Observe(r.Times.Inference.Seconds())
	m.pValues.Observe(r.PValue)
	m.scores.Observe(r.Score)
	if m.byClass {
		m.classes.WithLabelValues(r.Class, string(r.Verdict)).Inc()
	}
}

// inWork is of all models together, as is the limit.
var inWork = prometheus.NewDesc("ascood_images_in_work", "Images being decoded, waiting or being scored; --max-queue is the most.", nil, nil)

// Of drift (package drift).
var (
	driftAlarm = prometheus.NewDesc("ascood_drift_alarm", "1 if the last full window of images was not like the calibration's.", []string{"model"}, nil)
	driftShare = prometheus.NewDesc("ascood_out_of_distribution_ratio", "Share of the images of the sliding window that are out of distribution.", []string{"model"}, nil)
	driftNow   = prometheus.NewDesc("ascood_drift_distance", "Kolmogorov-Smirnov distance of the scores of the sliding window from the calibration's.", []string{"model"}, nil)
	classAlarm = prometheus.NewDesc("ascood_drift_class_alarm", "1 if the classes of the last full window of images were not like the calibration's.", []string{"model"}, nil)
	classNow   = prometheus.NewDesc("ascood_drift_class_distance", "Total variation distance of the classes of the sliding window from the calibration's.", []string{"model"}, nil)
)

// Describe implements prometheus.Collector.
func (m *Models) Describe(descriptions chan<- *prometheus.Desc) {
	for _, v := range m.metrics.vectors() {
		v.Describe(descriptions)
	}
	newScores("", &artifact.Calibration{Quantiles: []float64{0}}).Describe(descriptions)
	for _, d := range []*prometheus.Desc{inWork, driftAlarm, driftShare, driftNow, classAlarm, classNow} {
		descriptions <- d
	}
}

// Collect implements prometheus.Collector.
func (m *Models) Collect(samples chan<- prometheus.Metric) {
	for _, v := range m.metrics.vectors() {
		v.Collect(samples)
	}
	samples <- prometheus.MustNewConstMetric(inWork, prometheus.GaugeValue, float64(m.queue.inWork()))
	for _, s := range m.List() {
		if s.Serving != nil {
			s.Serving.metrics.scores.Collect(samples)
			s.Serving.collectDrift(samples)
		}
	}
}

// collectDrift tells of the sliding window only what is known of it.
func (v *Version) collectDrift(samples chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, value float64) {
		samples <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, v.name)
	}
	r := v.Drift()
	alarm := func(d *prometheus.Desc, t *drift.Test) {
		if t != nil && t.Alarm {
			gauge(d, 1)
		} else {
			gauge(d, 0)
		}
	}
	alarm(driftAlarm, r.Last)
	if r.Now != nil {
		gauge(driftShare, r.Out.Share)
		gauge(driftNow, r.Now.Distance)
	}
	if len(v.calibration.Classes) > 0 {
		alarm(classAlarm, r.LastClasses)
	}
	if r.NowClasses != nil {
		gauge(classNow, r.NowClasses.Distance)
	}
}
