package train

import (
	"math"
	"slices"
	"testing"
)

// TestPrototypeRates: the rate rises to that of the tenth epoch and falls to a thousandth, epoch
// by epoch; with epochs from 0, as published, the first are negative.
func TestPrototypeRates(t *testing.T) {
	c := Config{LR: 0.5, Epochs: 100}
	p := publishedPrototypes
	const steps = 98
	if got := p.rate(c, 1, 0, steps); got != 0.001 {
		t.Errorf("the first rate is %v, want 0.001", got)
	}
	last := 0.0
	for epoch := 1; epoch <= 10; epoch++ {
		for step := range steps {
			rate := p.rate(c, epoch, step, steps)
			if rate <= last {
				t.Fatalf("epoch %d, step %d: the rate falls from %v to %v", epoch, step, last, rate)
			}
			last = rate
		}
	}
	if top := p.rate(c, 11, 0, steps); math.Abs(last-top) > 0.01 || p.rate(c, 11, 50, steps) != top {
		t.Errorf("after a rise to %v the rate is %v", last, top)
	}
	if got := p.rate(c, 100, 0, steps); math.Abs(got-0.0005) > 1e-12 {
		t.Errorf("the last rate is %v, want 0.0005", got)
	}
	p.FirstEpoch = 0
	if got := p.rate(c, 1, 0, steps); math.Abs(got+0.0477) > 1e-4 {
		t.Errorf("the first rate of epochs from 0 is %v, want -0.0477", got)
	}
	if got := p.rate(c, 2, 0, steps); got != 0.001 {
		t.Errorf("the first rate of the second epoch is %v, want 0.001", got)
	}
	p.WarmEpochs, p.FirstEpoch = 0, 1
	if first, second := p.rate(c, 1, 0, steps), p.rate(c, 2, 0, steps); first <= second || first > 0.5 {
		t.Errorf("without a rise the rates begin with %v, %v", first, second)
	}
}

func TestRounds(t *testing.T) {
	got := rounds([]int64{2, 0, 2, 2, 1, 0})
	want := []round{{[]int64{2, 0, 1}, []int64{0, 1, 4}}, {[]int64{2, 0}, []int64{2, 5}}, {[]int64{2}, []int64{3}}}
	if !slices.EqualFunc(got, want, func(a, b round) bool {
		return slices.Equal(a.classes, b.classes) && slices.Equal(a.rows, b.rows)
	}) {
		t.Errorf("rounds %v, want %v", got, want)
	}
}

// TestBestByCriterion: the best epoch of a method with a criterion of its own is the one with
// the least of that, the later one of equals.
func TestBestByCriterion(t *testing.T) {
	r := run{learner: &learner{method: &npos{LossWeight: 0.1}}}
	if got := r.merit(Row{LossID: 2, LossOOD: 1, ValAccuracy: 0.9}); math.Abs(got+2.1) > 1e-12 {
		t.Errorf("merit %v, want -2.1", got)
	}
	r.learner.method = crossEntropy{}
	if got := r.merit(Row{LossID: 2, ValAccuracy: 0.9}); got != 0.9 {
		t.Errorf("merit %v, want 0.9", got)
	}
}
