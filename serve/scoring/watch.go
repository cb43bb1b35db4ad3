package scoring

import (
	"context"
	"os"
	"time"
)

// Watch reloads when a signal comes, whatever it is, and looks for changes by itself at
// intervals; 0 is never. It ends with ctx.
func (m *Models) Watch(ctx context.Context, interval time.Duration, signals <-chan os.Signal) {
	var tick <-chan time.Time
	if interval > 0 {
		ticker := time.NewTicker(interval)
		defer ticker.Stop()
		tick = ticker.C
	}
	for {
		select {
		case <-signals:
			m.log.Info("reloading models")
			m.Reload(ctx, true)
		case <-tick:
			m.Reload(ctx, false)
		case <-ctx.Done():
			return
		}
	}
}
