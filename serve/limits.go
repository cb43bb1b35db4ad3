package serve

import (
	"context"

	"github.com/labstack/echo/v4"

	"github.com/ascood/ascood"
)

// slots are for requests in work, one for each.
type slots chan struct{}

// take takes a slot, to be freed afterwards. It does not wait for one.
func (s slots) take() error {
	select {
	case s <- struct{}{}:
		return nil
	default:
		return s.busy()
	}
}

func (s slots) free() { <-s }

func (s slots) full() bool { return len(s) == cap(s) }

func (s slots) busy() error {
	return ascood.Errorf(ascood.Busy, "%d requests are in work, the most there may be: try again later", cap(s))
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
