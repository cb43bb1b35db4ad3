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
