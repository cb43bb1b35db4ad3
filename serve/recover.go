package serve

import "github.com/labstack/echo/v4"

// withRecover makes a panic of a handler the failure of its request alone.
func withRecover(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		return guard(func() error { return next(c) })
	}
}
