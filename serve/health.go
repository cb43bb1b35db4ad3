package serve

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/ascood/ascood"
)

type health struct {
	Status string `json:"status"`
}

// live says that the process answers.
func (s *Server) live(c echo.Context) error {
	return c.JSON(http.StatusOK, health{"alive"})
}

// ready says whether to send requests here: not once the server is shutting
// down, nor where no image can be scored any more.
func (s *Server) ready(c echo.Context) error {
	if s.draining.Load() {
		return ascood.Errorf(ascood.Unavailable, "shutting down")
	}
	if s.models.Lost().Err() != nil {
		return ascood.Errorf(ascood.Unavailable, "shutting down: %w", ascood.ErrDeviceLost)
	}
	return c.JSON(http.StatusOK, health{"ready"})
}
