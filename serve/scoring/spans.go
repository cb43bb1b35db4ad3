package scoring

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// TracerName is what spans say that they are from.
const TracerName = "github.com/ascood/ascood/serve"

// span adds a stage of an image's way to the trace that ctx is of. For one of none it costs
// nothing (BenchmarkNoTrace).
func span(ctx context.Context, stage string, begun, ended time.Time, err error) {
	parent := trace.SpanFromContext(ctx)
	if !parent.IsRecording() {
		return
	}
	_, s := parent.TracerProvider().Tracer(TracerName).Start(ctx, stage, trace.WithTimestamp(begun))
	if err != nil {
		s.SetStatus(codes.Error, "")
	}
	s.End(trace.WithTimestamp(ended))
}
