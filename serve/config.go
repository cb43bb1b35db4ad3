package serve

import (
	"crypto/tls"
	"log/slog"
	"net"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/serve/drift"
	"github.com/ascood/ascood/serve/keep"
	"github.com/ascood/ascood/serve/keys"
	"github.com/ascood/ascood/serve/scoring"
)

// Config holds the server's limits. DefaultConfig has values for all of them.
//
// Memory is bounded by them: twice MaxUploadMemory for uploads, whose pieces are
// joined at the end; at worst 30 bytes for each of MaxPixels for the images
// being decoded (scoring.BytesPerPixel, which a test holds), 750 MB by default; and a crop,
// 150 KB at 224x224, for each of MaxQueue. What has been
// used may lie about until the garbage collector comes, so that a process may have
// twice as much; GOMEMLIMIT lowers that.
type Config struct {
	scoring.Limits

	MaxBody         int64         // bytes of one request
	MaxUploadMemory int64         // bytes of all requests at once, being received or in work
	MaxImages       int           // of one request
	Timeout         time.Duration // for one request, from its header to its answer

	DrainDelay   time.Duration // between failing /readyz and closing the door, for load balancers to notice
	DrainTimeout time.Duration // for the requests in flight at shutdown to finish

	Keep       *keep.Store // for images to look at; nil keeps none
	KeepPValue float64     // those with a p-value up to it; 0 is those that are out of distribution

	Keys       *keys.File  // of those who may send requests; nil is anybody
	TLS        *tls.Config // nil is plain HTTP
	OwnMetrics bool        // /metrics is elsewhere (Server.Metrics)

	GRPC net.Listener // nil is none

	Logger *slog.Logger // one line a request; nil is silent
	Tracer trace.Tracer // a span a request, and one for each stage of its images; nil is none
}

// DefaultConfig returns limits that suit a camera's photographs and a small machine.
func DefaultConfig() Config {
	return Config{
		Limits:          scoring.Limits{MaxPixels: 25_000_000, MaxQueue: 128, Drift: drift.Config{Window: 500, Age: time.Hour, Level: 0.001}},
		MaxBody:         16 << 20,
		MaxUploadMemory: 1 << 30,
		MaxImages:       16,
		Timeout:         60 * time.Second,
		DrainTimeout:    30 * time.Second,
	}
}

// Validate returns an ascood.Invalid error that names the first limit that no
// server can have.
func (c Config) Validate() error {
	for _, limit := range []struct {
		field ascood.Field
		value int64
	}{
		{ascood.Field("max_body"), c.MaxBody},
		{ascood.Field("max_pixels"), int64(c.MaxPixels)},
		{ascood.Field("max_images"), int64(c.MaxImages)},
		{ascood.Field("max_queue"), int64(c.MaxQueue)},
		{ascood.Field("drift_window"), int64(c.Drift.Window)},
		{ascood.Field("drift_age"), int64(c.Drift.Age)},
		{ascood.Field("timeout"), int64(c.Timeout)},
		{ascood.Field("drain_timeout"), int64(c.DrainTimeout)},
	} {
		if limit.value < 1 {
			return ascood.Errorf(ascood.Invalid, "%s %d: must be greater than 0", limit.field, limit.value)
		}
	}
	if c.MaxBatch < 0 {
		return ascood.Errorf(ascood.Invalid, "%s %d: must not be negative", ascood.Field("max_batch"), c.MaxBatch)
	}
	if c.MaxUploadMemory < c.MaxBody {
		return ascood.Errorf(ascood.Invalid, "%s: %d bytes are less than the %d of one request (%s)",
			ascood.Field("max_upload_memory"), c.MaxUploadMemory, c.MaxBody, ascood.Field("max_body"))
	}
	if c.MaxQueue < c.MaxImages {
		return ascood.Errorf(ascood.Invalid, "%s: %d images are less than the %d of one request (%s)",
			ascood.Field("max_queue"), c.MaxQueue, c.MaxImages, ascood.Field("max_images"))
	}
	if c.DrainDelay < 0 {
		return ascood.Errorf(ascood.Invalid, "%s %v: must not be negative", ascood.Field("drain_delay"), c.DrainDelay)
	}
	if !(c.KeepPValue >= 0 && c.KeepPValue <= 1) {
		return ascood.Errorf(ascood.Invalid, "%s %v: must be from 0 to 1", ascood.Field("keep_p_value"), c.KeepPValue)
	}
	if !(c.Drift.Level > 0 && c.Drift.Level < 1) {
		return ascood.Errorf(ascood.Invalid, "%s %v: must be between 0 and 1", ascood.Field("drift_level"), c.Drift.Level)
	}
	return nil
}

// Limits of the connection that no user has a reason to change.
const (
	headerTimeout  = 10 * time.Second
	idleTimeout    = 2 * time.Minute
	writeMargin    = 10 * time.Second // for an answer to reach a client that used up its Timeout
	maxHeaderBytes = 16 << 10

	// Uploads are read, timed and accounted for in steps. One is about what a
	// connection takes besides (30 KiB, measured); 13 kbit/s are fast enough.
	stepBytes   = 32 << 10
	stepTimeout = 20 * time.Second
)
