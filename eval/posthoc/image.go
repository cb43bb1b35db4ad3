package posthoc

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// parallel calls work for 0 to n-1, on all cores.
func parallel(n int, work func(i int)) {
	var next atomic.Int64
	var running sync.WaitGroup
	for range min(n, runtime.GOMAXPROCS(0)) {
		running.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				work(i)
			}
		})
	}
	running.Wait()
}

// scoreImages scores each image by its logits and feature alone.
func scoreImages(b *Batch, score func(z, h []float32) float64) (Scores, error) {
	s := newScores(b)
	parallel(len(s.Values), func(i int) {
		s.Values[i] = score(b.Logits.Row(i), b.Feature.Row(i))
	})
	return s, nil
}

// newScores has the network's predictions, and scores of 0.
func newScores(b *Batch) Scores {
	n := b.Logits.Rows()
	s := Scores{Values: make([]float64, n), Predictions: make([]int, n)}
	for i := range n {
		s.Predictions[i] = argmax(b.Logits.Row(i))
	}
	return s
}

// linear is the classifier's last layer, z = Wh + b.
type linear struct {
	weight Matrix // [C,D]
	bias   []float32
}

func (d *Data) linear() linear { return linear{d.Weight, d.Bias} }

// logits returns Wh + b.
func (l linear) logits(h []float64) []float64 {
	z := make([]float64, len(l.bias))
	for c := range z {
		z[c] = dot(l.weight.Row(c), h) + float64(l.bias[c])
	}
	return z
}

// scoreChanged scores each image by the energy of the logits of its changed
// feature, and predicts by them.
func (l linear) scoreChanged(b *Batch, change func(h []float64)) (Scores, error) {
	n := b.Feature.Rows()
	s := Scores{Values: make([]float64, n), Predictions: make([]int, n)}
	parallel(n, func(i int) {
		h := doubles(b.Feature.Row(i))
		change(h)
		z := l.logits(h)
		s.Values[i], s.Predictions[i] = energy(z), argmax(z)
	})
	return s, nil
}
