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

// ready says whether to send requests here: not once the server is shutting down, nor
// while a model fails at every run.
func (s *Server) ready(c echo.Context) error {
	if err := s.isReady(); err != nil {
		return err
	}
	return c.JSON(http.StatusOK, health{"ready"})
}

func (s *Server) isReady() error {
	if s.draining.Load() {
		return ascood.Errorf(ascood.Unavailable, "shutting down")
	}
	return s.models.Ready()
}
