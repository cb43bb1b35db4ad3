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
func scoreImages(b *Batch, score func(z, h []float32) float64) ([]float64, error) {
	scores := make([]float64, b.Logits.Rows())
	parallel(len(scores), func(i int) {
		scores[i] = score(b.Logits.Row(i), b.Feature.Row(i))
	})
	return scores, nil
}
