package drift

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// pValues are those of scores, by the samples of a calibration in ascending order.
func pValues(scores, samples []float64) []float64 {
	p := make([]float64, len(scores))
	for i, s := range scores {
		k, _ := slices.BinarySearchFunc(samples, s, func(sample, s float64) int {
			if sample <= s {
				return -1
			}
			return 1
		})
		p[i] = float64(k+1) / float64(len(samples)+1)
	}
	return p
}

func normals(rng *rand.Rand, n int, mean float64) []float64 {
	values := make([]float64, n)
	for i := range values {
		values[i] = mean + rng.NormFloat64()
	}
	return values
}

// The distance by p-values is the one by definition, of the scores themselves.
func TestDistance(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 100 {
		scores, samples := normals(rng, 1+rng.IntN(30), 0.3), normals(rng, 1+rng.IntN(30), 0)
		slices.Sort(samples)
		want := 0.0
		share := func(values []float64, at float64) float64 {
			n := 0
			for _, v := range values {
				if v <= at {
					n++
				}
			}
			return float64(n) / float64(len(values))
		}
		for _, at := range slices.Concat(scores, samples) {
			want = max(want, math.Abs(share(scores, at)-share(samples, at)))
		}
		p := pValues(scores, samples)
		slices.Sort(p)
		if got := distance(p, len(samples)); math.Abs(got-want) > 1e-12 {
			t.Fatalf("%d scores, %d samples: %v, want %v", len(scores), len(samples), got, want)
		}
	}
}

// Values of tables of Kolmogorov's distribution, for many samples.
func TestSignificance(t *testing.T) {
	const many = 1 << 40
	root := math.Sqrt(many / 2)
	for lambda, want := range map[float64]float64{0.1: 1, 0.5: 0.963945, 1: 0.270000, 1.22385: 0.10, 1.35810: 0.05, 1.62762: 0.01, 1.94947: 0.001, 40: 0} {
		if got := significance(lambda/root, many, many); math.Abs(got-want) > 2e-6 {
			t.Errorf("%v: %v, want %v", lambda, got, want)
		}
	}
}

// A window without drift raises an alarm as often as the level says, or less often.
func TestFalseAlarms(t *testing.T) {
	const windows, level = 4000, 0.05
	rng := rand.New(rand.NewPCG(3, 4))
	for _, samples := range []int{100, 5000} {
		alarms := 0
		for range windows {
			calibration := normals(rng, samples, 0)
			slices.Sort(calibration)
			w := NewWatch(Config{Window: 100, Age: time.Hour, Level: level}, samples, nil)
			for _, p := range pValues(normals(rng, 100, 0), calibration) {
				w.Add(p, false, 0)
			}
			if w.Last().Alarm {
				alarms++
			}
		}
		rate, deviation := float64(alarms)/windows, math.Sqrt(level*(1-level)/windows)
		t.Logf("%d samples: %.2f%% of windows", samples, 100*rate)
		if rate > level+4*deviation || rate < level/3 {
			t.Errorf("%d samples: an alarm in %.2f%% of windows", samples, 100*rate)
		}
	}
}

// Traffic that shifts raises the alarm within two windows, and it ends when the traffic is
// as it was.
func TestShift(t *testing.T) {
	const window = 200
	rng := rand.New(rand.NewPCG(5, 6))
	calibration := normals(rng, 2000, 0)
	slices.Sort(calibration)
	w := NewWatch(Config{Window: window, Age: time.Hour, Level: 0.001}, len(calibration), nil)
	send := func(n int, mean float64) (raised int) {
		for i, p := range pValues(normals(rng, n, mean), calibration) {
			w.Add(p, p < 0.05, 0)
			if last := w.Last(); raised == 0 && last != nil && last.Alarm {
				raised = i + 1
			}
		}
		return raised
	}
	if raised := send(10*window+window/2, 0); raised != 0 {
		t.Errorf("an alarm at image %d of traffic that is as calibrated", raised)
	}
	if raised := send(2*window, -0.7); raised == 0 {
		t.Error("no alarm within two windows of shifted traffic")
	}
	send(2*window, 0)
	if w.Last().Alarm {
		t.Error("the alarm goes on after the shift")
	}
}

func TestReport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := NewWatch(Config{Window: 4, Age: time.Minute, Level: 0.01}, 9, nil)
		if r := w.Report(2); r.Images != 0 || r.Now != nil || r.Last != nil || r.Out != (Share{0, 0, 1}) {
			t.Errorf("of nothing: %+v", r)
		}
		w.Add(0.1, true, 0)
		time.Sleep(50 * time.Second)
		second := time.Now()
		w.Add(0.2, false, 1)
		w.Add(1, false, 1)
		if r := w.Report(2); r.Images != 3 || !slices.Equal(r.Histogram, []int{1, 1, 0, 0, 0, 0, 0, 0, 0, 1}) || !slices.Equal(r.Classes, []int{1, 2}) || r.Last != nil || r.Now.Images != 3 {
			t.Errorf("of three: %+v", r)
		}
		time.Sleep(20 * time.Second)
		r := w.Report(2)
		if r.Images != 2 || r.Out.Share != 0 || !r.Since.Equal(second) {
			t.Errorf("after the first is old: %+v", r)
		}
		w.Add(1, false, 1)
		w.Add(0.5, false, 9)
		if r := w.Report(2); r.Images != 4 || r.Last == nil || r.Last.Images != 4 || !slices.Equal(r.Classes, []int{0, 3}) {
			t.Errorf("of a full ring: %+v", r)
		}
	})
}

func TestWilson(t *testing.T) {
	for _, tt := range []struct {
		k, n int
		want Share
	}{
		{0, 0, Share{0, 0, 1}},
		{0, 10, Share{0, 0, 0.2775}},
		{5, 100, Share{0.05, 0.0215, 0.1118}},
		{10, 10, Share{1, 0.7225, 1}},
	} {
		got := wilson(tt.k, tt.n)
		if got.Share != tt.want.Share || math.Abs(got.Low-tt.want.Low) > 5e-5 || math.Abs(got.High-tt.want.High) > 5e-5 {
			t.Errorf("%d of %d: %+v, want %+v", tt.k, tt.n, got, tt.want)
		}
	}
}
