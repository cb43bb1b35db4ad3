package drift

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// The second is the example of scipy.stats.chi2_contingency, with its result.
func TestHomogeneity(t *testing.T) {
	for name, tt := range map[string]struct {
		a, b                 []int
		distance, likelihood float64
	}{
		"the same":               {[]int{10, 30}, []int{100, 300}, 0, 1},
		"three classes":          {[]int{10, 20, 30}, []int{6, 9, 17}, 0.0520833, 0.873028283},
		"rare ones are one":      {[]int{30, 20, 3, 3, 4}, []int{60, 60, 5, 5, 4}, 0.1144279, homogeneity([]int{30, 20, 10}, []int{60, 60, 14})},
		"all are rare but one":   {[]int{1000, 1, 0, 1}, []int{1000, 0, 1, 0}, 0.0019960, 1},
		"one class, with others": {[]int{50, 0}, []int{0, 50}, 1, 1.524e-23},
	} {
		if got := totalVariation(tt.a, tt.b); math.Abs(got-tt.distance) > 1e-6 {
			t.Errorf("%s: distance %v, want %v", name, got, tt.distance)
		}
		if got := homogeneity(tt.a, tt.b); math.Abs(got-tt.likelihood) > 1e-3*tt.likelihood {
			t.Errorf("%s: %v, want %v", name, got, tt.likelihood)
		}
	}
}

// drawn counts n images by class, of 100 classes, some of them rare.
func drawn(rng *rand.Rand, n int) []int {
	counts := make([]int, 100)
	for range n {
		counts[int(100*math.Pow(rng.Float64(), 2))]++
	}
	return counts
}

func TestFalseAlarmsOfClasses(t *testing.T) {
	const windows, level = 4000, 0.05
	rng := rand.New(rand.NewPCG(7, 8))
	for _, samples := range []int{300, 5000} {
		alarms := 0
		for range windows {
			if homogeneity(drawn(rng, 200), drawn(rng, samples)) < level {
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

// Images of which each is as typical as ever, but of other classes, raise the alarm of
// classes alone, in the next full window.
func TestShiftOfClasses(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 10))
	w := NewWatch(Config{Window: 100, Age: time.Hour, Level: 0.001}, 999, []int{333, 333, 333})
	send := func(classes int) {
		for range 100 {
			w.Add(rng.Float64(), false, rng.IntN(classes))
		}
	}
	send(3)
	if r := w.Report(3); r.LastClasses.Alarm || r.LastClasses.Images != 100 || r.Last.Alarm {
		t.Errorf("without a shift: %+v", r.LastClasses)
	}
	send(2)
	if r := w.Report(3); !r.LastClasses.Alarm || r.Last.Alarm || r.NowClasses.Distance < 0.3 {
		t.Errorf("with a class missing: %+v, %+v", r.LastClasses, r.Last)
	}
	if r := NewWatch(Config{Window: 1, Age: time.Hour, Level: 0.001}, 999, nil).Report(3); r.NowClasses != nil {
		t.Errorf("without the calibration's classes: %+v", r.NowClasses)
	}
}
