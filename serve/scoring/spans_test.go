package scoring

import (
	"testing"
	"time"
)

// TestNoTrace: without a trace a stage takes no memory.
func TestNoTrace(t *testing.T) {
	ctx, now := t.Context(), time.Now()
	if n := testing.AllocsPerRun(100, func() { span(ctx, "queue", now, now, nil) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkNoTrace(b *testing.B) {
	ctx, now := b.Context(), time.Now()
	b.ReportAllocs()
	for b.Loop() {
		span(ctx, "queue", now, now, nil)
	}
}
