package serve

import (
	"github.com/labstack/echo/v4"

	"github.com/ascood/ascood/serve/scoring"
)

// withRecover makes a panic of a handler the failure of its request alone.
func withRecover(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		return scoring.Guard(func() error { return next(c) })
	}
}
