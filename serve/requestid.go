package serve

import (
	"crypto/rand"
	"regexp"

	"github.com/labstack/echo/v4"
)

// saneID keeps what clients send from garbling logs and headers.
var saneID = regexp.MustCompile(`^[A-Za-z0-9._:/+=-]{1,64}$`)

// withRequestID names each request: as the client did, if sanely, else anew.
func withRequestID(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		id := c.Request().Header.Get(echo.HeaderXRequestID)
		if !saneID.MatchString(id) {
			id = rand.Text()
		}
		c.Response().Header().Set(echo.HeaderXRequestID, id)
		return next(c)
	}
}

func requestID(c echo.Context) string { return c.Response().Header().Get(echo.HeaderXRequestID) }
