// Package tracing sends the traces of requests to an OpenTelemetry collector, by OTLP over
// HTTP, if an endpoint is configured.
package tracing

import (
	"context"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"sync"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/ascood/ascood"
)

// Provider is where spans go.
type Provider = sdk.TracerProvider

// Open returns where spans go, nil if no endpoint is configured: by base, which goes
// before, or by OpenTelemetry's variables in the environment. Of those the exporter and
// the SDK heed the others, too: headers, certificates, the sampler, the resource. What
// cannot be sent is told to log. It is to be shut down, which sends what is left.
func Open(ctx context.Context, base string, log *slog.Logger) (*Provider, error) {
	endpoint, err := endpoint(base)
	if endpoint == "" || err != nil {
		return nil, err
	}
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(endpoint))
	if err != nil {
		return nil, ascood.Errorf(ascood.Invalid, "traces to %s: %w", endpoint, err)
	}
	about, err := resource.New(ctx,
		resource.WithAttributes(semconv.ServiceName("ascood-serve"), semconv.ServiceVersion(ascood.Version)),
		resource.WithFromEnv(), // which may name the service otherwise
		resource.WithTelemetrySDK())
	if err != nil {
		return nil, ascood.Errorf(ascood.Invalid, "OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	otel.SetErrorHandler(&complaints{log: log})
	log.Info("traces are sent", "endpoint", endpoint)
	return sdk.NewTracerProvider(sdk.WithBatcher(exporter), sdk.WithResource(about)), nil
}

// endpoint is the URL that traces are sent to, "" for none.
func endpoint(base string) (string, error) {
	const general, own = "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
	value, name := base, any(ascood.Field("otlp_endpoint"))
	switch {
	case base != "":
	case strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true"), os.Getenv("OTEL_TRACES_EXPORTER") == "none":
		return "", nil
	case os.Getenv(own) != "":
		value, name = os.Getenv(own), own
	default:
		value, name = os.Getenv(general), general
	}
	if value == "" {
		return "", nil
	}
	u, err := url.Parse(value)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return "", ascood.Errorf(ascood.Invalid, "%v %s: want a URL such as http://127.0.0.1:4318", name, value)
	}
	if err := checkEnvironment(); err != nil {
		return "", err
	}
	if name != any(own) {
		u = u.JoinPath("v1/traces")
	}
	return u.String(), nil
}

// checkEnvironment refuses what is asked for and not there.
func checkEnvironment() error {
	for _, name := range []string{"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"} {
		if protocol := os.Getenv(name); protocol != "" {
			if protocol != "http/protobuf" {
				return ascood.Errorf(ascood.Invalid, "%s=%s: traces are sent by http/protobuf, for which collectors have port 4318", name, protocol)
			}
			break
		}
	}
	if exporter := os.Getenv("OTEL_TRACES_EXPORTER"); exporter != "" && exporter != "otlp" && exporter != "none" {
		return ascood.Errorf(ascood.Invalid, "OTEL_TRACES_EXPORTER=%s: want otlp or none", exporter)
	}
	return nil
}

// complaints logs what goes wrong with the sending of spans, but not over and over.
type complaints struct {
	log  *slog.Logger
	mu   sync.Mutex
	last string
}

// Handle implements otel.ErrorHandler.
func (c *complaints) Handle(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if text := err.Error(); text != c.last {
		c.last = text
		c.log.Warn("traces are not sent", "error", text)
	}
}
