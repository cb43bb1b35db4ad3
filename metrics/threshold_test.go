package metrics

import (
	"bytes"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// TestThresholds counts what they keep and catch.
func TestThresholds(t *testing.T) {
	id, ood := make([]float64, 1000), make([]float64, 200)
	for i := range id {
		id[i] = float64(i * 7919 % 1000)
	}
	for i := range ood {
		ood[i] = float64(i - 100)
	}
	all, err := Thresholds(id, ood)
	if err != nil {
		t.Fatal(err)
	}
	for i, tpr := range TPRs {
		// The scores are 0 … 999, so that a threshold of k keeps 1000-k of them.
		if want := math.Round(1000 * (1 - tpr)); all[i].TPR != tpr || all[i].Score.Value != want {
			t.Errorf("threshold %+v, want %v", all[i], want)
		}
	}
	// 100 scores of 0…99 lie at or above 0, so below 10 (TPR 99%) are 110 of 200.
	if got := all[2].Caught[0]; all[2].Score.Value != 10 || got.Value != 0.55 {
		t.Errorf("at %v it catches %+v, want 0.55", all[2].Score, got)
	}
	// Wilson's interval of 110 in 200: 0.54906 ± 0.06830.
	if got := all[2].Caught[0]; math.Abs(got.Low-0.48076) > 1e-4 || math.Abs(got.High-0.61736) > 1e-4 {
		t.Errorf("interval %+v", got)
	}
}

// TestIntervals compares with tables: of the binomial distributions of 100 draws, and of
// Wilson's interval.
func TestIntervals(t *testing.T) {
	sorted := make([]float64, 100)
	for i := range sorted {
		sorted[i] = float64(i)
	}
	for tpr, want := range map[float64]Interval{
		0.90: {10, 4, 16}, // P(X ≤ 4) = 0.024, P(X ≤ 5) = 0.058; P(X ≤ 15) = 0.960, P(X ≤ 16) = 0.979
		0.95: {5, 0, 10},  // P(X ≤ 0) = 0.006, P(X ≤ 1) = 0.037; P(X ≤ 9) = 0.972, P(X ≤ 10) = 0.989
		0.99: {1, math.Inf(-1), 3},
	} {
		if got := threshold(sorted, tpr); got != want {
			t.Errorf("the threshold at TPR %v is %v, want %v", tpr, got, want)
		}
	}
	if got := threshold(sorted[:2], 0.01); got != (Interval{1, 1, math.Inf(1)}) {
		t.Errorf("the threshold of two scores at TPR 0.01 is %v", got)
	}
	for k, want := range map[int]Interval{0: {0, 0, 0.27753}, 3: {0.3, 0.10779, 0.60322}, 5: {0.5, 0.23659, 0.76341}, 10: {1, 0.72247, 1}} {
		got := wilson(k, 10)
		if got.Value != want.Value || math.Abs(got.Low-want.Low) > 1e-5 || math.Abs(got.High-want.High) > 1e-5 {
			t.Errorf("the interval of %d in 10 is %v, want %v", k, got, want)
		}
		if k == 0 && got.Low != 0 || k == 10 && got.High != 1 {
			t.Errorf("the interval of %d in 10 is %v, want exactly its bound", k, got)
		}
	}
}

// TestThresholdIntervalCovers draws samples and counts how often the interval
// holds the true quantile.
func TestThresholdIntervalCovers(t *testing.T) {
	const draws = 2000
	rng := rand.New(rand.NewPCG(3, 4))
	for k, tpr := range TPRs {
		covered := 0
		for range draws {
			id := make([]float64, 500)
			for i := range id {
				id[i] = rng.Float64()
			}
			all, err := Thresholds(id)
			if err != nil {
				t.Fatal(err)
			}
			if s := all[k].Score; s.Low <= 1-tpr && 1-tpr <= s.High && s.Low <= s.Value && s.Value <= s.High {
				covered++
			}
		}
		if share := float64(covered) / draws; share < 0.94 || share > 0.99 {
			t.Errorf("the interval at TPR %v holds the truth in %v of the samples, want at least 0.95", tpr, share)
		}
	}
}

func TestTooFewForThreshold(t *testing.T) {
	for _, c := range []struct {
		n  int
		ok bool
	}{{71, false}, {72, true}} {
		all, err := Thresholds(make([]float64, c.n))
		if err != nil {
			t.Fatal(err)
		}
		if bounded := !math.IsInf(all[1].Score.Low, -1); bounded != c.ok {
			t.Errorf("%d images: interval %+v", c.n, all[1].Score)
		}
		var out bytes.Buffer
		if err := WriteThresholds(&out, all, nil, c.n); err != nil {
			t.Fatal(err)
		}
		if warned := strings.Contains(out.String(), "cannot support a TPR of 95%: at least 72"); warned == c.ok {
			t.Errorf("%d images: printed\n%s", c.n, out.String())
		}
	}
	if _, err := Thresholds(nil); err == nil {
		t.Error("no error without scores")
	}
}

func TestWriteThresholds(t *testing.T) {
	all := []Threshold{
		{0.9, Interval{0.25, math.Inf(-1), 0.5}, []Interval{{0.5, 0.25, 0.75}, {1, 0.875, 1}}},
		{0.95, Interval{0.125, 0.1, 0.2}, []Interval{{0.25, 0.125, 0.5}, {0.5, 0.25, 0.625}}},
	}
	sets := []string{"noise", "digits"}
	var out bytes.Buffer
	if err := WriteThresholds(&out, all, sets, 50); err != nil {
		t.Fatal(err)
	}
	want := "" +
		"  TPR  threshold  95% interval       caught of noise        caught of digits\n" +
		"  90%       0.25   -Inf to 0.5  50.0% (25.0 to 75.0)  100.0% (87.5 to 100.0)\n" +
		"  95%      0.125    0.1 to 0.2  25.0% (12.5 to 50.0)    50.0% (25.0 to 62.5)\n" +
		"50 in-distribution images cannot support a TPR of 95%: at least 72 are needed.\n"
	if out.String() != want {
		t.Errorf("printed\n%s\nwant\n%s", out.String(), want)
	}
	out.Reset()
	if err := WriteThresholdsCSV(&out, all, sets); err != nil {
		t.Fatal(err)
	}
	want = "" +
		"tpr,threshold,threshold_low,threshold_high,set,caught,caught_low,caught_high\n" +
		"0.9,0.25,-Inf,0.5,noise,0.5,0.25,0.75\n" +
		"0.9,0.25,-Inf,0.5,digits,1,0.875,1\n" +
		"0.95,0.125,0.1,0.2,noise,0.25,0.125,0.5\n" +
		"0.95,0.125,0.1,0.2,digits,0.5,0.25,0.625\n"
	if out.String() != want {
		t.Errorf("wrote\n%s\nwant\n%s", out.String(), want)
	}
}

func TestConstantScores(t *testing.T) {
	m, err := Compute([]float64{1, 1, 1}, []float64{1, 1}, 3)
	if err != nil || m.AUROC != 0.5 || m.FPR95 != 1 {
		t.Errorf("constant scores give %+v (%v)", m, err)
	}
	all, err := Thresholds([]float64{1, 1, 1}, []float64{1, 1})
	if err != nil || all[0].Score.Value != 1 || all[0].Caught[0].Value != 0 {
		t.Errorf("constant scores have the thresholds %+v (%v)", all, err)
	}
}
