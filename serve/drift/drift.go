// Package drift tells when the images that come are not those that a model was
// calibrated on any more.
//
// The p-values of images like the calibration's are uniform, whatever the model. That is
// tested window by window: of each so many images, once, the scores are compared with the
// calibration's by the two-sample Kolmogorov–Smirnov test, which p-values are enough for.
// Each window is of other images, so that a window without drift raises an alarm with the
// probability that was chosen, and drift is seen at the latest by the second window that
// it is in. The most likely classes of the same windows are compared with the
// calibration's, too, and raise an alarm of their own.
package drift

import (
	"math"
	"slices"
	"sync"
	"time"
)

// Config says what is looked at.
type Config struct {
	Window int           // images of a window
	Age    time.Duration // an image older than this does not count for the report, whatever came since
	Level  float64       // probability of an alarm in a window without drift
}

// Watch looks at the images of one model.
type Watch struct {
	config  Config
	samples int   // of the calibration
	classes []int // of them by class; none if the calibration does not say

	mu                sync.Mutex
	seen              []image // the last ones, a ring once it is full
	next              int     // where the next one goes
	tests             []float64
	counts            []int // of the images of tests, by class
	last, lastClasses *Test
}

// image is what is kept of one.
type image struct {
	at    time.Time
	p     float64
	out   bool
	class int
}

// Test is what a window's images say of drift: their p-values, or their classes.
type Test struct {
	Images       int       `json:"images"`
	Distance     float64   `json:"distance"`     // largest difference of the shares of images and of calibration samples up to a score; of classes, the share of images that would have to be of another one
	Significance float64   `json:"significance"` // how likely as large a one is without drift
	Alarm        bool      `json:"alarm"`        // whether that is less likely than the level
	At           time.Time `json:"at"`
}

// Report is what the images of the last while look like: a sliding window.
type Report struct {
	Images      int       `json:"images"`
	Since       time.Time `json:"since"`     // of the first of them
	Histogram   []int     `json:"histogram"` // images with p-values up to 0.1, 0.2, … 1; equal without drift
	Out         Share     `json:"out_of_distribution"`
	Classes     []int     `json:"-"`                          // images by class
	Now         *Test     `json:"now,omitempty"`              // of the images of the report: to look at, not to be alarmed by
	Last        *Test     `json:"last,omitempty"`             // of the last window that was full: the alarm
	NowClasses  *Test     `json:"predictions_now,omitempty"`  // the same of their classes
	LastClasses *Test     `json:"predictions_last,omitempty"` // the same of their classes
}

// Share is a share with its interval of 95% confidence (Wilson's).
type Share struct {
	Share float64 `json:"share"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
}

// NewWatch returns a watch for a model that was calibrated on so many samples; classes is
// how many of them have each class as the most likely one, nil if that is not known.
func NewWatch(c Config, samples int, classes []int) *Watch {
	return &Watch{config: c, samples: samples, classes: classes, counts: make([]int, len(classes))}
}

// Add looks at an image that got a verdict.
func (w *Watch) Add(p float64, out bool, class int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	if len(w.seen) < w.config.Window {
		w.seen = append(w.seen, image{})
	}
	w.seen[w.next] = image{now, p, out, class}
	w.next = (w.next + 1) % w.config.Window
	if class >= 0 && class < len(w.counts) {
		w.counts[class]++
	}
	if w.tests = append(w.tests, p); len(w.tests) == w.config.Window {
		w.last, w.lastClasses = w.test(w.tests, now), w.classTest(w.counts, now)
		w.tests = w.tests[:0]
		clear(w.counts)
	}
}

// Last returns the test of the last window that was full, nil if none was.
func (w *Watch) Last() *Test {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.last
}

// Report describes the last images, classes of them.
func (w *Watch) Report(classes int) Report {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	r := Report{Histogram: make([]int, 10), Classes: make([]int, classes), Last: w.last, LastClasses: w.lastClasses}
	var values []float64
	out := 0
	for _, i := range w.seen {
		if now.Sub(i.at) > w.config.Age {
			continue
		}
		if len(values) == 0 || i.at.Before(r.Since) {
			r.Since = i.at
		}
		values = append(values, i.p)
		r.Histogram[min(9, int(math.Ceil(i.p*10-1e-9))-1)]++
		if i.out {
			out++
		}
		if i.class >= 0 && i.class < classes {
			r.Classes[i.class]++
		}
	}
	r.Images, r.Out = len(values), wilson(out, len(values))
	if len(values) > 0 {
		r.Now, r.NowClasses = w.test(values, now), w.classTest(r.Classes, now)
	}
	return r
}

// test compares p-values with the calibration. It sorts them.
func (w *Watch) test(p []float64, now time.Time) *Test {
	slices.Sort(p)
	t := &Test{Images: len(p), Distance: distance(p, w.samples), At: now}
	t.Significance = significance(t.Distance, len(p), w.samples)
	t.Alarm = t.Significance < w.config.Level
	return t
}

// distance is the two-sample Kolmogorov–Smirnov distance of scores, known by their
// p-values in ascending order, and the n samples of the calibration: a p-value of
// (k+1)/(n+1) says that k samples have no higher score.
func distance(p []float64, n int) float64 {
	m, d := float64(len(p)), 0.0
	for i, v := range p {
		below := (v*float64(n+1) - 1) / float64(n)
		d = max(d, math.Abs(float64(i)/m-below), math.Abs(float64(i+1)/m-below))
	}
	return d
}

// significance is the probability of a distance at least as large of m and n samples of
// one distribution: Kolmogorov's limit, with Stephens's correction for few samples
// (Stephens 1970, "Use of the Kolmogorov–Smirnov, Cramér–von Mises and related statistics
// without extensive tables").
func significance(d float64, m, n int) float64 {
	root := math.Sqrt(float64(m) * float64(n) / float64(m+n))
	lambda := (root + 0.12 + 0.11/root) * d
	if lambda < 0.2 {
		return 1 // to 12 digits, where the series is slow
	}
	sum, sign := 0.0, 2.0
	for j := 1.0; j <= 100; j++ {
		term := math.Exp(-2 * j * j * lambda * lambda)
		sum += sign * term
		if sign = -sign; term < 1e-16 {
			break
		}
	}
	return min(1, max(0, sum))
}

// wilson is the share of k in n (Wilson 1927). Of none nothing is known.
func wilson(k, n int) Share {
	if n == 0 {
		return Share{0, 0, 1}
	}
	const z = 1.959964 // normal, two-sided 95%
	share, count := float64(k)/float64(n), float64(n)
	centre := (share + z*z/(2*count)) / (1 + z*z/count)
	half := z / (1 + z*z/count) * math.Sqrt(share*(1-share)/count+z*z/(4*count*count))
	return Share{share, max(0, centre-half), min(1, centre+half)}
}
