package serve

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/ascood/ascood"
)

// withLog writes the answer of a request that failed, then one line about the
// request. Only faults of ours are logged as errors.
func (s *Server) withLog(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		start, r := time.Now(), c.Request()
		err := next(c)
		if err != nil {
			err = classify(err, r)
			c.Error(err)
			s.metrics.refused(err)
		}
		elapsed := time.Since(start)
		s.metrics.request(c, elapsed)

		level := slog.LevelInfo
		attrs := []slog.Attr{
			slog.String("request_id", requestID(c)),
			slog.String("method", r.Method),
			slog.String("path", r.URL.Path),
			slog.String("remote", r.RemoteAddr),
			slog.Int("status", c.Response().Status),
			slog.Float64("time_ms", milliseconds(elapsed)),
		}
		if status := grpcStatus(c); status != "" {
			attrs = append(attrs, slog.String("grpc_status", status))
		}
		if images, ok := c.Get(imagesKey).(int); ok {
			attrs = append(attrs, slog.Int("images", images))
		}
		attrs = append(attrs, traceOf(r)...)
		if client, _ := c.Get(clientKey).(string); client != "" {
			attrs = append(attrs, slog.String("client", client))
		}
		if err != nil {
			code := ascood.CodeOf(err)
			c.Set(codeKey, code)
			if statusOf(code) == http.StatusInternalServerError {
				level = slog.LevelError
			}
			attrs = append(attrs, slog.String("code", string(code)), slog.String("error", err.Error()))
		}
		s.log.LogAttrs(r.Context(), level, "request", attrs...)
		return nil
	}
}

// imagesKey is where handlers leave the number of images for the log, and codeKey where the
// log leaves the code of an error for the trace.
const (
	imagesKey = "images"
	codeKey   = "code"
)

// milliseconds rounds to whole microseconds, so that JSON shows no noise.
func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
