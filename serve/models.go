package serve

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/preprocess"
)

// ModelsResponse answers GET /v1/models.
type ModelsResponse struct {
	Models []ModelInfo `json:"models"`
}

// ModelInfo describes a model as it is served.
type ModelInfo struct {
	Name        string            `json:"name"`
	Arch        string            `json:"arch"`
	Width       int               `json:"width"`
	Head        string            `json:"head"`
	Classes     []string          `json:"classes"`
	Preprocess  preprocess.Config `json:"preprocess"`
	Settings    artifact.Score    `json:"settings"`
	Calibration CalibrationInfo   `json:"calibration"`
	Device      string            `json:"device"`
	SHA256      string            `json:"weights_sha256"`
	Limits      Limits            `json:"limits"`
}

// CalibrationInfo says what a verdict rests on.
type CalibrationInfo struct {
	Samples   int     `json:"samples"`
	TPR       float64 `json:"tpr"`
	Threshold float64 `json:"threshold"`
}

// Limits are those of POST /v1/score.
type Limits struct {
	Body   int64 `json:"body_bytes"`
	Pixels int   `json:"image_pixels"`
	Images int   `json:"images"`
}

// models describes the model that is served. It leaves out what the metadata says
// of files: clients need not know the server's paths.
func (s *Server) models(c echo.Context) error {
	m := s.model.Info()
	return c.JSON(http.StatusOK, ModelsResponse{[]ModelInfo{{
		Name: m.Name, Arch: m.Arch, Width: m.Width, Head: m.Head, Classes: m.Classes,
		Preprocess: m.Preprocess, Settings: s.model.Settings(),
		Calibration: CalibrationInfo{s.calibration.Samples, s.calibration.TPR, s.calibration.Threshold},
		Device:      s.model.Device().String(), SHA256: m.Source.SHA256,
		Limits: Limits{s.config.MaxBody, s.config.MaxPixels, s.config.MaxImages},
	}}})
}
