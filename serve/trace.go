package serve

import (
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/ascood/ascood"
)

// parentOf is the span that a request says it is a part of, by W3C's "Trace Context"; not a
// valid one if it says none, or several.
func parentOf(r *http.Request) trace.SpanContext {
	if len(r.Header.Values("Traceparent")) != 1 {
		return trace.SpanContext{}
	}
	return trace.SpanContextFromContext(propagation.TraceContext{}.Extract(r.Context(), propagation.HeaderCarrier(r.Header)))
}

// traceOf are the attributes by which the log's line of a request is found from its trace.
func traceOf(r *http.Request) (attrs []slog.Attr) {
	parent, own := parentOf(r), trace.SpanContextFromContext(r.Context())
	switch {
	case own.IsValid():
		attrs = []slog.Attr{slog.String("trace_id", own.TraceID().String()), slog.String("span_id", own.SpanID().String())}
	case parent.IsValid():
		attrs = []slog.Attr{slog.String("trace_id", parent.TraceID().String())}
	}
	if parent.IsValid() {
		attrs = append(attrs, slog.String("parent_span_id", parent.SpanID().String()))
	}
	return attrs
}

// withTrace makes each request a span, under the one that it says it is a part of, if spans
// are sent anywhere. Health checks and metrics, which come all the time, are none.
func (s *Server) withTrace(next echo.HandlerFunc) echo.HandlerFunc {
	if s.config.Tracer == nil {
		return next
	}
	return func(c echo.Context) error {
		r, route := c.Request(), c.Path()
		if slices.Contains(openRoutes, route) || slices.Contains(openCalls, route) || route == "/metrics" {
			return next(c)
		}
		ctx, span := s.config.Tracer.Start(trace.ContextWithRemoteSpanContext(r.Context(), parentOf(r)), spanName(c), trace.WithSpanKind(trace.SpanKindServer))
		defer span.End()
		c.SetRequest(r.WithContext(ctx))
		err := next(c)
		span.SetAttributes(spanAttributes(c)...)
		if code, failed := c.Get(codeKey).(ascood.Code); failed {
			span.SetAttributes(semconv.ErrorTypeKey.String(string(code)))
			if statusOf(code) >= http.StatusInternalServerError {
				span.SetStatus(codes.Error, "") // messages may say what clients sent
			}
		}
		return err
	}
}

// methods are those that HTTP has; anyone can make up others.
var methods = []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions}

func spanMethod(c echo.Context) string {
	if method := c.Request().Method; slices.Contains(methods, method) {
		return method
	}
	return "_OTHER"
}

// spanName is the route, never the path: there are few.
func spanName(c echo.Context) string {
	switch route := c.Path(); {
	case route == "", route == anyRoute:
		return "no such route"
	case isCall(c):
		return strings.TrimPrefix(route, "/")
	default:
		return spanMethod(c) + " " + route
	}
}

// spanAttributes are by OpenTelemetry's conventions, and ours: the request's id, and how
// many images it has.
func spanAttributes(c echo.Context) []attribute.KeyValue {
	attrs := []attribute.KeyValue{attribute.String("ascood.request_id", requestID(c))}
	if images, ok := c.Get(imagesKey).(int); ok {
		attrs = append(attrs, attribute.Int("ascood.images", images))
	}
	if status := grpcStatus(c); status != "" {
		return append(attrs, semconv.RPCSystemNameGRPC, semconv.RPCMethod(spanName(c)), semconv.RPCResponseStatusCode(status))
	}
	return append(attrs, semconv.HTTPRequestMethodKey.String(spanMethod(c)), semconv.HTTPRoute(c.Path()),
		semconv.HTTPResponseStatusCode(c.Response().Status))
}
