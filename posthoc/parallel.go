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
