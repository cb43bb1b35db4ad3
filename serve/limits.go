package serve

import (
	"context"

	"github.com/labstack/echo/v4"

	"github.com/ascood/ascood"
)

// withPlace lets MaxRequests requests in and turns further ones away before
// anything of their body is read.
func (s *Server) withPlace(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		select {
		case s.places <- struct{}{}:
		default:
			return ascood.Errorf(ascood.Busy, "%d requests are in work, the most there may be: try again later", cap(s.places))
		}
		s.metrics.inFlight.Inc()
		defer func() {
			s.metrics.inFlight.Dec()
			<-s.places
		}()
		return next(c)
	}
}

// withDeadline gives up on a request that takes longer than Timeout.
func (s *Server) withDeadline(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		ctx, cancel := context.WithTimeout(c.Request().Context(), s.config.Timeout)
		defer cancel()
		c.SetRequest(c.Request().WithContext(ctx))
		return next(c)
	}
}
